"""The gauges: what is asked of the running operator at each scrape, so that it can't be out of date.

Only the leader answers for resources, queue and targets: the numbers of a standby would count twice. What is asked
is kept counted, so that a scrape costs the same whatever the number of resources; only the series of each mapping,
which are exposed by choice, cost more. Asked in the thread that scrapes, which is the event loop's.
"""

import platform
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import NamedTuple, Protocol

from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from esm_operator.api.metric_labels import MetricLabels
from esm_operator.api.resource import Resource
from esm_operator.metrics.catalogue import Exposer, Metric, gauge
from esm_operator.ratelimit.rate_limiter import RateLimiterState
from esm_operator.ratelimit.workqueue import QueueState

BUILD_INFO = gauge("build_info", "Always 1; its labels say what runs.", "version", "python", exposer=Exposer.ALL)
LEADER = gauge("leader", "Whether this process holds the lease and works (1), or stands by (0).", exposer=Exposer.ALL)
OTHER_OPERATORS = gauge(
    "other_operators",
    "Operators of other leases that wrote to the same resources within the last hour.",
    exposer=Exposer.ALL,
)
RESOURCES = gauge("resources", "Resources, by what their conditions tell and the reason of Ready.", "status", "reason")
MAPPINGS = gauge(
    "mappings", "Resources, by the state of their mappings at AWS and the type of source.", "state", "source"
)
OUT_OF_SYNC = gauge("out_of_sync", "Resources whose condition Synced says that AWS does not have what the spec says.")
PROCESSING_PROBLEMS = gauge(
    "processing_problems", "Resources whose mapping's last processing result at AWS is a problem."
)
PAUSED = gauge("paused", "Resources whose annotation holds all writes to AWS back.")
DELETIONS_HELD = gauge("deletions_held", "Deletions at AWS that wait for --deletions-per-minute.")
QUEUE_DEPTH = gauge("workqueue_depth", "Resources that wait to be reconciled now.", "priority")
ACTIVE_WORKERS = gauge("active_workers", "Resources that are being reconciled.", "priority")
QUEUE_OLDEST_ITEM_AGE = gauge(
    "workqueue_oldest_item_age_seconds",
    "How long the resource waits that has waited longest; 0: none does.",
    "priority",
)
QUEUE_DELAYED = gauge("workqueue_delayed", "Resources that will be reconciled later, most of them after a failure.")
SWEEP_AGE = gauge(
    "sweep_age_seconds",
    "Time since the last whole sweep of all mappings began; before the first: since the target is in use.",
    "account",
    "region",
)
SWEEP_INTERVAL = gauge("sweep_interval_seconds", "What --sweep-interval says.", "account", "region")
SWEEP_MAPPINGS = gauge(
    "sweep_mappings",
    "Mappings that are known at AWS, whosever they are: a sweep takes a call for 100 of them.",
    "account",
    "region",
)
ORPHANED_MAPPINGS = gauge(
    "orphaned_mappings",
    "Mappings that carry this cluster's owner tags and belong to no resource. The tag sweep counts them.",
    "account",
    "region",
)
RATE_LIMITER_CONFIGURED_RATE = gauge(
    "aws_rate_limiter_configured_rate",
    "Requests a second to AWS Lambda that --requests-per-second allows.",
    "account",
    "region",
)
RATE_LIMITER_CURRENT_RATE = gauge(
    "aws_rate_limiter_current_rate",
    "Requests a second that are allowed now: each throttled answer halves them, and they grow back slowly.",
    "account",
    "region",
)
RATE_LIMITER_TOKENS = gauge(
    "aws_rate_limiter_tokens", "Requests that may be sent at once, without waiting.", "account", "region"
)
RATE_LIMITER_WAITING = gauge(
    "aws_rate_limiter_waiting_requests", "Requests that wait for the rate limiter.", "account", "region"
)
MAPPING_READY = gauge(
    "mapping_ready", "Whether the resource is Ready (1) or not (0).", "namespace", "name", exposer=Exposer.CHOICE
)
MAPPING_STATE = gauge(
    "mapping_state",
    "Always 1; its labels say the mapping's state at AWS.",
    "namespace",
    "name",
    "state",
    exposer=Exposer.CHOICE,
)
MAPPING_PROBLEM = gauge(
    "mapping_processing_problem",
    "Whether the mapping's last processing result at AWS is a problem (1) or not (0).",
    "namespace",
    "name",
    exposer=Exposer.CHOICE,
)


class TargetMetrics(NamedTuple):
    """How an account and region is seen at one moment."""

    account: str
    region: str
    sweep_age: float
    """Seconds since the last whole sweep began; before the first: since it is in use."""
    sweep_interval: float
    """Seconds between two sweeps while all is quiet."""
    mappings: int
    """How many are known there."""
    rate_limiter: RateLimiterState
    orphans: int | None
    """Mappings with this cluster's owner tags and without a resource; None: not counted yet."""


