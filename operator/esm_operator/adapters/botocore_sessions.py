"""boto3's sessions: with the operator's own credentials, or with those of a role.

For the latter STS AssumeRole is asked with the operator's own; botocore renews what runs out. The components of a
session, and the classes that fetch and renew a role's credentials, are internals of botocore.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
import botocore.session
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import NoCredentialsError
from botocore.loaders import Loader, create_loader
from botocore.utils import parse_timestamp

SESSION_NAME = "esm-operator"


class _RoleProvider(CredentialProvider):
    """Hands botocore the credentials of one role, fetched when they are first needed."""

    METHOD = "esm-operator-role"

    def __init__(self, fetcher: AssumeRoleCredentialFetcher) -> None:
        super().__init__()
        self._fetcher = fetcher

    def load(self) -> Any:
        return DeferredRefreshableCredentials(method=self.METHOD, refresh_using=self._fetcher.fetch_credentials)


def new_session(region: str, role_arn: str = "", external_id: str = "") -> boto3.Session:
    """A session that works as a role, or as the operator itself.

    Args:
        region: of its clients, and of the STS that is asked for the role.
        role_arn: the role to assume; empty: the operator's own identity.
        external_id: sent with AssumeRole; empty: none.

    Raises:
        botocore.exceptions.NoCredentialsError: the operator has none to assume the role with.
    """
    session = _assumed(region, role_arn, external_id) if role_arn else _session()
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_time)
    return boto3.Session(botocore_session=session, region_name=region)


def _session() -> botocore.session.Session:
    """One that reads the descriptions of services from where all do: they take 20 MB, and would for each account."""
    session = botocore.session.get_session()
    session.register_component("data_loader", _descriptions(session.get_config_variable("data_path")))
    return session


@cache
def _descriptions(path: str | None) -> Loader:
    return create_loader(path)


def _time(value: Any) -> datetime:
    """A time as AWS answers it; for Lambda's, which are seconds since 1970, botocore's own way takes much longer."""
    return datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) else parse_timestamp(value)


def _assumed(region: str, role_arn: str, external_id: str) -> botocore.session.Session:
    own = _session()
    own.set_config_variable("region", region)
    credentials = own.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    options: Mapping[str, str] = {
        "RoleSessionName": SESSION_NAME,
        **({"ExternalId": external_id} if external_id else {}),
    }
    fetcher = AssumeRoleCredentialFetcher(
        client_creator=own.create_client,
        source_credentials=credentials,
        role_arn=role_arn,
        extra_args=dict(options),
    )
    as_role = _session()
    as_role.register_component("credential_provider", CredentialResolver([_RoleProvider(fetcher)]))
    return as_role
