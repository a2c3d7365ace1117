"""The connections of the model test. Each request of the operator waits until the test decides its outcome.

``Gate`` has the waiting requests. The two classes below replace the operator's connections to AWS and to the API
server. ``FATES`` has a row for each outcome of a request.
"""

import asyncio
import json
import math
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import ClientConnectionError
from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from esm_operator.api.resource import GROUP, VERSION
from esm_operator.aws.call import CALL_TIMEOUT, CallPermit
from esm_operator.aws.errors import NotSentError
from esm_operator.planning.target import Target
from tests.model.aws import ACCOUNT, Lambda, refusal
from tests.model.cluster import Cluster, decoded
from tests.model.loop import Clock
from tests.model.objects import Answer, ObjectWatch

#: Seconds after which an abandoned request takes effect at the latest.
LANDS = 7.5

#: Outcomes of a request other than success.
FATES = ("lost", "late", "dropped", "unsent", "throttled", "failed", "done but failed", "refused")


_PREFIX = f"/apis/{GROUP}/{VERSION}/"


class LostError(ClientConnectionError):
    """The answer of the simulated API server did not arrive."""


@dataclass(eq=False)
class Call:
    """One request, from the moment that it is sent."""

    name: str
    what: dict[str, Any]
    run: Callable[[], Any]
    """Carries out the request. May raise what boto3 raises."""
    answer: asyncio.Future[Any]
    aws: bool
    writes: bool
    task: str = ""
    """The name of the task that sent the request."""
    ends: float = math.inf
    """The time at which the operator abandons the request. After that, the time by which it takes effect."""
    done: bool = False
    """Whether the request has been carried out, and its answer has not arrived."""
    result: Any = None

    def __str__(self) -> str:
        what = str(self.what.get("path", "")).removeprefix(_PREFIX) or json.dumps(
            self.what, sort_keys=True, default=str
        )
        told = [one["reason"] for one in _conditions(self.what) if one.get("type") == "Ready"]
        return " ".join([self.name, what.replace("esm-operator.io/", ""), *told])

    def carry_out(self) -> None:
        """Let the request take effect now."""
        if not self.done:
            self.done = True
            try:
                self.result = self.run()
            except (BotoCoreError, ClientError) as error:
                self.result = error


@dataclass
class Gate:
    """The requests in progress."""

    clock: Clock
    issued: Callable[[Call], None]
    """Called with each write request to AWS when it is sent."""
    log: Callable[[str], None]
    waiting: list[Call] = field(default_factory=list["Call"])
    """Requests whose answers the operator awaits."""
    late: list[Call] = field(default_factory=list["Call"])
    """Abandoned requests that will still take effect."""
    lease_is_cut: bool = False
    """Whether requests for the lease fail. If not, they are answered immediately."""
    dead: bool = False
    """Whether the process has ended, so that nothing is sent or answered."""

    async def pass_through(self, call: Call) -> Any:
        """Send a request, and wait for its outcome."""
        if self.dead:
            raise asyncio.CancelledError
        if call.aws and call.writes:
            self.issued(call)
        self.waiting.append(call)
        return await call.answer

    def settle(self, call: Call, fate: str = "well") -> None:
        """Decide the outcome of a request."""
        self.clock.now += 0.005
        if fate == "carried out":
            self.log(f"{fate}: {call}")
            call.carry_out()
            return
        if call.done and fate != "lost":
            fate = "well"  # too late for a refusal
        if not call.aws and fate in ("unsent", "throttled", "refused"):
            fate = "failed"
        self.log(f"{fate}: {call}")
        self.waiting.remove(call)
        if fate in ("well", "lost", "done but failed"):
            call.carry_out()
        elif fate == "late":
            self._leave(call)
        self._reply(call, fate)

    def land(self, call: Call) -> None:
        """Let an abandoned request take effect."""
        self.log(f"lands late: {call}")
        self.late.remove(call)
        call.carry_out()

    def pass_time(self) -> None:
        """Abandon requests that take too long, and let requests that were abandoned long ago take effect."""
        for call in [one for one in self.waiting if one.ends <= self.clock.now]:
            self.settle(call, "lost" if call.done else "late")
        for call in [one for one in self.late if one.ends <= self.clock.now]:
            self.land(call)

    def tidy(self) -> None:
        """Abandon the requests of cancelled tasks."""
        for call in [one for one in self.waiting if one.answer.done()]:
            self.waiting.remove(call)
            self._leave(call)

    def crash(self) -> None:
        """End the process. The requests that it has sent may still take effect."""
        self.dead = True
        for call in self.waiting:
            self._leave(call)
        self.waiting.clear()

    def _leave(self, call: Call) -> None:
        if call.writes and not call.done:
            call.ends = self.clock.now + LANDS
            self.late.append(call)

    def _reply(self, call: Call, fate: str) -> None:
        if call.answer.done():
            return
        if fate == "well" and not isinstance(call.result, BotoCoreError | ClientError):
            call.answer.set_result(call.result)
        else:
            call.answer.set_exception(call.result if fate == "well" else _error(call, fate))


