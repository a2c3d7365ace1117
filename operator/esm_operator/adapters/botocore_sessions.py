"""boto3's sessions, with the operator's own credentials or with those of a role.

The operator's own credentials are used to get those of a role from STS. botocore renews them before they expire. The
components of a session, and the classes that fetch and renew the credentials of a role, are internals of botocore.

botocore fetches credentials with clients that it makes itself. Their answers have limits of their own
(:class:`_CredentialsRequest`). Credentials from the node (instance metadata, EKS Pod Identity, ECS) do not come from a
client. botocore waits some seconds for each part of their answers.
"""

from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import NoCredentialsError, ReadTimeoutError, ResponseStreamingError
from botocore.loaders import Loader, create_loader
from botocore.utils import parse_timestamp

from esm_operator.adapters import botocore_hooks
from esm_operator.clock import monotonic

#: Seconds for one request for credentials, from its first byte to the last byte of the answer; for one part of it.
_REQUEST_TIMEOUT, _READ_TIMEOUT = 20.0, 10.0
#: Bytes of an answer with credentials. AWS documents no limit for session tokens, and sends some kilobytes.
_MOST = 100_000


class _RoleProvider(CredentialProvider):
    """Provides the credentials of one role. It fetches them when they are first needed."""

    METHOD = "esm-operator-role"

    def __init__(self, fetcher: AssumeRoleCredentialFetcher) -> None:
        super().__init__()
        self._fetcher = fetcher

    def load(self) -> Any:
        return DeferredRefreshableCredentials(method=self.METHOD, refresh_using=self._fetcher.fetch_credentials)


class _CredentialsRequest:
    """The request for credentials that a thread makes, while it signs :data:`botocore_hooks.current`."""

    def __init__(self) -> None:
        self._url, self._ends = "", 0.0

    def connecting(self, operation: str, url: str) -> None:
        self._url, self._ends = url, monotonic() + _REQUEST_TIMEOUT

    def sending(self, cut: Callable[[], None]) -> float:
        return max(0.0, self._ends - monotonic())

    def receiving(self, received: int) -> None:
        """Refuse an answer that is too large or too late, or that nobody waits for any more."""
        call = botocore_hooks.current.get(None)
        if call is not None:
            call.check()
        if received > _MOST:
            raise ResponseStreamingError(error=f"The answer with credentials has more than {_MOST:,} bytes")
        if monotonic() > self._ends:
            raise ReadTimeoutError(endpoint_url=self._url)

    def parsing(self, body: bytes) -> None: ...

    def check(self) -> None: ...


_fetching: ContextVar[_CredentialsRequest] = ContextVar("fetching")


def _request() -> _CredentialsRequest:
    found = _fetching.get(None)
    if found is None:
        found = _CredentialsRequest()
        _fetching.set(found)
    return found


class _Session(botocore.session.Session):
    """A session whose clients are limited. botocore makes those for credentials with :meth:`create_client`."""

    def create_client(self, *args: Any, config: Config | None = None, **named: Any) -> Any:
        limited = Config(read_timeout=_READ_TIMEOUT).merge(config) if config is not None else None
        made = super().create_client(*args, config=limited or Config(read_timeout=_READ_TIMEOUT), **named)
        botocore_hooks.install(made, _request)
        return made


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
    session = _Session()
    session.register_component("data_loader", _descriptions(session.get_config_variable("data_path")))
    return session


@cache
def _descriptions(path: str | None) -> Loader:
    return create_loader(path)


def _time(value: Any) -> datetime:
    """A time in an answer of AWS. Lambda sends seconds since 1970, which botocore's parser reads slowly."""
    return datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) else parse_timestamp(value)
