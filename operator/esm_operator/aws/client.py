"""The AWS client of one target: each call takes from the budget and is noted in the inventory.

boto3's own retries are off: all retrying is the work queue's, so that every request is counted and paid
for. boto3 blocks, so calls run in a small thread pool. How requests are spaced, when writes are fenced and calls are
given up is in :mod:`esm_operator.aws.call`.
"""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from esm_operator.adapters import botocore_hooks, botocore_sessions
from esm_operator.aws import call, errors
from esm_operator.aws.call import CallPermit
from esm_operator.aws.inventory import Inventory
from esm_operator.fence import SHUT, Fence
from esm_operator.metrics import counters
from esm_operator.planning.target import Target
from esm_operator.ratelimit.rate_limiter import RateLimiter, RequestPriority

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

#: Seconds to connect to one address, and for the TLS handshake. The limits of the whole call are in
#: esm_operator.aws.call.
CONNECT_TIMEOUT = 1.5
#: Seconds without any byte of the answer.
READ_TIMEOUT = 3.5
#: Seconds until an answer of STS is given up: it is asked once, and no lease waits for it.
STS_TIMEOUT = 5.0
#: How many mappings a page of ListEventSourceMappings has at most (AWS Lambda API, MaxItems).
PAGE = 100
#: Seconds for which a target that could not be connected is not tried again: many resources may ask.
_REFUSED_FOR = 5.0


#: Called just before a write, which it calls off by raising.
Check: TypeAlias = Callable[[], object]


def _none() -> None:
    """No check."""


def _config(pool: int, read_timeout: float) -> Config:
    return Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=read_timeout,
        retries={"total_max_attempts": 1},
        max_pool_connections=pool,
        parameter_validation=False,
        user_agent_extra="esm-operator",
    )


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list of mappings."""

    mappings: list[dict[str, Any]]
    next: str
    """The marker of the page behind it; empty: this is the last."""
    at: float
    """Monotonic time before it was asked for, in seconds."""


@dataclass(frozen=True, slots=True)
class Connection:
    """What one target is reached by."""

    account: str
    region: str
    client: Any
    """boto3's client of AWS Lambda, whose writes are fenced."""
    tagging: Any
    """boto3's client of the resource groups tagging API; it only reads."""
    threads: ThreadPoolExecutor
    """What its calls run in: threads of its own, so that one that does not answer holds up no other."""


