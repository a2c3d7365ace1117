"""The series, labels and reasons in a PromQL query, and whether the operator has them."""

import re
from typing import get_args

from esm_operator.api.reasons import ConditionReason
from esm_operator.metrics import counters, gauges
from esm_operator.metrics.catalogue import CATALOGUE, MetricType

#: Modules that register their metrics in the catalogue when they are imported.
NOTED_BY = (gauges, counters)
#: Labels that each series gets from its target.
TARGET_LABELS = {"cluster", "namespace", "job", "pod", "instance"}
#: Metrics of prometheus_client for each process on Linux.
PROCESS = {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_start_time_seconds"}
_SERIES = re.compile(r"\b((?:esm_operator|process)_\w+)\s*(?:{([^}]*)})?")
_MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')
_BY = re.compile(r"\bby\s*\(([^)]*)\)")


def exposed() -> dict[str, set[str]]:
    """The labels of all series of the operator, by full name."""
    found: dict[str, set[str]] = {name: set() for name in PROCESS}
    for name, metric in CATALOGUE.items():
        labels = set(metric.labels)
        if metric.kind is MetricType.HISTOGRAM:
            found |= {f"{name}_bucket": labels | {"le"}, f"{name}_sum": labels, f"{name}_count": labels}
        else:
            found[name] = labels
    return found


def names(query: str) -> set[str]:
    """The series in a query."""
    return {match[1] for match in _SERIES.finditer(query)}


def mistakes(query: str) -> list[str]:
    """Sentences about series, labels and reasons in a query that do not exist."""
    there, found = exposed(), list[str]()
    labels: set[str] = set()
    for match in _SERIES.finditer(query):
        if match[1] not in there:
            found.append(f"There is no metric {match[1]}.")
            continue
        labels |= there[match[1]]
        for label, value in _MATCHER.findall(match[2] or ""):
            if label not in there[match[1]] | TARGET_LABELS:
                found.append(f"{match[1]} has no label {label}.")
            if label == "reason":
                found += [f"There is no reason {one}." for one in value.split("|") if one not in _reasons()]
    for match in _BY.finditer(query):
        wanted = {label.strip() for label in match[1].split(",")} - {""}
        found += [f"No series has the label {label}." for label in sorted(wanted - labels - TARGET_LABELS)]
    return found


def _reasons() -> set[str]:
    return {str(reason) for part in get_args(ConditionReason) for reason in (get_args(part) or (part,))}
