"""The world of the model test: clock, AWS, cluster, and one process of the operator after the other.

What happens is decided from outside (``test_model.py``); here is how it happens. ``converge`` is the good end:
no more faults, everything that is under way arrives, and time passes until nothing moves.
"""

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from esm_operator.adapters.kopf_watch_health import WatchHealth
from esm_operator.api.resource import Key, Resource
from esm_operator.aws.connections import Connections
from esm_operator.clock import replaced
from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.metrics.probes import ProbeServer
from esm_operator.operator import Operator
from esm_operator.ratelimit.rate_limiter import RateLimiter
from esm_operator.ratelimit.workqueue import QueuePriority
from esm_operator.settings import Settings
from esm_operator.term import Tuning
from tests.model.aws import Lambda
from tests.model.calls import Call, Connector, Gate, LostError, Transport
from tests.model.cluster import Cluster, WatchEvent, key_of
from tests.model.loop import Clock, SteppedLoop

CLUSTER_NAME = "model"
SWEEP_INTERVAL = 300.0
#: Seconds. What is done every second or two is done more rarely, so that it does not fill the time.
LEASE = 60.0
_RENEWAL = 15.0
_SETTINGS = Settings(
    cluster_name=CLUSTER_NAME,
    probe_address="",
    requests_per_second=1000,
    deletions_per_minute=3,
    sweep_interval=SWEEP_INTERVAL,
    lease_duration=LEASE,
    identity="model-0",
)
#: Few workers: each costs time at every step, and two of a kind are enough to be in each other's way.
_LIMITS = {QueuePriority.EDIT: 2, QueuePriority.CREATE: 2, QueuePriority.TRANSITION: 1, QueuePriority.RESYNC: 1}
_TUNING = Tuning(_LIMITS, lease_renewal=_RENEWAL, usage_interval=_RENEWAL)
#: Rounds of answers after which something that should be quiet is not.
_MOST_ROUNDS = 400


class NeverQuietError(AssertionError):
    """The operator works without an end, though nothing happens around it."""


class _Bugs(logging.Handler):
    """Keeps what the operator logs with a traceback: it took an error for a bug of its own."""

    def __init__(self, found: Callable[[str], None]) -> None:
        super().__init__(logging.ERROR)
        self._found = found

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and not isinstance(error, LostError):
            self._found(f"{record.getMessage()}: {error!r}")


class Process:
    """One process of the operator, from its start to its end."""

    def __init__(self, clock: Clock, gate: Gate, aws: Lambda, cluster: Cluster, settings: Settings) -> None:
        self.gate = gate
        self._clock = clock
        self.loop = SteppedLoop(clock)
        self.operator: Operator | None = None
        connector: Any = Connector(gate, aws, self.loop.future)
        api: Any = Transport(gate, cluster, self.loop.future)

        async def run() -> None:
            self.operator = Operator(
                settings,
                KubernetesClient(api, RateLimiter(1000)),
                WatchHealth(()),
                ProbeServer(settings.probe_address),
                connections=Connections(connector),
                tuning=_TUNING,
            )
            await self.operator.start()

        self.loop.start(run)
        self.loop.settle()

    def tell(self, event: WatchEvent) -> None:
        """The watch brings an event of a mapping."""
        if self.operator is not None:
            self.loop.call(_take, self.operator, event)

    def knows(self, key: Key) -> Resource | None:
        """A resource as this process knows it."""
        return self.operator._cache.get(key) if self.operator is not None else None  # pyright: ignore[reportPrivateUsage]

    def knows_removed(self) -> set[Key]:
        """The resources that it knows to have been removed although they carried the finalizer."""
        return {one.key for one in self.operator._cache.all() if one.removed} if self.operator is not None else set()  # pyright: ignore[reportPrivateUsage]

    def covers(self, seconds: float) -> bool:
        """Whether this process holds the lease, and for longer than that."""
        with replaced(self._clock):
            return self.operator is not None and self.operator._lease.covers(seconds)  # pyright: ignore[reportPrivateUsage]

    def end(self) -> None:
        """It is gone; nothing is cleaned up."""
        self.gate.crash()
        self.loop.close()


def _take(operator: Operator, event: WatchEvent) -> None:
    """As the handler does."""
    operator.handle_resource(event.kind, event.body)


