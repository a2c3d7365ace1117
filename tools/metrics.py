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
    "account": "account IDs of the targets in use, known after AWS has answered GetCallerIdentity",
    "code": "requests to AWS: the error code, `OK`, the name of the exception if there was no answer, or `Other` after "
    "100 values. Requests to Kubernetes: the HTTP status, or `none` if there was no answer",
    "kind": "`fields`, `tags`, `deleted`",
    "name": "name of the resource",
    "namespace": "namespace of the resource",
    "operation": "the operations of AWS that the operator calls, about 12",
    "priority": "work queue: `edit`, `create`, `transition`, `resync`. Rate limiter: `edit`, `create`, `transition`, "
    "`sweep`, `tag_sweep`",
    "python": "version of Python",
    "reason": "resources: the reason of the condition `Ready`. Failed requests: the reason that a condition has for "
    "such a failure",
    "region": "regions of the targets in use",
    "result": "`synced`, `waiting`, `stalled`, `aws_error`, `kubernetes_error`, `operator_error`, `stale`, `released`",
    "source": "`sqs`, `kinesis`, `dynamodb`, `kafka`, `self-managed-kafka`, `mq`, `documentdb`, `other`",
    "state": "the state in AWS: `Creating`, `Enabling`, `Enabled`, `Disabling`, `Disabled`, `Updating`, `Deleting`. "
    "`None` if there is no mapping",
    "status": "`Ready`, `Reconciling`, `Stalled`, `Deleting`. `New` if the resource has no conditions yet",
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
