"""The catalogue of metrics: the name, the meaning and the labels of each, in one place.

The objects that count are made from it, and so is the table of docs/metrics.md. Every label has few values,
whatever the number of resources, but for those of the series that are exposed by choice only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from prometheus_client import Counter, Histogram, disable_created_metrics

# The time at which a counter began is a second series for each, and of no use here.
disable_created_metrics()

PREFIX = "esm_operator_"


class MetricType(StrEnum):
    """The types of Prometheus."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Exposer(StrEnum):
    """Who exposes a metric."""

    ALL = "every replica"
    LEADER = "the leader"
    CHOICE = "the leader, with `--metrics-per-mapping`"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric."""

    name: str
    """As it is exposed, without the suffixes of a histogram's series."""
    kind: MetricType
    meaning: str
    labels: tuple[str, ...]
    exposer: Exposer


#: All metrics of the operator's own, by name.
CATALOGUE: dict[str, Metric] = {}


def counter(name: str, meaning: str, *labels: str) -> Counter:
    """A counter to count up where the thing happens.

    Args:
        name: without prefix and ``_total``.
        meaning: a sentence, for the exposition and the documentation.
        labels: the names of its labels.
    """
    _note(f"{name}_total", MetricType.COUNTER, meaning, labels, Exposer.ALL)
    return Counter(PREFIX + name, meaning, labels)


def histogram(name: str, meaning: str, *labels: str, buckets: Sequence[float]) -> Histogram:
    """A histogram to observe where the thing happens.

    Args:
        name: without prefix.
        meaning: a sentence, for the exposition and the documentation.
        labels: the names of its labels.
        buckets: upper bounds, in the unit that the name ends with.
    """
    _note(name, MetricType.HISTOGRAM, meaning, labels, Exposer.ALL)
    return Histogram(PREFIX + name, meaning, labels, buckets=buckets)


def gauge(name: str, meaning: str, *labels: str, exposer: Exposer = Exposer.LEADER) -> Metric:
    """A gauge whose value is asked for at each scrape.

    Args:
        name: without prefix.
        meaning: a sentence, for the exposition and the documentation.
        labels: the names of its labels.
        exposer: who exposes it.
    """
    return _note(name, MetricType.GAUGE, meaning, labels, exposer)


def _note(name: str, kind: MetricType, meaning: str, labels: tuple[str, ...], exposer: Exposer) -> Metric:
    metric = Metric(PREFIX + name, kind, meaning, labels, exposer)
    CATALOGUE[metric.name] = metric
    return metric
