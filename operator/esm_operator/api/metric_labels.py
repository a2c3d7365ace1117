"""Facets: what is counted of a resource, without a look into its packed documents.

Made once when a resource is taken in; few resources differ in them, so ten thousand are counted as a few dozen.
Kept by the desired store, exposed as metrics.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from esm_operator.api.sources import source_type

#: Combinations that are kept as one object each.
_SHARED = 512


class MetricLabels(NamedTuple):
    """What resources are counted by."""

    source: str
    """The source type; ``other`` where the spec names none that is known."""
    state: str
    """AWS's state of the mapping, as the status tells it; ``None`` where there is no mapping."""
    status: str
    """``Ready``, ``Reconciling``, ``Stalled``, ``Deleting``, or ``New``: the operator has told of nothing yet."""
    reason: str
    """The reason of the condition Ready; empty for a new one."""
    in_sync: bool
    """Whether the condition Synced says nothing else."""
    problem: bool
    """Whether the last processing result at AWS is a problem."""
    paused: bool
    """Whether a person holds all writes to AWS back."""


def facets_of(spec: Mapping[str, Any], status: Mapping[str, Any], *, deleting: bool, paused: bool) -> MetricLabels:
    """The facets of a resource.

    Args:
        spec: the resource's.
        status: the resource's, or an empty one.
        deleting: whether the resource is to go.
        paused: whether a person holds it.
    """
    told: dict[str, str] = {}
    reason = ""
    for condition in status.get("conditions") or ():
        told[str(condition.get("type"))] = str(condition.get("status"))
        if condition.get("type") == "Ready":
            reason = str(condition.get("reason") or "")
    source = source_type(spec)
    return _shared(
        source=str(source) if source is not None else "other",
        state=str(status.get("state") or "None"),
        status=_status(told, deleting=deleting),
        reason=reason,
        in_sync=told.get("Synced") != "False",
        problem=told.get("Processing") == "False",
        paused=paused,
    )


def _status(told: Mapping[str, str], *, deleting: bool) -> str:
    if told.get("Stalled") == "True":
        return "Stalled"
    if deleting:
        return "Deleting"
    if "Ready" not in told:
        return "New"
    return "Ready" if told["Ready"] == "True" else "Reconciling"


@lru_cache(_SHARED)
def _shared(**metric_labels: Any) -> MetricLabels:
    """The same object for the same facets."""
    return MetricLabels(**metric_labels)
