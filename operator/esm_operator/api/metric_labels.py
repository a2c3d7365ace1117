"""Facets: what is counted of a resource, without a look into its packed documents.

Made once when a resource is taken in; few resources differ in them, so ten thousand are counted as a few dozen.
Kept by the desired store, exposed as metrics.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from esm_operator.api.recorded_status import Condition, find_condition
from esm_operator.api.sources import SourceType

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


def facets_of(
    source: SourceType | None, state: str, conditions: Sequence[Condition], *, deleting: bool, paused: bool
) -> MetricLabels:
    """The facets of a resource.

    Args:
        source: the source type; None: the spec names none that is known.
        state: AWS's state of the mapping; empty: there is no mapping.
        conditions: those of the status.
        deleting: whether the resource is to go.
        paused: whether a person holds it.
    """
    told = {condition.type: condition.status for condition in conditions}
    return _shared(
        source=str(source) if source is not None else "other",
        state=state or "None",
        status=_status(told, deleting=deleting),
        reason=find_condition(conditions, "Ready").reason,
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


#: The same object for the same facets.
_shared = lru_cache(_SHARED)(MetricLabels)
