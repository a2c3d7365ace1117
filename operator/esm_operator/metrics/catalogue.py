"""The catalogue of metrics: what each is called, what it means and which labels it has, each said once.

The objects that count are made from it, and so is the table of docs/metrics.md. Every label has few values,
whatever the number of resources, but for those of the series that are exposed by choice only.
"""

from collections.abc import Mapping, Sequence
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

#: What each label can be.
LABELS: Mapping[str, str] = {
    "account": "account ids of the targets in use; known once AWS has answered GetCallerIdentity",
    "code": "of AWS: its error code, `OK`, the name of the exception where there was no answer, `Other` beyond 100 of "
    "them. Of Kubernetes: the HTTP status, or `none` where there was no answer",
    "kind": "`fields`, `tags`, `deleted`",
    "name": "that of the resource",
    "namespace": "that of the resource",
    "operation": "the operations of AWS that the operator calls, some 12",
    "priority": "`edit`, `create`, `transition`, `resync`; of the budget `edit`, `create`, `transition`, `sweep`, "
    "`tag_sweep`",
    "python": "version of Python",
    "reason": "of a resource: the reason of its condition `Ready`. Of a failed request: the reason that conditions "
    "would tell of it",
    "region": "regions of the targets in use",
    "result": "`synced`, `waiting`, `stalled`, `refused`, `changed`, `released`, `unwritten`, `failed`",
    "source": "`sqs`, `kinesis`, `dynamodb`, `kafka`, `self-managed-kafka`, `mq`, `documentdb`, `other`",
    "state": "AWS's states (`Creating`, `Enabling`, `Enabled`, `Disabling`, `Disabled`, `Updating`, `Deleting`); "
    "`None`: there is no mapping",
    "status": "`Ready`, `Reconciling`, `Stalled`, `Deleting`; `New`: the operator has told of nothing yet",
    "verb": "`GET`, `POST`, `PUT`, `PATCH`",
    "version": "version of the operator",
}


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


def markdown() -> str:
    """The tables of metrics and of labels, for the documentation."""
    lines: list[str] = []
    for exposer in Exposer:
        lines += [f"### Exposed by {exposer}", "", "| metric | type | labels | meaning |", "|---|---|---|---|"]
        for metric in sorted(CATALOGUE.values(), key=lambda one: one.name):
            if metric.exposer is exposer:
                labels = ", ".join(f"`{label}`" for label in metric.labels)
                lines.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.meaning} |")
        lines.append("")
    lines += ["### Labels", "", "| label | values |", "|---|---|"]
    lines += [f"| `{label}` | {values} |" for label, values in LABELS.items()]
    return "\n".join(lines)
