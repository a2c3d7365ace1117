"""Refused fields, which AWS refused to change, and kept fields, which the spec no longer sets but AWS keeps."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from esm_operator.api import values
from esm_operator.api.fields import BY_PATH
from esm_operator.api.frozen_json import whole
from esm_operator.api.recorded_status import Kept
from esm_operator.api.values import Canonical
from esm_operator.planning import differences, isolation
from esm_operator.planning.inputs import Desired, ObservedMapping
from esm_operator.status.conditions import Outcome, Verdict
from esm_operator.status.failure import Disposition, Failure
from esm_operator.status.reason_table import Ends
from esm_operator.status.rendering import ends_of, message, message_of_failure, stalls
from esm_operator.status.subject import Subject

#: Characters of a value in the status. Filter patterns can be longer.
_LONGEST = 1_024
#: Which of several refusals decides the reason of Ready.
_FIRST = (Ends.PERSON, Ends.PERMISSION, Ends.ITSELF)


def as_text(value: Canonical) -> str:
    """A value as ``status.applied.kept`` has it, after the API server has stored it."""
    return whole(values.text(value))[:_LONGEST]


def kept_fields(
    desired: Desired, found: ObservedMapping, noted: Mapping[str, Kept], refused: Mapping[str, str], generation: int
) -> dict[str, Kept]:
    """The fields that AWS keeps, by path. A field that is ``noted`` remains while AWS has the same value.

    ``refused`` are fields that AWS has just refused to reset, with its sentence. ``found`` needs no more changes.
    """
    left = differences.left_over(desired, found)
    kept = still_kept(left, noted)
    for path, value in left.items():
        if path in refused:
            kept[path] = Kept(as_text(value), refused[path], generation)
        elif path not in noted and desired.source in BY_PATH[path].unresettable:
            kept[path] = Kept(as_text(value))
    return kept


def still_kept(left: Mapping[str, Canonical], noted: Mapping[str, Kept]) -> dict[str, Kept]:
    """The ``noted`` fields whose values AWS still has, by path. ``left``: see :func:`differences.left_over`."""
    return {path: noted[path] for path, value in left.items() if path in noted and noted[path].value == as_text(value)}


def kept_message(kept: Mapping[str, Kept], subject: Subject) -> str:
    """The message about kept fields; empty if there are none."""
    if not kept:
        return ""
    refused = _by_text((one.message, [path]) for path, one in sorted(kept.items()) if one.message)
    texts = [message("KeptByAWS", "Refused", fields=paths, sentence=text) for text, paths in refused.items()]
    return message("KeptByAWS", subject=subject, fields=sorted(kept), refused="".join(texts))


@dataclass(frozen=True, slots=True)
class RefusedFields:
    """The fields of one member that AWS refused to change."""

    paths: tuple[str, ...]
    failure: Failure
    kept: bool
    """Whether all are removed from the spec and AWS refuses to reset them, so that it keeps them until an edit."""


def refused_fields(
    desired: Desired, found: ObservedMapping, failures: Mapping[frozenset[str], Failure]
) -> tuple[RefusedFields, ...]:
    """The fields that differ because AWS refused to change them; ``failures`` are by the set of members refused."""
    change, reset, _ = differences.differences(desired, found)
    refused: list[RefusedFields] = []
    for member in sorted(isolation.alone(failures)):
        paths = tuple(sorted(path for path in (*change, *reset) if BY_PATH[path].top == member))
        if paths:
            failure = failures[frozenset({member})]
            lasts = failure.reason == "RefusedByAWS" and stalls(failure)
            refused.append(RefusedFields(paths, failure, kept=lasts and reset.issuperset(paths)))
    return tuple(refused)


def first_disposition(refused: Sequence[RefusedFields]) -> Disposition:
    """The disposition of the failure that is retried first."""
    return min((one.failure.disposition for one in refused), key=lambda disposition: disposition.value)


def refused_outcome(refused: Sequence[RefusedFields], kept: str, subject: Subject) -> Outcome:
    """The outcome for refused fields, at least one. ``kept`` is the message about other fields that AWS keeps."""
    first = min((one.failure for one in refused), key=lambda failure: _FIRST.index(ends_of(failure)))
    by_text = _by_text((message_of_failure(one.failure, subject), one.paths) for one in refused)
    return Outcome(
        Verdict.STALLED if stalls(first) else Verdict.IN_PROGRESS,
        first.reason,
        " ".join(message("RefusedByAWS", "Fields", fields=paths, message=text) for text, paths in by_text.items()),
        synced=False,
        sync_message=message("RefusedByAWS", "Kept", subject=subject, kept_fields=kept) if kept else "",
        event=first.reason,
        subject=subject,
    )


def _by_text(pairs: Iterable[tuple[str, Iterable[str]]]) -> Mapping[str, list[str]]:
    """All paths that a text is about, by text."""
    found = defaultdict[str, list[str]](list)
    for text, paths in pairs:
        found[text].extend(paths)
    return found
