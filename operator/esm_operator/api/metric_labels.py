"""The labels by which resources are counted in metrics. They are made when a resource is parsed."""

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import NamedTuple

from esm_operator.api.reasons import CONDITION_REASONS, STATES
from esm_operator.api.recorded_status import Condition
from esm_operator.api.sources import SourceType


class MetricLabels(NamedTuple):
    """What resources are counted by."""

    source: str
    """The source type; ``other`` if the spec names none that is known."""
    state: str
    """AWS's state of the mapping, from the status; ``None`` if there is no mapping, ``Other`` if it is not known."""
    status: str
    """``Ready``, ``Reconciling``, ``Stalled``, ``Deleting``, or ``New``, which has no conditions yet."""
    reason: str
    """The reason of the condition Ready; empty for a new one; ``Other`` if it is not one of this version."""
    in_sync: bool
    """Whether the condition Synced is not False."""
    problem: bool
    """Whether the last processing result in AWS is a problem."""
    paused: bool


def metric_labels(
    source: SourceType | None, state: str, conditions: Sequence[Condition], *, deleting: bool, paused: bool
) -> MetricLabels:
    """The labels of a resource.

    Args:
        source: None: the spec names no source type that is known.
        state: AWS's state of the mapping; empty: there is no mapping.
    """
    found = {condition.type: condition for condition in conditions}
    statuses = {kind: condition.status for kind, condition in found.items()}
    if statuses.get("Stalled") == "True":
        status = "Stalled"
    elif deleting:
        status = "Deleting"
    elif "Ready" not in found:
        status = "New"
    else:
        status = "Ready" if statuses["Ready"] == "True" else "Reconciling"
    return _shared(
        source=str(source) if source is not None else "other",
        state=_known(state, STATES) or "None",
        status=status,
        reason=_known(found["Ready"].reason, CONDITION_REASONS) if "Ready" in found else "",
        in_sync=statuses.get("Synced") != "False",
        problem=statuses.get("Processing") == "False",
        paused=paused,
    )


def with_source(labels: MetricLabels, source: SourceType | None) -> MetricLabels:
    """The labels of the same resource with another source type."""
    return _shared(**labels._asdict() | {"source": str(source) if source is not None else "other"})


def _known(value: str, known: Collection[str]) -> str:
    """A value for a label. Whoever can patch a status can write any text to it."""
    return value if not value or value in known else "Other"


#: The same object for the same labels, of which ten thousand resources have a few dozen combinations.
_shared = lru_cache(512)(MetricLabels)
