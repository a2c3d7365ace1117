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
    "account": "the AWS accounts in use, as [aliases](#accounts), or as IDs with `--metrics-authentication`. The "
    "operator learns the ID from GetCallerIdentity, so the series of an account begin after this request",
    "code": "for AWS: `OK`, the error code of AWS, or the name of the exception if AWS did not answer. After 50 "
    "different codes that AWS does not document, each new one is `Other`. A code that may be a name or an ID is also "
    "`Other`. For Kubernetes: the HTTP status, or `none` if there was no answer",
    "group": "the API group of a kind to which resources refer, if the operator may watch the kind. Empty: the core "
    "group",
    "kind": "the change that the operator corrected: `fields`, `tags` or `deleted`. For "
    "`esm_operator_referenced_objects`: the kind, such as `Queue`",
    "name": "name of the resource",
    "namespace": "namespace of the resource",
    "operation": "the 10 operations of AWS that the operator calls, such as `UpdateEventSourceMapping`",
    "priority": "see [Priorities](#priorities)",
    "python": "version of Python",
    "reason": "of `esm_operator_resources`: the reason of the condition `Ready`. Of `esm_operator_aws_failures_total`: "
    "the reason of the failure. [Reasons](reasons/README.md) explains both. A reason that another version or another "
    "client has written to a status is `Other`",
    "region": "AWS regions in use",
    "result": "`synced`: the mapping matches the spec. `waiting`: AWS is changing the mapping, or the resource waits "
    "for something else. `stalled`: a person must act. `aws_error`, `kubernetes_error`: a request failed, and the "
    "operator retries. `operator_error`: a bug in the operator. `stale`: the resource changed during the "
    "reconciliation, so the operator reconciles it again. `released`: the operator removed the finalizer, or the "
    "resource no longer existed",
    "source": "`sqs`, `kinesis`, `dynamodb`, `kafka`, `self-managed-kafka`, `mq`, `documentdb`, `other`",
    "state": "the states of AWS (`Creating`, `Enabling`, `Enabled`, `Disabling`, `Disabled`, `Updating`, `Deleting`), "
    "`None` if there is no mapping, or `Other`",
    "status": "`Ready`, `Reconciling`, `Stalled`, `Deleting`, or `New` if the operator has not written conditions yet",
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