Samples = Iterable[tuple[Sequence[str], float]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a leader answers at a scrape."""

    resources: Mapping[MetricLabels, int]
    """How many resources there are, by their facets."""
    queue: Mapping[str, QueueState]
    """By priority."""
    delayed: int
    places: Sequence[TargetMetrics]
    deletions_held: int
    each: Iterable[Resource] = ()
    """Resources that have series of their own."""


class ProcessMetrics(Protocol):
    """What every process of the operator has to show."""

    @property
    def leading(self) -> bool:
        """Whether this process holds the lease and works."""
        ...

    @property
    def other_operators(self) -> int:
        """How many other operators have written to the same resources within the last hour."""
        ...


class TermMetrics(Protocol):
    """What a leader has to show."""

    def snapshot(self) -> Snapshot:
        """The state of its term."""
        ...


class Gauges(Collector):
    """Asks the running operator at each scrape."""

    def __init__(self) -> None:
        self.process: ProcessMetrics | None = None
        self.term: TermMetrics | None = None

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The series of a scrape."""
        yield _family(BUILD_INFO, [(_build(), 1)])
        yield _family(LEADER, [((), self.process is not None and self.process.leading)])
        yield _family(OTHER_OPERATORS, [((), self.process.other_operators if self.process is not None else 0)])
        if self.term is not None:
            yield from _families(self.term.snapshot())

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing: to ask before anything runs would answer nothing either."""
        return ()


_GAUGES = Gauges()
REGISTRY.register(_GAUGES)


def show_process(process: ProcessMetrics) -> None:
    """Show the state of an operator at each scrape."""
    _GAUGES.process = process


def show_term(term: TermMetrics | None) -> None:
    """Show the state of a term at each scrape; None: this process does not lead any more."""
    _GAUGES.term = term


@cache
def _build() -> tuple[str, str]:
    return version("esm-operator"), platform.python_version()


def _families(now: Snapshot) -> Iterator[GaugeMetricFamily]:
    counts = now.resources
    yield _family(RESOURCES, _summed(((one.status, one.reason), count) for one, count in counts.items()))
    yield _family(MAPPINGS, _summed(((one.state, one.source), count) for one, count in counts.items()))
    yield _family(OUT_OF_SYNC, [((), sum(count for one, count in counts.items() if not one.in_sync))])
    yield _family(PROCESSING_PROBLEMS, [((), sum(count for one, count in counts.items() if one.problem))])
    yield _family(PAUSED, [((), sum(count for one, count in counts.items() if one.paused))])
    yield _family(DELETIONS_HELD, [((), now.deletions_held)])
    yield _family(QUEUE_DEPTH, [((priority,), one.depth) for priority, one in now.queue.items()])
    yield _family(ACTIVE_WORKERS, [((priority,), one.under_way) for priority, one in now.queue.items()])
    yield _family(QUEUE_OLDEST_ITEM_AGE, [((priority,), one.oldest) for priority, one in now.queue.items()])
    yield _family(QUEUE_DELAYED, [((), now.delayed)])
    yield from _of_places(now.places)
    if now.each:
        yield from _of_each(now.each)


def _of_places(places: Sequence[TargetMetrics]) -> Iterator[GaugeMetricFamily]:
    named = [((one.account, one.region), one) for one in places]
    yield _family(SWEEP_AGE, [(name, one.sweep_age) for name, one in named])
    yield _family(SWEEP_INTERVAL, [(name, one.sweep_interval) for name, one in named])
    yield _family(SWEEP_MAPPINGS, [(name, one.mappings) for name, one in named])
    yield _family(ORPHANED_MAPPINGS, [(name, one.orphans) for name, one in named if one.orphans is not None])
    yield _family(RATE_LIMITER_CONFIGURED_RATE, [(name, one.rate_limiter.rate_set) for name, one in named])
    yield _family(RATE_LIMITER_CURRENT_RATE, [(name, one.rate_limiter.rate_now) for name, one in named])
    yield _family(RATE_LIMITER_TOKENS, [(name, one.rate_limiter.tokens) for name, one in named])
    yield _family(RATE_LIMITER_WAITING, [(name, one.rate_limiter.waiting) for name, one in named])


def _of_each(resources: Iterable[Resource]) -> Iterator[GaugeMetricFamily]:
    told = [(resource.key, resource.metric_labels) for resource in resources]
    yield _family(MAPPING_READY, ((key, metric_labels.status == "Ready") for key, metric_labels in told))
    yield _family(MAPPING_STATE, (((*key, metric_labels.state), 1) for key, metric_labels in told))
    yield _family(MAPPING_PROBLEM, ((key, metric_labels.problem) for key, metric_labels in told))


def _summed(counts: Iterable[tuple[tuple[str, ...], int]]) -> Samples:
    found: Counter[tuple[str, ...]] = Counter()
    for labels, count in counts:
        found[labels] += count
    return sorted(found.items())


def _family(metric: Metric, samples: Samples) -> GaugeMetricFamily:
    family = GaugeMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    for labels, value in samples:
        family.add_metric(labels, float(value))
    return family