def _conditions(what: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return ((what.get("body") or {}).get("status") or {}).get("conditions") or []


def _error(call: Call, fate: str) -> Exception:
    if not call.aws:
        return LostError(f"{call.name}: {fate}")
    match fate:
        case "throttled":
            return refusal(call.name, "TooManyRequestsException", 429, "Rate exceeded")
        case "failed" | "done but failed":
            return refusal(call.name, "ServiceException", 500, "An error occurred and the request cannot be processed.")
        case "unsent":
            return NotSentError(reason="There was no connection in time.")
        case "refused":
            return refusal(call.name, "AccessDeniedException", 403, "User is not authorized to perform this.")
        case _:
            return ReadTimeoutError(endpoint_url="https://lambda.eu-west-1.amazonaws.com")


class Connector:
    """Replaces ``esm_operator.aws.connection.Connector``."""

    def __init__(self, gate: Gate, aws: Lambda, future: Callable[[], asyncio.Future[Any]]) -> None:
        self._gate = gate
        self._aws = aws
        self._future = future

    async def connect(self, target: Target) -> "Connection":
        """Connect immediately."""
        return Connection(self._gate, self._aws, self._future, target.region, ACCOUNT)


@dataclass(frozen=True)
class Connection:
    """In place of ``esm_operator.aws.connection.Connection``: the simulated AWS behind the gate."""

    gate: Gate
    aws: Lambda
    future: Callable[[], asyncio.Future[Any]]
    region: str
    account: str
    threads: ThreadPoolExecutor = field(default_factory=ThreadPoolExecutor)
    """Never used."""
    identity: str = "arn:aws:iam::123456789012:user/operator"

    def close(self) -> None:
        """Nothing to close."""

    async def call(self, operation: str, parameters: Mapping[str, Any], permit: CallPermit) -> Any:
        """Send a request; a write only behind the fence, which the operator asks immediately before the first byte."""
        writes = not operation.startswith(("get_", "list_"))
        if writes:
            permit.fence.check(CALL_TIMEOUT)
        task = asyncio.current_task()
        function = getattr(self.aws, operation)
        call = Call(
            name=operation,
            what=dict(parameters),
            run=lambda: function(**parameters),
            answer=self.future(),
            aws=True,
            writes=writes,
            task=task.get_name() if task is not None else "",
            ends=self.gate.clock.now + CALL_TIMEOUT,
        )
        return await self.gate.pass_through(call)


class _Response:
    """An answer of the kubernetes package's client, as far as the operator uses it."""

    def __init__(self, answer: Answer) -> None:
        self.status = answer.status
        self.reason = ""
        self.headers: Mapping[str, str] = {}
        self._body = answer.body

    @property
    def response(self) -> Self:
        """The wrapped answer of aiohttp."""
        return self

    @property
    def content(self) -> Self:
        """The stream with the body."""
        return self

    async def iter_any(self) -> AsyncGenerator[bytes]:
        yield self._body.encode()


class Transport:
    """Replaces ``kubernetes.aio.client.ApiClient``, and sends requests to the simulated API server."""

    def __init__(
        self, gate: Gate, cluster: Cluster, future: Callable[[], asyncio.Future[Any]], *, hold_leases: bool = False
    ) -> None:
        """
        Args:
            gate: the gate at which requests wait.
            cluster: the simulated API server.
            future: makes the future that a request awaits.
            hold_leases: whether requests for leases wait too. If not, they are answered immediately.
        """
        self._gate = gate
        self._cluster = cluster
        self._future = future
        self._hold_leases = hold_leases

    async def param_serialize(
        self, method: str, path: str, *, query_params: dict[str, str], **_: Any
    ) -> tuple[str, str, dict[str, str], None, None]:
        """Pass the query on, in place of the headers."""
        return method, path, query_params, None, None

    async def call_api(
        self, method: str, path: str, query: dict[str, str], body: Any, *, _request_timeout: float
    ) -> _Response | ObjectWatch:
        sent = decoded(body)
        if query.get("watch"):
            begun = self._cluster.objects.watch(path, query, self._future)
            return _Response(begun) if isinstance(begun, Answer) else begun

        def run() -> Answer:
            if self._cluster.objects.answers(method, path, query):
                return self._cluster.objects.request(path, query)
            return self._cluster.request(method, path, sent)

        if "/leases" in path and self._gate.lease_is_cut:
            raise LostError("the lease can't be reached")
        if path.endswith("/events") or ("/leases" in path and not self._hold_leases):
            return _Response(run())
        call = Call(
            name=method,
            what={"path": path, **({"body": sent} if sent else {})},
            run=run,
            answer=self._future(),
            aws=False,
            writes=method != "GET",
            ends=self._gate.clock.now + _request_timeout,
        )
        return _Response(await self._gate.pass_through(call))

    async def close(self) -> None:
        """Nothing to close."""
