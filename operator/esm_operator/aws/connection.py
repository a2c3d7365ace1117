"""A connection to one target: boto3's clients, the threads of their calls, and the account, which STS returns.

boto3's own retries are off. The operator's work queue retries, so that every request is counted and takes a token. Only
the first call is retried here, because all resources of the target would report its failure. The commands have no
queue, so their connections retry (:attr:`Connection.attempts`).
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from esm_operator.adapters import botocore_hooks, botocore_sessions
from esm_operator.api.foreign_text import ANSWER, cut
from esm_operator.aws import call, errors
from esm_operator.aws.answer_shapes import Check, compiled
from esm_operator.aws.call import CallPermit
from esm_operator.aws.session_name import session_name
from esm_operator.clock import monotonic
from esm_operator.fence import SHUT
from esm_operator.metrics import counters
from esm_operator.planning.target import Target
from esm_operator.ratelimit import backoff

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient
    from types_boto3_resourcegroupstaggingapi import ResourceGroupsTaggingAPIClient
    from types_boto3_sts import STSClient

Answer = TypeVar("Answer")

#: The ID of an account (AWS Account Management Reference Guide).
_ACCOUNT = re.compile(r"[0-9]{12}")

#: Seconds to connect to one address, and for the TLS handshake. ``aws/call.py`` has the limits of the whole call.
CONNECT_TIMEOUT = 1.5
#: Seconds without any byte of the answer.
READ_TIMEOUT = 3.5
#: The same for STS, and the limit of the whole call. It is the first call to a target, and the first answer of a slow
#: machine or proxy can take long. Resources wait for it, and no write does, so the lease need not outlast it.
STS_CONNECT_TIMEOUT, STS_TIMEOUT = 5.0, 20.0
#: Seconds in which the first call is repeated after transient failures, before resources report the failure. In a new
#: pod, name resolution and routes often fail for a moment.
FIRST_CALL_PATIENCE = 5.0
#: The checks of answers, by AWS's name of the operation.
_checks: dict[str, Check] = {}
#: The shortest and the longest pause before a request is sent again, in seconds.
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.5, 20.0


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection to one target."""

    account: str
    region: str
    client: "LambdaClient"
    """boto3's client of AWS Lambda, whose writes are fenced."""
    tagging: "ResourceGroupsTaggingAPIClient"
    """boto3's client of the resource groups tagging API. It only reads."""
    threads: ThreadPoolExecutor
    """Its own threads, so that a target that does not answer delays no other target."""
    identity: str = ""
    """The ARN of the IAM identity, from STS."""
    attempts: int = 1
    """The most times that a request is sent, if it fails for a transient reason."""

    async def call(self, operation: str, parameters: Mapping[str, Any], permit: CallPermit) -> dict[str, Any]:
        """Send one request, by boto3's name of the operation, in a thread. Raises what :func:`.call.run` raises."""
        client = self.tagging if operation == "get_resources" else self.client
        send = partial(call.run, self.threads, permit, _answer, client, operation, **parameters)
        return await _retry(self.attempts, send)

    def close(self) -> None:
        """Release the threads and the sockets, without waiting for outstanding requests. No call may follow."""
        self.threads.shutdown(wait=False, cancel_futures=True)
        self.client.close()
        self.tagging.close()


