"""The gauges: what is asked of the running operator at each scrape, so that it can't be out of date.

Only the leader answers for resources, queue and targets: the numbers of a standby would count twice. What is asked
is kept counted, so that a scrape costs the same whatever the number of resources; only the series of each mapping,
which are exposed by choice, cost more. Asked in the thread that scrapes, which is the event loop's.
"""

import platform
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import NamedTuple

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
QUEUE_DEPTH = gauge("queue_depth", "Resources that wait to be worked on now.", "priority")
QUEUE_UNDER_WAY = gauge("queue_under_way", "Resources that are being worked on.", "priority")
QUEUE_OLDEST = gauge(
    "queue_oldest_seconds", "How long the resource waits that has waited longest; 0: none does.", "priority"
)
QUEUE_DELAYED = gauge("queue_delayed", "Resources that will be worked on later, most of them after a failure.")
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
BUDGET_RATE_SET = gauge(
    "aws_budget_rate_set", "Requests a second to AWS Lambda that --requests-per-second allows.", "account", "region"
)
BUDGET_RATE_NOW = gauge(
    "aws_budget_rate_now",
    "Requests a second that are allowed now: each throttled answer halves them, and they grow back slowly.",
    "account",
    "region",
)
BUDGET_TOKENS = gauge("aws_budget_tokens", "Requests that may be sent at once, without waiting.", "account", "region")
BUDGET_WAITING = gauge("aws_budget_waiting", "Requests that wait for their turn in the budget.", "account", "region")
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


class Gauges(Collector):
    """Asks whom it was told to ask."""

    def __init__(self) -> None:
        self.leading: Callable[[], bool] = lambda: False
        self.others: Callable[[], int] = lambda: 0
        self.snapshot: Callable[[], Snapshot] | None = None

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """What a scrape tells."""
        yield _family(BUILD_INFO, [(_build(), 1)])
        yield _family(LEADER, [((), self.leading())])
        yield _family(OTHER_OPERATORS, [((), self.others())])
        if self.snapshot is not None:
            yield from _families(self.snapshot())

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing: to ask before anything runs would answer nothing either."""
        return ()


_GAUGES = Gauges()
REGISTRY.register(_GAUGES)


def stand(leading: Callable[[], bool], others: Callable[[], int]) -> None:
    """Say whom to ask whether this process leads, and how many others write to the same resources."""
    _GAUGES.leading, _GAUGES.others = leading, others


def watch(snapshot: Callable[[], Snapshot] | None) -> None:
    """Say whom to ask at each scrape; None: this process does not lead any more."""
    _GAUGES.snapshot = snapshot


@cache
def _build() -> tuple[str, str]:
    return version("esm-operator"), platform.python_version()


def _families(now: Snapshot) -> Iterator[GaugeMetricFamily]:
    counts = now.resources
    yield _family(RESOURCES, _counted(counts, lambda one: (one.status, one.reason)))
    yield _family(MAPPINGS, _counted(counts, lambda one: (one.state, one.source)))
    yield _family(OUT_OF_SYNC, [((), _sum(counts, lambda one: not one.in_sync))])
    yield _family(PROCESSING_PROBLEMS, [((), _sum(counts, lambda one: one.problem))])
    yield _family(PAUSED, [((), _sum(counts, lambda one: one.paused))])
    yield _family(DELETIONS_HELD, [((), now.deletions_held)])
    yield _family(QUEUE_DEPTH, [((priority,), one.depth) for priority, one in now.queue.items()])
    yield _family(QUEUE_UNDER_WAY, [((priority,), one.under_way) for priority, one in now.queue.items()])
    yield _family(QUEUE_OLDEST, [((priority,), one.oldest) for priority, one in now.queue.items()])
    yield _family(QUEUE_DELAYED, [((), now.delayed)])
    yield from _of_places(now.places)
    if now.each:
        yield from _of_each(now.each)


def _of_places(places: Sequence[TargetMetrics]) -> Iterator[GaugeMetricFamily]:
    def told(metric: Metric, value: Callable[[TargetMetrics], float]) -> GaugeMetricFamily:
        return _family(metric, [((one.account, one.region), value(one)) for one in places])

    yield told(SWEEP_AGE, lambda one: one.sweep_age)
    yield told(SWEEP_INTERVAL, lambda one: one.sweep_interval)
    yield told(SWEEP_MAPPINGS, lambda one: one.mappings)
    counted = [((one.account, one.region), one.orphans) for one in places if one.orphans is not None]
    yield _family(ORPHANED_MAPPINGS, counted)
    yield told(BUDGET_RATE_SET, lambda one: one.rate_limiter.rate_set)
    yield told(BUDGET_RATE_NOW, lambda one: one.rate_limiter.rate_now)
    yield told(BUDGET_TOKENS, lambda one: one.rate_limiter.tokens)
    yield told(BUDGET_WAITING, lambda one: one.rate_limiter.waiting)


def _of_each(resources: Iterable[Resource]) -> Iterator[GaugeMetricFamily]:
    told = [(resource.key, resource.metric_labels) for resource in resources]
    yield _family(MAPPING_READY, ((key, metric_labels.status == "Ready") for key, metric_labels in told))
    yield _family(MAPPING_STATE, (((*key, metric_labels.state), 1) for key, metric_labels in told))
    yield _family(MAPPING_PROBLEM, ((key, metric_labels.problem) for key, metric_labels in told))


def _counted(counts: Mapping[MetricLabels, int], labels: Callable[[MetricLabels], tuple[str, ...]]) -> Samples:
    found: Counter[tuple[str, ...]] = Counter()
    for metric_labels, count in counts.items():
        found[labels(metric_labels)] += count
    return sorted(found.items())


def _sum(counts: Mapping[MetricLabels, int], which: Callable[[MetricLabels], bool]) -> int:
    return sum(count for metric_labels, count in counts.items() if which(metric_labels))


def _family(metric: Metric, samples: Samples) -> GaugeMetricFamily:
    family = GaugeMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    for labels, value in samples:
        family.add_metric(labels, float(value))
    return family
