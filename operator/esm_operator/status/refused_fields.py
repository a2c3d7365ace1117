"""The outcome of a resource if AWS has refused to change some of its fields."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from esm_operator.api.fields import BY_PATH
from esm_operator.planning import differences, isolation
from esm_operator.planning.state import Desired, Observed
from esm_operator.status.conditions import Outcome, Verdict
from esm_operator.status.failure import Disposition, Failure
from esm_operator.status.reason_table import message


@dataclass(frozen=True, slots=True)
class RefusedFields:
    """The fields of one member that AWS refused to change."""

    paths: tuple[str, ...]
    failure: Failure
    kept: bool
    """Whether all are removed from the spec and AWS refuses to reset them, so that it keeps them until an edit."""


def refused_fields(
    desired: Desired, found: Observed, failures: Mapping[frozenset[str], Failure]
) -> tuple[RefusedFields, ...]:
    """The fields that differ because AWS refused to change them; ``failures`` are by the set of members refused."""
    change, reset, _ = differences.differences(desired, found)
    refused: list[RefusedFields] = []
    for member in sorted(isolation.alone(failures)):
        paths = tuple(sorted(path for path in (*change, *reset) if BY_PATH[path].top == member))
        if paths:
            failure = failures[frozenset({member})]
            lasts = failure.reason == "RefusedByAWS" and failure.disposition.stalls
            refused.append(RefusedFields(paths, failure, kept=lasts and reset.issuperset(paths)))
    return tuple(refused)


def first_disposition(refused: Sequence[RefusedFields]) -> Disposition:
    """The disposition of the failure that is retried first."""
    return min((one.failure.disposition for one in refused), key=lambda disposition: disposition.value)


def outcome(refused: Sequence[RefusedFields], kept: str) -> Outcome:
    """The outcome for refused fields, at least one. ``kept`` is the message about other fields that AWS keeps."""
    first = next((one for one in refused if one.failure.disposition.stalls), refused[0])
    by_message: dict[str, list[str]] = {}
    for one in refused:
        by_message.setdefault(one.failure.message, []).extend(one.paths)
    return Outcome(
        Verdict.STALLED if first.failure.disposition.stalls else Verdict.IN_PROGRESS,
        first.failure.reason,
        " ".join(message("RefusedByAWS", "Fields", fields=paths, message=text) for text, paths in by_message.items()),
        synced=False,
        sync_message=message("RefusedByAWS", "Kept", kept_fields=kept) if kept else "",
        event=first.failure.reason,
    )