class Connections:
    """Connects to targets, and runs their calls in threads.

    A connection is made once in the life of the process, not of the lease: a standby has it ready.
    Connecting asks STS for the account once (GetCallerIdentity, no permission needed), for the account is
    part of the intent.
    """

    def __init__(self, threads: int = 8) -> None:
        """
        Args:
            threads: how many each connection may have.
        """
        self._threads = threads
        self._connected: dict[Target, Connection] = {}
        self._connecting: dict[Target, asyncio.Lock] = {}
        self._refused: dict[Target, tuple[float, Exception]] = {}

    async def connect(self, target: Target) -> Connection:
        """The connection to a target, made if there is none.

        Raises:
            botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError: it can't be reached.
        """
        async with self._connecting.setdefault(target, asyncio.Lock()):
            connection = self._connected.get(target)
            if connection is not None:
                return connection
            at, error = self._refused.get(target, (0.0, None))
            if error is not None and time.monotonic() - at < _REFUSED_FOR:
                raise error.with_traceback(None)  # else it would grow each time
            threads = ThreadPoolExecutor(self._threads, thread_name_prefix=f"aws {target.region}")
            try:
                account = await self.run(threads, CallPermit(SHUT), self._account, target)
                connection = await self.run(threads, CallPermit(SHUT), self._connect, target, account, threads)
            except BaseException as error:
                threads.shutdown(wait=False)
                if isinstance(error, Exception):
                    self._refused[target] = (time.monotonic(), error)
                raise
            self._refused.pop(target, None)
            self._connected[target] = connection
            return connection

    def retry(self) -> None:
        """Try targets again at once that could not be connected a moment ago."""
        self._refused.clear()

    async def run(
        self,
        threads: ThreadPoolExecutor,
        passage: CallPermit,
        function: Callable[..., Result],
        *args: Any,
        **parameters: Any,
    ) -> Result:
        """Run a blocking call in a thread: see :func:`esm_operator.aws.call.run`.

        Args:
            threads: the connection's.
            passage: what its request has to pass.
            function: what to call, with the rest.
        """
        return await call.run(threads, passage, function, *args, **parameters)

    def close(self) -> None:
        """Let the threads go, without waiting for requests under way."""
        for connection in self._connected.values():
            connection.threads.shutdown(wait=False, cancel_futures=True)

    def _connect(self, target: Target, account: str, threads: ThreadPoolExecutor) -> Connection:
        client, tagging = self._client("lambda", target), self._client("resourcegroupstaggingapi", target)
        return Connection(account, target.region, client, tagging, threads)

    def _account(self, target: Target) -> str:
        started = time.monotonic()
        try:
            client = self._client("sts", target)
            started = time.monotonic()
            account = str(client.get_caller_identity().get("Account") or "")
            if not account:
                raise errors.UnreadableAnswerError(operation="GetCallerIdentity")
        except Exception as error:
            raised = errors.readable(error, "GetCallerIdentity")
            _count("GetCallerIdentity", started, raised)
            raise raised from None
        _count("GetCallerIdentity", started)
        return account

    def _client(self, service: Literal["lambda", "resourcegroupstaggingapi", "sts"], target: Target) -> Any:
        access = target.access
        make: Any = botocore_sessions.new_session(target.region, access.role_arn, access.external_id).client
        try:
            config = _config(self._threads, STS_TIMEOUT if service == "sts" else READ_TIMEOUT)
            client = make(service, endpoint_url=access.endpoint_url or None, config=config)
        except ValueError as error:
            raise errors.InvalidEndpointError(reason=str(error)) from error
        botocore_hooks.install(client)
        return client