class Connector:
    """Makes connections. :class:`~.connections.Connections` decides when.

    ``threads`` is the number for each connection. CloudTrail shows the user agent after that of boto3. For a role of a
    ProviderConfig, it also shows the cluster and the ProviderConfig.
    """

    def __init__(
        self, threads: int = 8, *, attempts: int = 1, user_agent: str = "esm-operator", cluster: str = ""
    ) -> None:
        self._threads = threads
        self._cluster = cluster
        self._attempts = attempts
        self._user_agent = user_agent

    async def connect(self, target: Target) -> Connection:
        """Make a connection to a target. GetCallerIdentity of STS returns the account. It needs no permission.

        Raises:
            botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError: the target can't be reached.
        """
        threads = ThreadPoolExecutor(self._threads, thread_name_prefix=f"aws {target.region}")
        try:
            permit = CallPermit(SHUT, call_timeout=STS_TIMEOUT)
            request = partial(call.run, threads, permit, self._request_identity, target)
            account, identity = await _retry(self._attempts, request, FIRST_CALL_PATIENCE)
            return await call.run(threads, CallPermit(SHUT), self._connection, target, account, identity, threads)
        except BaseException:
            threads.shutdown(wait=False)
            raise

    def _request_identity(self, target: Target) -> tuple[str, str]:
        """The account and the ARN of the identity."""
        with counted("GetCallerIdentity"):
            client: STSClient = self._client("sts", target)
            with closing(client):
                answer = client.get_caller_identity()
            account = answer.get("Account")
            if not _ACCOUNT.fullmatch(str(account)):
                raise errors.UnreadableAnswerError(operation="GetCallerIdentity")
            return str(account), cut(str(answer.get("Arn") or "an unknown identity"), ANSWER)

    def _connection(self, target: Target, account: str, identity: str, threads: ThreadPoolExecutor) -> Connection:
        client: LambdaClient = self._client("lambda", target)
        tagging: ResourceGroupsTaggingAPIClient = self._client("resourcegroupstaggingapi", target)
        return Connection(account, target.region, client, tagging, threads, identity, self._attempts)

    def _client(self, service: Literal["lambda", "resourcegroupstaggingapi", "sts"], target: Target) -> Any:
        access = target.access
        connect, read = (STS_CONNECT_TIMEOUT, STS_TIMEOUT) if service == "sts" else (CONNECT_TIMEOUT, READ_TIMEOUT)
        session: Any = botocore_sessions.new_session(
            target.region, access.role_arn, access.external_id, session_name(self._cluster, access.config)
        )
        config = Config(
            connect_timeout=connect,
            read_timeout=read,
            retries={"total_max_attempts": 1},
            max_pool_connections=self._threads,
            parameter_validation=False,
            user_agent_extra=self._user_agent,
        )
        try:
            client = session.client(service, endpoint_url=access.endpoint_url or None, config=config)
        except ValueError as error:
            raise errors.InvalidEndpointError(reason=str(error)) from error
        botocore_hooks.install(client)
        return client


def _answer(client: Any, operation: str, /, **parameters: Any) -> dict[str, Any]:
    """Send one request in this thread, and check its answer."""
    answer = getattr(client, operation)(**parameters)
    name = client.meta.method_to_api_mapping[operation]
    check = _checks.get(name)
    if check is None:
        check = _checks[name] = compiled(client.meta.service_model.operation_model(name).output_shape)
    if not check(answer):
        raise errors.UnreadableAnswerError(operation=name)
    return answer


async def _retry(attempts: int, send: Callable[[], Awaitable[Answer]], patience: float = 0.0) -> Answer:
    """Send a request again while it fails for a transient reason: so many times, or for so many seconds if longer."""
    failures, until = 0, monotonic() + patience
    while True:
        try:
            return await send()
        except (ClientError, BotoCoreError) as error:
            failures += 1
            if not errors.is_transient(error) or (failures >= attempts and monotonic() >= until):
                raise
        await asyncio.sleep(backoff.jittered(backoff.exponential(failures - 1, _SHORTEST_PAUSE, _LONGEST_PAUSE)))


@contextmanager
def counted(operation: str) -> Generator[None]:
    """Count a request of an AWS operation. Raises the exception of the request, as :func:`~.errors.readable` has it."""
    started = monotonic()
    try:
        yield
    except Exception as error:
        raised = errors.readable(error, operation)
        reason = errors.understand(raised).reason if isinstance(raised, ClientError | BotoCoreError) else ""
        counters.answered(operation, monotonic() - started, raised, reason)
        try:
            raise raised from None
        finally:
            raised.__context__ = None
            del raised
    counters.answered(operation, monotonic() - started)


for _reason in errors.REASONS:  # Prometheus sees no increase in a series that begins with its first event
    counters.AWS_FAILURES.labels(_reason)
