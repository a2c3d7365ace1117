"""Credentials of a ProviderConfig's role: STS AssumeRole with the operator's own, renewed by botocore."""

from collections.abc import Mapping
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

from esm_operator.cluster.target import Target

SESSION_NAME = "esm-operator"


class _RoleProvider(CredentialProvider):
    """Hands botocore the credentials of one role, fetched when they are first needed."""

    METHOD = "esm-operator-role"

    def __init__(self, fetcher: AssumeRoleCredentialFetcher) -> None:
        super().__init__()
        self._fetcher = fetcher

    def load(self) -> Any:
        return DeferredRefreshableCredentials(method=self.METHOD, refresh_using=self._fetcher.fetch_credentials)


def assumed(target: Target) -> boto3.Session:
    """A session that works as the target's role.

    Raises:
        botocore.exceptions.NoCredentialsError: the operator has none to assume it with.
    """
    own = botocore.session.get_session()
    own.set_config_variable("region", target.region)
    credentials = own.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    options: Mapping[str, str] = {
        "RoleSessionName": SESSION_NAME,
        **({"ExternalId": target.access.external_id} if target.access.external_id else {}),
    }
    fetcher = AssumeRoleCredentialFetcher(
        client_creator=own.create_client,
        source_credentials=credentials,
        role_arn=target.access.role_arn,
        extra_args=dict(options),
    )
    as_role = botocore.session.get_session()
    as_role.register_component("credential_provider", CredentialResolver([_RoleProvider(fetcher)]))
    return boto3.Session(botocore_session=as_role, region_name=target.region)
