"""boto3's sessions, with the operator's own credentials or with those of a role.

The operator's own credentials are used to get those of a role from STS. botocore renews them before they expire. The
components of a session, and the classes that fetch and renew the credentials of a role, are internals of botocore.
"""

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


class _RoleProvider(CredentialProvider):
    """Provides the credentials of one role. It fetches them when they are first needed."""

    METHOD = "esm-operator-role"

    def __init__(self, fetcher: AssumeRoleCredentialFetcher) -> None:
        super().__init__()
        self._fetcher = fetcher

    def load(self) -> Any:
        return DeferredRefreshableCredentials(method=self.METHOD, refresh_using=self._fetcher.fetch_credentials)


def new_session(region: str, role_arn: str = "", external_id: str = "", session_name: str = "") -> boto3.Session:
    """A session with the credentials of a role, from the STS of the region, or with the operator's own.

    A role needs a name for its session in AWS (:mod:`~esm_operator.aws.session_name`).

    Raises:
        botocore.exceptions.NoCredentialsError: the operator has no credentials of its own to assume the role with.
    """
    session = _session()
    if role_arn:
        role = _role(region, role_arn, external_id, session_name)
        session.register_component("credential_provider", CredentialResolver([role]))
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_time)
    return boto3.Session(botocore_session=session, region_name=region)


def _role(region: str, role_arn: str, external_id: str, session_name: str) -> _RoleProvider:
    own = _session()
    own.set_config_variable("region", region)
    credentials = own.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    options = {"RoleSessionName": session_name, **({"ExternalId": external_id} if external_id else {})}
    return _RoleProvider(AssumeRoleCredentialFetcher(own.create_client, credentials, role_arn, extra_args=options))


def _session() -> botocore.session.Session:
    """A session that shares the descriptions of services (20 MB) with all other sessions."""
    session = botocore.session.get_session()
    session.register_component("data_loader", _descriptions(session.get_config_variable("data_path")))
    return session


@cache
def _descriptions(path: str | None) -> Loader:
    return create_loader(path)


def _time(value: Any) -> datetime:
    """A time in an answer of AWS. Lambda sends seconds since 1970, which botocore's parser reads slowly."""
    return datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) else parse_timestamp(value)
