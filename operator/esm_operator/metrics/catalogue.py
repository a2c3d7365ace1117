"""The catalogue of metrics: the name, the meaning and the labels of each. docs/reference/metrics.md is made from it.

Every label has few values, whatever the number of resources, except in the series that are exposed by choice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from prometheus_client import Counter, Histogram, disable_created_metrics

# Otherwise each counter has a second series with the time of its creation.
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
    """A sentence, for the exposition and the documentation."""
    labels: tuple[str, ...]
    exposer: Exposer


#: All metrics of the operator's own, by name.
CATALOGUE: dict[str, Metric] = {}


def counter(name: str, meaning: str, *labels: str) -> Counter:
    """A counter; its name is without prefix and ``_total``."""
    _add(f"{name}_total", MetricType.COUNTER, meaning, labels, Exposer.ALL)
    return Counter(PREFIX + name, meaning, labels)


def histogram(name: str, meaning: str, *labels: str, buckets: Sequence[float]) -> Histogram:
    """A histogram; its name is without prefix, and the bounds of its buckets have the unit that ends the name."""
    _add(name, MetricType.HISTOGRAM, meaning, labels, Exposer.ALL)
    return Histogram(PREFIX + name, meaning, labels, buckets=buckets)


def gauge(name: str, meaning: str, *labels: str, exposer: Exposer = Exposer.LEADER) -> Metric:
    """A gauge that is read at each scrape; its name is without prefix."""
    return _add(name, MetricType.GAUGE, meaning, labels, exposer)


def _add(name: str, kind: MetricType, meaning: str, labels: tuple[str, ...], exposer: Exposer) -> Metric:
    metric = CATALOGUE[PREFIX + name] = Metric(PREFIX + name, kind, meaning, labels, exposer)
    return metric
