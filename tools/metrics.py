"""The tables of metrics and of their labels in docs/reference/metrics.md, from the catalogue of metrics."""

from collections.abc import Mapping

from esm_operator.metrics import counters, gauges
from esm_operator.metrics.catalogue import CATALOGUE, Exposer
from tools.generated import DOCS, Files, with_part

PAGE = DOCS / "reference" / "metrics.md"
#: These modules add their metrics to the catalogue when they are imported.
ADDED_BY = (gauges, counters)
#: What each label can be.
LABELS: Mapping[str, str] = {
    "account": "account ids of the targets in use; known once AWS has answered GetCallerIdentity",
    "code": "of AWS: its error code, `OK`, the name of the exception where there was no answer, `Other` beyond 100 of "
    "them. Of Kubernetes: the HTTP status, or `none` where there was no answer",
    "kind": "`fields`, `tags`, `deleted`",
    "name": "that of the resource",
    "namespace": "that of the resource",
    "operation": "the operations of AWS that the operator calls, some 12",
    "priority": "of the work queue `edit`, `create`, `transition`, `resync`; of the rate limiter `edit`, `create`, "
    "`transition`, `sweep`, `tag_sweep`",
    "python": "version of Python",
    "reason": "of a resource: the reason of its condition `Ready`. Of a failed request: the reason that conditions "
    "would tell of it",
    "region": "regions of the targets in use",
    "result": "`synced`, `waiting`, `stalled`, `aws_error`, `kubernetes_error`, `operator_error`, `stale`, `released`",
    "source": "`sqs`, `kinesis`, `dynamodb`, `kafka`, `self-managed-kafka`, `mq`, `documentdb`, `other`",
    "state": "AWS's states (`Creating`, `Enabling`, `Enabled`, `Disabling`, `Disabled`, `Updating`, `Deleting`); "
    "`None`: there is no mapping",
    "status": "`Ready`, `Reconciling`, `Stalled`, `Deleting`; `New`: the operator has told of nothing yet",
    "verb": "`GET`, `POST`, `PUT`, `PATCH`",
    "version": "version of the operator",
}


def files() -> Files:
    """docs/reference/metrics.md."""
    return {PAGE: with_part(PAGE.read_text(), "metrics", tables())}


def tables() -> str:
    """The metrics in a Markdown table for each exposer, and the table of labels."""
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
