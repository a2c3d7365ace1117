"""The gauges: values that each scrape reads from the running operator, so that they are never out of date.

Only the leader exposes resources, queue and targets, because a standby would count them twice. A scrape costs the same
whatever the number of resources, except for the series of each mapping. It runs in the thread of the event loop.
"""

import platform
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import NamedTuple

from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from esm_operator.api.metric_labels import MetricLabels
from esm_operator.api.resource import Resource
from esm_operator.metrics import accounts
from esm_operator.metrics.catalogue import Exposer, Metric, gauge
from esm_operator.ratelimit.rate_limiter import RateLimiterState
from esm_operator.ratelimit.workqueue import QueueState


class ProcessState(NamedTuple):
    """What every process of the operator exposes."""

    leading: bool
    other_operators: int
    """Other operators that have written to the same resources within the last hour."""
    kubernetes_requests_limit: int
    """Requests to the API server that may be in flight."""
    referenced_objects: Mapping[tuple[str, str], int]
    """By API group and kind."""


class TargetMetrics(NamedTuple):
    """The state of an account and region."""

    account: str
    region: str
    sweep_age: float
    """Seconds since the start of the last complete sweep; before the first one, since the first use of the target."""
    sweep_interval: float
    """Seconds between two sweeps if nothing changes."""
    mappings: int
    rate_limiter: RateLimiterState
    orphans: int | None
    """Mappings with this cluster's owner tags and without a resource; None: not counted yet."""
    tags_one_by_one: bool | None
    """Whether ListTags replaces the tagging API; None: not known yet."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a leader exposes at a scrape."""

    resources: Mapping[MetricLabels, int]
    """The number of resources, by their facets."""
    queue: Mapping[str, QueueState]
    """By priority."""
    delayed: int
    places: Sequence[TargetMetrics]
    deletions_held: int
    each: Iterable[Resource] = ()
    """Resources that have series of their own."""


_Samples = Iterable[tuple[Sequence[str], float]]
_TermGauge = tuple[Metric, Callable[[Snapshot], _Samples]]


def _single(name: str, meaning: str, value: Callable[[Snapshot], float]) -> _TermGauge:
    return gauge(name, meaning), lambda now: [((), value(now))]


def _number_of(name: str, meaning: str, counts: Callable[[MetricLabels], bool]) -> _TermGauge:
    return _single(name, meaning, lambda now: sum(number for one, number in now.resources.items() if counts(one)))


def _by_facets(name: str, meaning: str, *labels: str) -> _TermGauge:
    """The resources by some of their facets, whose names are the labels."""

    def samples(now: Snapshot) -> _Samples:
        sums: Counter[tuple[str, ...]] = Counter()
        for one, number in now.resources.items():
            sums[tuple(getattr(one, label) for label in labels)] += number
        return sorted(sums.items())

    return gauge(name, meaning, *labels), samples


def _by_priority(name: str, meaning: str, value: Callable[[QueueState], float]) -> _TermGauge:
    return gauge(name, meaning, "priority"), lambda now: [((key,), value(one)) for key, one in now.queue.items()]


def _by_place(name: str, meaning: str, value: Callable[[TargetMetrics], float | None]) -> _TermGauge:
    def samples(now: Snapshot) -> _Samples:
        values = (((accounts.label(one.account), one.region), value(one)) for one in now.places)
        return [(place, number) for place, number in values if number is not None]

    return gauge(name, meaning, "account", "region"), samples


