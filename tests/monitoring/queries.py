"""What a PromQL query asks for, as far as the tests have to know: whether the operator has such series."""

import re
from typing import get_args

from esm_operator.api.reasons import ConditionReason
from esm_operator.metrics import counters, gauges
from esm_operator.metrics.catalogue import CATALOGUE, MetricType

#: They note their metrics in the catalogue when they are imported.
NOTED_BY = (gauges, counters)
#: Labels that every series has by its target.
TARGET_LABELS = {"cluster", "namespace", "job", "pod", "instance"}
#: Of prometheus_client, of every process on Linux.
PROCESS = {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_start_time_seconds"}
_SERIES = re.compile(r"\b((?:esm_operator|process)_\w+)\s*(?:{([^}]*)})?")
_MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')
_BY = re.compile(r"\bby\s*\(([^)]*)\)")


def exposed() -> dict[str, set[str]]:
    """The labels of all series that the operator exposes, by their full names."""
    found: dict[str, set[str]] = {name: set() for name in PROCESS}
    for name, metric in CATALOGUE.items():
        labels = set(metric.labels)
        if metric.kind is MetricType.HISTOGRAM:
            found |= {f"{name}_bucket": labels | {"le"}, f"{name}_sum": labels, f"{name}_count": labels}
        else:
            found[name] = labels
    return found


def names(query: str) -> set[str]:
    """The series that a query asks for."""
    return {match[1] for match in _SERIES.finditer(query)}


def mistakes(query: str) -> list[str]:
    """What a query asks for that is not there: series, labels, reasons; sentences."""
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
