"""The world of the model test: clock, AWS, cluster, and the processes of the operator, one after the other.

The tests decide which events happen (``test_model.py``). This module carries them out. ``converge`` ends all faults,
delivers all answers and events, and lets time pass until nothing changes.
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
from esm_operator.metrics.probes import MetricsServer, ProbeServer
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
#: Seconds. Periodic work runs more rarely than in production, so that other events have room.
LEASE = 60.0
_RENEWAL = 15.0
_SETTINGS = Settings(
    cluster_name=CLUSTER_NAME,
    probe_address="",
    metrics_address="",
    requests_per_second=1000,
    deletions_per_minute=3,
    sweep_interval=SWEEP_INTERVAL,
    operator_credentials="WithoutProviderConfig",
    lease_duration=LEASE,
    identity="model-0",
)
#: Few workers, because each takes time at every step. Two of a kind are enough for conflicts between them.
_LIMITS = {QueuePriority.EDIT: 2, QueuePriority.CREATE: 2, QueuePriority.TRANSITION: 1, QueuePriority.RESYNC: 1}
_TUNING = Tuning(_LIMITS, lease_renewal=_RENEWAL, usage_interval=_RENEWAL)
#: Rounds of answers after which the operator counts as busy forever.
_MOST_ROUNDS = 400
#: More events than any watch has.
_ALL = 10_000


class NeverQuietError(AssertionError):
    """The operator does not become idle, although nothing happens around it."""


class _Bugs(logging.Handler):
    """Collects log lines with a traceback. The operator logs a traceback only for a bug of its own."""

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
                MetricsServer(settings.metrics_address),
                connections=Connections(connector),
                tuning=_TUNING,
            )
            await self.operator.start()

        self.loop.start(run)
        self.loop.settle()

    def tell(self, event: WatchEvent) -> None:
        """Deliver a watch event of a resource."""
        if self.operator is not None:
            self.loop.call(_take, self.operator, event)

    def knows(self, key: Key) -> Resource | None:
        """A resource in the cache of this process."""
        return self.operator._cache.get(key) if self.operator is not None else None  # pyright: ignore[reportPrivateUsage]

    def knows_removed(self) -> set[Key]:
        """The resources that were removed although they had the finalizer, as far as this process knows."""
        return {one.key for one in self.operator._cache.all() if one.removed} if self.operator is not None else set()  # pyright: ignore[reportPrivateUsage]

    def covers(self, seconds: float) -> bool:
        """Whether this process holds the lease for more than this many seconds."""
        with replaced(self._clock):
            return self.operator is not None and self.operator._lease.covers(seconds)  # pyright: ignore[reportPrivateUsage]

    def end(self) -> None:
        """End the process without a clean-up."""
        self.gate.crash()
        self.loop.close()


def _take(operator: Operator, event: WatchEvent) -> None:
    """Pass an event on, as the handler does."""
    operator.handle_resource(event.kind, event.body)


class World:
    """The simulated parts, and the operator."""

    def __init__(self, issued: Callable[[Call], None], *, owner_tags: bool = True) -> None:
        """
        Args:
            issued: called with each write request to AWS when it is sent.
            owner_tags: whether AWS accepts tags, and the operator sends them.
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
        """Collect the bugs that the operator logs, and hide its other log lines."""
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
        """Record an event for the report of a failure."""
        self.history.append(f"{self.clock.now:9.3f} {line}")

    # The process

    def start(self) -> None:
        """Start the operator. Its watch begins with a list."""
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
            self.cluster.objects.watches.clear()
            self._orphaned = self.process.gate.late
            self.process = None

    @property
    def waiting(self) -> list[Call]:
        """The requests whose answers the operator awaits."""
        return self.process.gate.waiting if self.process is not None else []

    @property
    def late(self) -> list[Call]:
        """Abandoned requests that will still take effect."""
        return self.process.gate.late if self.process is not None else self._orphaned

    def decide(self, call: Call, fate: str) -> None:
        """Decide the outcome of a request."""
        if self.process is not None:
            self.process.gate.settle(call, fate)
            self.settle()

    def land(self, call: Call) -> None:
        """Let an abandoned request take effect."""
        self.log(f"lands late: {call}")
        self.late.remove(call)
        call.carry_out()
        self.settle()

    def deliver(self, count: int, *, squashed: bool = False) -> None:
        """Deliver the next watch events. Squashed: only the last one of each object, as kopf does under load."""
        if self.process is None:  # no process watches, and the next one begins with a list
            self.cluster.cut_watch()
            return
        events, self.cluster.watch = self.cluster.watch[:count], self.cluster.watch[count:]
        last = {event.uid: event for event in events}
        for event in events:
            if not squashed or last[event.uid] is event:
                self.log(f"watch: {event.kind} {key_of(event.body)} {event.body['metadata']['resourceVersion']}")
                self.process.tell(event)
        self.settle()

    def deliver_objects(self, count: int) -> None:
        """Deliver the next events of the watches of referenced objects, so many of each."""
        for line in self.cluster.objects.deliver(count):
            self.log(line)
        self.settle()

    def settle(self) -> None:
        """Run the operator until all of its tasks wait."""
        if self.process is not None:
            self.process.loop.settle()
            self.process.gate.tidy()

    def calm(self) -> None:
        """Answer all requests and deliver all watch events. Almost no time passes."""
        self.settle()
        for _ in range(_MOST_ROUNDS):
            if not self.waiting and not self.cluster.watch and not self.cluster.objects.undelivered:
                return
            self.deliver(len(self.cluster.watch))
            self.deliver_objects(_ALL)
            for call in list(self.waiting):
                self.decide(call, "well")
        raise NeverQuietError("The operator does not come to rest")

    def lose_lease(self) -> None:
        """Block requests for the lease until it is lost. Then another term begins."""
        if self.process is not None:
            self.log("the lease can't be reached")
            self.process.gate.lease_is_cut = True
            self.pass_time(LEASE + 1)
            self.process.gate.lease_is_cut = False
            self.log("the lease can be reached again")

    # Time

    def pass_time(self, seconds: float, *, calmly: bool = False) -> None:
        """Let time pass. Calmly: all requests are answered meanwhile."""
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
        """Seconds until the next timer or transition."""
        now = self.clock.now
        timer = self.process.loop.next_timer if self.process is not None else None
        return [
            1e9,
            *([timer] if timer is not None else []),
            *(one.due - now for one in self.aws.moving()),
            *(call.ends - now for call in (*self.waiting, *self.late)),
        ]

    def end(self) -> None:
        """End the world."""
        if self.process is not None:
            self.process.end()
            self.process = None