_BUILD_INFO = gauge(
    "build_info",
    "Always 1. The labels show the versions of the operator and of Python.",
    "version",
    "python",
    exposer=Exposer.ALL,
)
_BUILD = (version("esm-operator"), platform.python_version())
_LEADER = gauge(
    "leader", "1: this process holds the lease and is the leader. 0: this process is a standby.", exposer=Exposer.ALL
)
_OTHER_OPERATORS = gauge(
    "other_operators",
    "Number of operators with a different lease that wrote to the resources of this operator within the last hour.",
    exposer=Exposer.ALL,
)
_KUBERNETES_REQUESTS_LIMIT = gauge(
    "kubernetes_requests_in_flight_limit",
    "Number of requests to the API server that may be in flight. The operator lowers it while the API server is slow.",
    exposer=Exposer.ALL,
)
_REFERENCED_OBJECTS = gauge(
    "referenced_objects",
    "Number of objects to which resources refer, for each kind that the operator watches.",
    "group",
    "kind",
    exposer=Exposer.ALL,
)
_TERM_GAUGES: tuple[_TermGauge, ...] = (
    _by_facets(
        "resources", "Number of resources, by status and by the reason of the condition Ready.", "status", "reason"
    ),
    _by_facets(
        "mappings",
        "Number of resources, by the state of the mapping in AWS and by the type of the source.",
        "state",
        "source",
    ),
    _number_of(
        "out_of_sync",
        "Number of resources whose condition Synced is False, because the mapping differs from the spec or is missing.",
        lambda one: not one.in_sync,
    ),
    _number_of(
        "processing_problems",
        "Number of resources whose condition Processing is False, because Lambda reports a problem with their mapping.",
        lambda one: one.problem,
    ),
    _number_of(
        "paused", "Number of paused resources. The operator does not write to AWS for them.", lambda one: one.paused
    ),
    _single(
        "deletions_held",
        "Number of deletions that wait because of --deletions-per-minute.",
        lambda now: now.deletions_held,
    ),
    _by_priority(
        "workqueue_depth", "Number of resources that are due and wait to be reconciled.", lambda one: one.depth
    ),
    _by_priority("active_workers", "Number of resources that are being reconciled.", lambda one: one.under_way),
    _by_priority(
        "workqueue_oldest_item_age_seconds",
        "Waiting time of the resource that has waited longest in the work queue. 0: no resource waits.",
        lambda one: one.oldest,
    ),
    _single(
        "workqueue_delayed",
        "Number of resources whose next reconciliation is delayed, usually after a failed request.",
        lambda now: now.delayed,
    ),
    _by_place(
        "sweep_age_seconds",
        "Time since the start of the most recent sweep that was completed. Until the first sweep is complete, this is "
        "the time since the leader began to use the account and region.",
        lambda one: one.sweep_age,
    ),
    _by_place("sweep_interval_seconds", "The setting --sweep-interval.", lambda one: one.sweep_interval),
    _by_place(
        "sweep_mappings",
        "Number of mappings of all owners in the account and region. A sweep sends one request for each 100 mappings.",
        lambda one: one.mappings,
    ),
    _by_place(
        "orphaned_mappings",
        "Number of mappings that have the owner tags of this cluster and that no resource uses. The tag sweep counts "
        "them.",
        lambda one: one.orphans,
    ),
    _by_place(
        "tags_one_by_one",
        "1: the tag sweep reads the tags of one mapping at a time, because it cannot use the tagging API. With many "
        "mappings it finds changed tags hours late. 0: it uses the tagging API.",
        lambda one: one.tags_one_by_one,
    ),
    _by_place(
        "aws_rate_limiter_configured_rate",
        "The setting --requests-per-second. It limits the rate of requests to AWS Lambda.",
        lambda one: one.rate_limiter.rate_set,
    ),
    _by_place(
        "aws_rate_limiter_current_rate",
        "Current limit on the rate of requests to AWS Lambda, in requests per second. The operator halves it if AWS "
        "throttles a request, and then increases it slowly up to the configured rate.",
        lambda one: one.rate_limiter.rate_now,
    ),
    _by_place(
        "aws_rate_limiter_tokens",
        "Number of requests to AWS Lambda that the rate limiter allows immediately.",
        lambda one: one.rate_limiter.tokens,
    ),
    _by_place(
        "aws_rate_limiter_waiting_requests",
        "Number of requests to AWS Lambda that wait for the rate limiter.",
        lambda one: one.rate_limiter.waiting,
    ),
)
_NAME = ("namespace", "name")
_MAPPING_READY = gauge("mapping_ready", "1: the resource is Ready. 0: it is not Ready.", *_NAME, exposer=Exposer.CHOICE)
_MAPPING_STATE = gauge(
    "mapping_state",
    "Always 1. The label state shows the state of the mapping in AWS.",
    *_NAME,
    "state",
    exposer=Exposer.CHOICE,
)
_MAPPING_PROBLEM = gauge(
    "mapping_processing_problem",
    "1: Lambda reports a problem with the mapping. 0: it reports no problem.",
    *_NAME,
    exposer=Exposer.CHOICE,
)


class _Gauges(Collector):
    """Reads the state of the running operator at each scrape."""

    def __init__(self) -> None:
        self.process: Callable[[], ProcessState] = lambda: ProcessState(False, 0, 0, {})
        self.term: Callable[[], Snapshot] | None = None

    def collect(self) -> Iterator[GaugeMetricFamily]:
        process = self.process()
        yield _family(_BUILD_INFO, [(_BUILD, 1)])
        yield _family(_LEADER, [((), process.leading)])
        yield _family(_OTHER_OPERATORS, [((), process.other_operators)])
        yield _family(_KUBERNETES_REQUESTS_LIMIT, [((), process.kubernetes_requests_limit)])
        yield _family(_REFERENCED_OBJECTS, sorted(process.referenced_objects.items()))
        if self.term is None:
            return
        now = self.term()
        for metric, samples in _TERM_GAUGES:
            yield _family(metric, samples(now))
        each = [(resource.key, resource.metric_labels) for resource in now.each]
        if each:
            yield _family(_MAPPING_READY, ((key, labels.status == "Ready") for key, labels in each))
            yield _family(_MAPPING_STATE, (((*key, labels.state), 1) for key, labels in each))
            yield _family(_MAPPING_PROBLEM, ((key, labels.problem) for key, labels in each))

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing, so that the registry does not collect when it is registered."""
        return ()


_GAUGES = _Gauges()
REGISTRY.register(_GAUGES)


def show_process(process: Callable[[], ProcessState]) -> None:
    """Expose the state of an operator."""
    _GAUGES.process = process


def show_term(term: Callable[[], Snapshot] | None) -> None:
    """Expose the state of a term; None: this process does not lead any more."""
    _GAUGES.term = term


def _family(metric: Metric, samples: _Samples) -> GaugeMetricFamily:
    family = GaugeMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    for labels, value in samples:
        family.add_metric(labels, float(value))
    return family
