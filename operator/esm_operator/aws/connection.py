"""A connection to one target: boto3's clients, the threads that run their calls, and the account that STS names.

boto3's own retries are off. The operator's work queue retries, so that every request is counted and takes a token. The
commands have no queue, so their connections retry (:attr:`Connection.attempts`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from esm_operator.adapters import botocore_hooks, botocore_sessions
from esm_operator.aws import call, errors
from esm_operator.aws.call import CallPermit
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

#: Seconds to connect to one address, and for the TLS handshake. ``aws/call.py`` has the limits of the whole call.
CONNECT_TIMEOUT = 1.5
#: Seconds without any byte of the answer.
READ_TIMEOUT = 3.5
#: Seconds without any byte of the answer of STS, which is called once, while no lease waits for it.
STS_TIMEOUT = 5.0
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
    """boto3's client of the resource groups tagging API; it only reads."""
    threads: ThreadPoolExecutor
    """Threads of its own, so that a target that does not answer delays no other."""
    identity: str = ""
    """The ARN of the IAM identity, from STS."""
    attempts: int = 1
    """How often a request is sent at most, if it fails for a reason that may pass by itself."""

    async def call(self, operation: str, parameters: Mapping[str, Any], permit: CallPermit) -> dict[str, Any]:
        """Send one request, by boto3's name of the operation, in a thread. Raises what :func:`.call.run` raises."""
        method = getattr(self.tagging if operation == "get_resources" else self.client, operation)
        return await _retry(self.attempts, partial(call.run, self.threads, permit, method, **parameters))


class Connector:
    """Makes connections. :class:`~.connections.Connections` decides when.

    Each connection may have so many threads. AWS's logs show the user agent after boto3's own name.
    """

    def __init__(self, threads: int = 8, *, attempts: int = 1, user_agent: str = "esm-operator") -> None:
        self._threads = threads
        self._attempts = attempts
        self._user_agent = user_agent

    async def connect(self, target: Target) -> Connection:
        """Make a connection to a target. STS names the account (GetCallerIdentity needs no permission).

        Raises:
            botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError: it can't be reached.
        """
        threads = ThreadPoolExecutor(self._threads, thread_name_prefix=f"aws {target.region}")
        try:
            request = partial(call.run, threads, CallPermit(SHUT), self._request_identity, target)
            account, identity = await _retry(self._attempts, request)
            return await call.run(threads, CallPermit(SHUT), self._connection, target, account, identity, threads)
        except BaseException:
            threads.shutdown(wait=False)
            raise

    def _request_identity(self, target: Target) -> tuple[str, str]:
        """The account and the ARN of the identity."""
        with counted("GetCallerIdentity"):
            client: STSClient = self._client("sts", target)
            answer = client.get_caller_identity()
            account = answer.get("Account")
            if not account:
                raise errors.UnreadableAnswerError(operation="GetCallerIdentity")
            return str(account), str(answer.get("Arn") or "an unknown identity")

    def _connection(self, target: Target, account: str, identity: str, threads: ThreadPoolExecutor) -> Connection:
        client: LambdaClient = self._client("lambda", target)
        tagging: ResourceGroupsTaggingAPIClient = self._client("resourcegroupstaggingapi", target)
        return Connection(account, target.region, client, tagging, threads, identity, self._attempts)

    def _client(self, service: Literal["lambda", "resourcegroupstaggingapi", "sts"], target: Target) -> Any:
        access = target.access
        session: Any = botocore_sessions.new_session(target.region, access.role_arn, access.external_id)
        config = Config(
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=STS_TIMEOUT if service == "sts" else READ_TIMEOUT,
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


async def _retry(attempts: int, send: Callable[[], Awaitable[Answer]]) -> Answer:
    """Send a request again while it fails for a reason that may pass by itself."""
    failures = 0
    while True:
        try:
            return await send()
        except (ClientError, BotoCoreError) as error:
            failures += 1
            if failures >= attempts or not errors.is_transient(error):
                raise
        await asyncio.sleep(backoff.jittered(backoff.exponential(failures - 1, _SHORTEST_PAUSE, _LONGEST_PAUSE)))


@contextmanager
def counted(operation: str) -> Generator[None]:
    """Count a request, by AWS's name of it. Raises :func:`~.errors.readable` of what the request raises."""
    started = monotonic()
    try:
        yield
    except Exception as error:
        raised = errors.readable(error, operation)
        reason = errors.understand(raised).reason if isinstance(raised, ClientError | BotoCoreError) else ""
        counters.answered(operation, monotonic() - started, raised, reason)
        raise raised from None
    counters.answered(operation, monotonic() - started)


for _reason in errors.REASONS:  # a series that begins with its first event has no increase that could be seen
    counters.AWS_FAILURES.labels(_reason)