class World:
    """All that is simulated, and the operator in it."""

    def __init__(self, issued: Callable[[Call], None], *, owner_tags: bool = True) -> None:
        """
        Args:
            issued: called for each request to AWS that writes, when it is sent.
            owner_tags: whether AWS takes tags, and the operator sends them.
        """
        self.clock = Clock()
        self.aws = Lambda(self.clock, tags_supported=owner_tags)
        self._settings = _SETTINGS if owner_tags else _SETTINGS.model_copy(update={"ownership": "resource-only"})
        self.cluster = Cluster()
        self.process: Process | None = None
        self.history: list[str] = []
        """The events, for readers of a failure."""
        self.bugs: list[str] = []
        """What the operator itself took for a bug."""
        self._issued = issued
        self._orphaned: list[Call] = []
        """Requests of processes that are gone."""

    @contextmanager
    def watched(self) -> Generator[None]:
        """Note what the operator logs as its own bugs, and keep its log to that."""
        logger, bugs = logging.getLogger("esm_operator"), _Bugs(self.bugs.append)
        level, propagate = logger.level, logger.propagate
        logger.addHandler(bugs)
        logger.setLevel(logging.ERROR)
        logger.propagate = False
        try:
            yield
        finally:
            logger.removeHandler(bugs)
            logger.setLevel(level)
            logger.propagate = propagate

    def log(self, line: str) -> None:
        """Note that something happens."""
        self.history.append(f"{self.clock.now:9.3f} {line}")

    # The process

    def start(self) -> None:
        """Start the operator; its watch begins with a list."""
        self.log("the operator starts")
        gate = Gate(self.clock, self._issued, self.log, late=self._orphaned)
        self._orphaned = []
        self.cluster.relist()
        self.process = Process(self.clock, gate, self.aws, self.cluster, self._settings)

    def crash(self) -> None:
        """Kill the operator."""
        if self.process is not None:
            self.log("the operator dies")
            self.cluster.unseen_removals |= self.process.knows_removed()
            self.process.end()
            self._orphaned = self.process.gate.late
            self.process = None

    @property
    def waiting(self) -> list[Call]:
        """Requests that the operator waits for."""
        return self.process.gate.waiting if self.process is not None else []

    @property
    def late(self) -> list[Call]:
        """Requests that take effect though nobody waits for them any more."""
        return self.process.gate.late if self.process is not None else self._orphaned

    def decide(self, call: Call, fate: str) -> None:
        """Decide what becomes of a request."""
        if self.process is not None:
            self.process.gate.settle(call, fate)
            self.settle()

    def land(self, call: Call) -> None:
        """A request takes effect that nobody waits for any more."""
        self.log(f"lands late: {call}")
        self.late.remove(call)
        call.carry_out()
        self.settle()

    def deliver(self, count: int, *, squashed: bool = False) -> None:
        """The watch brings its next events; squashed: of each object only the last (kopf does so in a hurry)."""
        if self.process is None:  # nothing watches; the next process begins with a list
            self.cluster.cut_watch()
            return
        events, self.cluster.watch = self.cluster.watch[:count], self.cluster.watch[count:]
        last = {event.uid: event for event in events}
        for event in events:
            if not squashed or last[event.uid] is event:
                self.log(f"watch: {event.kind} {key_of(event.body)} {event.body['metadata']['resourceVersion']}")
                self.process.tell(event)
        self.settle()

    def settle(self) -> None:
        """Let the operator run until all of it waits."""
        if self.process is not None:
            self.process.loop.settle()
            self.process.gate.tidy()

    def calm(self) -> None:
        """All that is asked is answered, and all watch events arrive, without time passing (to speak of)."""
        self.settle()
        for _ in range(_MOST_ROUNDS):
            if not self.waiting and not self.cluster.watch:
                return
            self.deliver(len(self.cluster.watch))
            for call in list(self.waiting):
                self.decide(call, "well")
        raise NeverQuietError("The operator does not come to rest")

    def lose_lease(self) -> None:
        """The lease can't be reached for so long that it is lost; then it can again, and another term begins."""
        if self.process is not None:
            self.log("the lease can't be reached")
            self.process.gate.lease_is_cut = True
            self.pass_time(LEASE + 1)
            self.process.gate.lease_is_cut = False
            self.log("the lease can be reached again")

    # Time

    def pass_time(self, seconds: float, *, calmly: bool = False) -> None:
        """Let time pass; calmly: everything is answered meanwhile."""
        self.log(f"{seconds} s pass")
        end = self.clock.now + seconds
        while True:
            if calmly:
                self.calm()
            else:
                self.settle()
            left = end - self.clock.now
            if left <= 0:
                return
            self.clock.now += max(0.001, min(left, *self._next_moments()))
            self.aws.pass_time()
            if self.process is not None:
                self.process.gate.pass_time()
            else:
                for call in [one for one in self._orphaned if one.ends <= self.clock.now]:
                    self.land(call)

    def _next_moments(self) -> list[float]:
        """Seconds until something happens by itself."""
        now = self.clock.now
        timer = self.process.loop.next_timer if self.process is not None else None
        return [
            1e9,
            *([timer] if timer is not None else []),
            *(one.due - now for one in self.aws.moving()),
            *(call.ends - now for call in (*self.waiting, *self.late)),
        ]

    def end(self) -> None:
        """Over."""
        if self.process is not None:
            self.process.end()
            self.process = None
