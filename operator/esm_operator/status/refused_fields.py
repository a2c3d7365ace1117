"""What a resource shows of an Update that AWS refused in part: which fields, why, and what to do.

Pure; used by the reconciler when nothing is left to send.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

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
    """Whether all of them are gone from the spec, and AWS refuses the reset for its content: AWS keeps the values, and
    only an edit can change that."""


def refused_fields(
    desired: Desired, found: Observed, failures: Mapping[frozenset[str], Failure]
) -> tuple[RefusedFields, ...]:
    """What AWS has otherwise than it should, because it refused to change it.

    Args:
        desired: what the resource asks for.
        found: its mapping.
        failures: the sets of members that AWS refused.
    """
    change, reset, _ = differences.differences(desired, found)
    refused: list[RefusedFields] = []
    for member in sorted(isolation.alone(failures)):
        paths = tuple(sorted(path for path in (*change, *reset) if BY_PATH[path].top == member))
        if paths:
            failure = failures[frozenset({member})]
            refused.append(RefusedFields(paths, failure, reset.issuperset(paths) and _is_about_content(failure)))
    return tuple(refused)


def _is_about_content(failure: Failure) -> bool:
    """Whether AWS refuses what is asked for, and nothing that can heal by itself stands in the way."""
    return failure.reason == "RefusedByAWS" and failure.disposition.stalls


def first_disposition(refused: Sequence[RefusedFields]) -> Disposition:
    """When to try again: as soon as any of the refusals may have healed."""
    return min((one.failure.disposition for one in refused), key=lambda disposition: disposition.value)


def outcome(refused: Sequence[RefusedFields], kept: str) -> Outcome:
    """What a resource shows whose fields AWS refused.

    Args:
        refused: the fields; at least one.
        kept: what is shown of other fields that AWS keeps; empty: there are none.
    """
    first = next((one for one in refused if one.failure.disposition.stalls), refused[0])
    by_message: dict[str, list[str]] = {}
    for one in refused:
        by_message.setdefault(one.failure.message, []).extend(one.paths)
    shown = Outcome(
        Verdict.STALLED if first.failure.disposition.stalls else Verdict.IN_PROGRESS,
        first.failure.reason,
        " ".join(message("RefusedByAWS", "Fields", fields=paths, message=text) for text, paths in by_message.items()),
        synced=False,
        event=first.failure.reason,
    )
    if not kept:
        return shown
    return replace(shown, sync_message=message("RefusedByAWS", "Kept", kept_fields=kept))