class MappingsClient:
    """Event source mappings of one target."""

    def __init__(
        self,
        connection: Connection,
        connections: Connections,
        rate_limiter: RateLimiter,
        tagging_rate_limiter: RateLimiter,
        inventory: Inventory,
        fence: Fence,
        changed: Callable[[Collection[str]], None] = lambda _: None,
        *,
        owner_tags: bool = True,
    ) -> None:
        """
        Args:
            owner_tags: whether mappings have tags. If not, AWS is sent no tags, and no request about tags.
            changed: told of UUIDs of which an answer says something new, whoever has asked: the mapping may be
                another resource's than the one that is worked on.
        """
        self.owner_tags = owner_tags
        self._changed = changed
        self._client = connection.client
        self._tagging = connection.tagging
        self._threads = connection.threads
        self._connections = connections
        self.rate_limiter = rate_limiter
        self._tagging_rate_limiter = tagging_rate_limiter
        self.inventory = inventory
        self.account = connection.account
        self._place = (connection.account, connection.region)
        self._passage = CallPermit(fence, rate_limiter.window)
        self._tagging_passage = CallPermit(SHUT)

    async def create(self, parameters: Mapping[str, Any], check: Check = _none) -> dict[str, Any]:
        """CreateEventSourceMapping. Raises what boto3 raises, as all calls here; writes NotLeadingError too.

        Args:
            parameters: the request's.
            check: called when it is the request's turn; what it raises calls a write off.
        """
        asked = {name: value for name, value in parameters.items() if name != "Tags" or self.owner_tags}
        answer = await self._call("create_event_source_mapping", RequestPriority.CREATE, asked, check)
        self.inventory.record(answer, time.monotonic(), tags=asked.get("Tags") or {})
        return answer

    async def update(self, parameters: Mapping[str, Any], check: Check = _none) -> dict[str, Any]:
        """UpdateEventSourceMapping."""
        answer = await self._call("update_event_source_mapping", RequestPriority.EDIT, parameters, check)
        self.inventory.record(answer, time.monotonic())
        return answer

    async def delete(self, uuid: str, check: Check = _none) -> None:
        """DeleteEventSourceMapping; a mapping that is gone already is as good."""
        try:
            answer = await self._call("delete_event_source_mapping", RequestPriority.EDIT, {"UUID": uuid}, check)
        except ClientError as error:
            if not errors.is_gone(error):
                raise
            self.inventory.record_gone(uuid)
        else:
            self.inventory.record(answer, time.monotonic())

    async def get(self, uuid: str, priority: RequestPriority = RequestPriority.EDIT) -> bool:
        """GetEventSourceMapping. Returns whether it differs from what was known, or is gone."""
        at = time.monotonic()
        try:
            answer = await self._call("get_event_source_mapping", priority, {"UUID": uuid})
        except ClientError as error:
            if not errors.is_gone(error):
                raise
            self.inventory.record_gone(uuid)
            self._changed([uuid])
            return True
        differs = self.inventory.record(answer, at)
        if differs:
            self._changed([uuid])
        return differs

    @property
    def pages(self) -> int:
        """How many pages a list of all mappings has, as far as they are known and AWS fills them."""
        return max(1, math.ceil(len(self.inventory) / PAGE))

    async def page(
        self, marker: str = "", function: str = "", priority: RequestPriority = RequestPriority.SWEEP
    ) -> Page:
        """One page of ListEventSourceMappings: at most 100 mappings, whatever is asked for.

        Args:
            marker: where the page before it ended; empty: the first page.
            function: list those of one function only (a name, perhaps qualified); empty: all.
            priority: in the budget.
        """
        wanted = {"Marker": marker} if marker else {}
        wanted |= {"FunctionName": function} if function else {"MaxItems": PAGE}
        at = time.monotonic()
        answer = await self._call("list_event_source_mappings", priority, wanted)
        return Page(answer.get("EventSourceMappings") or [], str(answer.get("NextMarker") or ""), at)

    async def find(self, function: str) -> None:
        """All pages of one function's mappings (its name, perhaps qualified), noted in the inventory."""
        marker, at = "", time.monotonic()
        while True:
            try:
                page = await self.page(marker, function, RequestPriority.CREATE)
            except ClientError as error:
                if errors.code_of(error) == "ResourceNotFoundException":
                    return  # there is no such function, so sweeps have to tell
                raise
            self._changed([str(one["UUID"]) for one in page.mappings if self.inventory.record(one, at, listed=True)])
            if not page.next:
                return
            marker = page.next

    async def tagged(self, key: str, value: str) -> AsyncIterator[list[dict[str, Any]]]:
        """The pages of the tagging API's GetResources: mappings with a tag, and all their tags. It lags.

        It has a quota and a budget of its own.
        """
        wanted: dict[str, Any] = {
            "TagFilters": [{"Key": key, "Values": [value]}],
            "ResourceTypeFilters": ["lambda:event-source-mapping"],
            "ResourcesPerPage": 100,
        }
        while True:
            await self._tagging_rate_limiter.take(RequestPriority.TAG_SWEEP)
            page = await self._request(self._tagging, self._tagging_passage, "get_resources", wanted)
            yield page.get("ResourceTagMappingList") or []
            if not page.get("PaginationToken"):
                return
            wanted["PaginationToken"] = page["PaginationToken"]

    async def list_tags(self, uuid: str, priority: RequestPriority = RequestPriority.EDIT) -> None:
        """ListTags of one mapping, noted in the inventory; nothing where mappings have no tags."""
        if not self.owner_tags:
            return
        answer = await self._call("list_tags", priority, {"Resource": self._arn(uuid)})
        self.inventory.record_tags(uuid, answer.get("Tags") or {})

    async def tag(self, uuid: str, add: Mapping[str, str], remove: frozenset[str], check: Check = _none) -> None:
        """TagResource and UntagResource, as far as there is something to do; adding comes first.

        Nothing where mappings have no tags.
        """
        if not self.owner_tags:
            return
        resource = {"Resource": self._arn(uuid)}
        try:
            if add:
                await self._call("tag_resource", RequestPriority.EDIT, {**resource, "Tags": dict(add)}, check)
            if remove:
                await self._call("untag_resource", RequestPriority.EDIT, {**resource, "TagKeys": sorted(remove)}, check)
        except (ClientError, BotoCoreError) as error:
            if errors.is_doubtful(error):
                self.inventory.forget_tags(uuid)
            raise
        entry = self.inventory.get(uuid)
        if entry is not None and entry.tags is not None:
            kept = {key: value for key, value in entry.tags.items() if key not in remove}
            self.inventory.record_tags(uuid, {**kept, **add}, written=time.monotonic())

    def _arn(self, uuid: str) -> str:
        entry = self.inventory.get(uuid)
        return (entry.report().arn or "") if entry is not None else ""

    async def _call(
        self, operation: str, priority: RequestPriority, parameters: Mapping[str, Any], check: Check = _none
    ) -> dict[str, Any]:
        asked = time.monotonic()
        await self.rate_limiter.take(priority)
        counters.granted(*self._place, priority, time.monotonic() - asked)
        check()
        sent = time.monotonic()
        try:
            return await self._request(self._client, self._passage, operation, parameters)
        except (ClientError, BotoCoreError) as error:
            failure = errors.understand(error)
            if failure.throttled:
                self.rate_limiter.throttled(sent, failure.retry_after)
            raise

    async def _request(
        self, client: Any, passage: CallPermit, operation: str, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        started, name = time.monotonic(), _api_name(operation)
        try:
            answer = await self._connections.run(self._threads, passage, getattr(client, operation), **parameters)
            answer.pop("ResponseMetadata", None)
            if not _is_readable(operation, answer):
                raise errors.UnreadableAnswerError(operation=name)
        except Exception as error:
            raised = errors.readable(error, name)
            if isinstance(raised, ClientError | BotoCoreError) and _count(name, started, raised):
                counters.AWS_THROTTLES.labels(*self._place).inc()
            raise raised from None
        finally:
            logger.debug("AWS %s took %.0f ms", operation, 1000 * (time.monotonic() - started))
        _count(name, started)
        return answer


#: What AWS always answers: the list that it is in, and the member; an empty name where there is no list.
_ALWAYS: Mapping[str, tuple[str, str]] = {
    "create_event_source_mapping": ("", "UUID"),
    "update_event_source_mapping": ("", "UUID"),
    "delete_event_source_mapping": ("", "UUID"),
    "get_event_source_mapping": ("", "UUID"),
    "list_event_source_mappings": ("EventSourceMappings", "UUID"),
    "get_resources": ("ResourceTagMappingList", "ResourceARN"),
}


for _reason in errors.REASONS:  # a series that begins with its first event has no increase that could be seen
    counters.AWS_FAILURES.labels(_reason)


def _count(operation: str, started: float, error: Exception | None = None) -> bool:
    """Count a request that has ended. Returns whether it was throttled.

    Args:
        operation: AWS's name of it.
        started: monotonic time at which it began, in seconds.
        error: what it raised, or None.
    """
    known = isinstance(error, ClientError | BotoCoreError)
    failure = errors.understand(error) if known else None
    counters.answered(operation, time.monotonic() - started, error, failure.reason if failure is not None else "")
    return failure is not None and failure.throttled


def _is_readable(operation: str, answer: Mapping[str, Any]) -> bool:
    """Whether an answer has what AWS always answers."""
    if operation not in _ALWAYS:
        return True
    place, member = _ALWAYS[operation]
    items = answer.get(place) if place else [answer]
    return items is not None and all(item.get(member) for item in items)


def _api_name(operation: str) -> str:
    """``get_event_source_mapping`` as AWS calls it: ``GetEventSourceMapping``."""
    return operation.title().replace("_", "")
