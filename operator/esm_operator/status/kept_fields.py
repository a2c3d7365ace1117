"""Kept fields: fields that were removed from the spec and whose values AWS keeps."""

from collections.abc import Mapping

from esm_operator.api import values
from esm_operator.api.fields import BY_PATH
from esm_operator.api.recorded_status import Kept
from esm_operator.api.values import Canonical
from esm_operator.planning import differences
from esm_operator.planning.state import Desired, Observed
from esm_operator.status import reason_table

#: Characters of a value in the status. Filter patterns can be longer.
_LONGEST = 1_024


def as_text(value: Canonical) -> str:
    """A value as ``status.applied.kept`` has it."""
    return values.text(value)[:_LONGEST]


def kept_fields(
    desired: Desired, found: Observed, noted: Mapping[str, Kept], refused: Mapping[str, str], generation: int
) -> dict[str, Kept]:
    """The fields that AWS keeps, by path.

    Args:
        desired: the desired state.
        found: the mapping, which needs no more changes.
        noted: the kept fields in the status. A field remains while AWS has the same value.
        refused: fields that AWS has just refused to reset, with its sentence.
        generation: metadata.generation of the spec.
    """
    kept: dict[str, Kept] = {}
    for path, value in differences.left_over(desired, found).items():
        text, before = as_text(value), noted.get(path)
        if path in refused:
            kept[path] = Kept(text, refused[path], generation)
        elif before is not None and before.value == text:
            kept[path] = before
        elif before is None and desired.source in BY_PATH[path].unresettable:
            kept[path] = Kept(text)
    return kept


def message(kept: Mapping[str, Kept]) -> str:
    """The message about such fields; empty if there are none."""
    if not kept:
        return ""
    by_sentence: dict[str, list[str]] = {}
    for path, one in sorted(kept.items()):
        if one.message:
            by_sentence.setdefault(one.message, []).append(path)
    refused = [
        reason_table.message("KeptByAWS", "Refused", fields=paths, sentence=sentence)
        for sentence, paths in by_sentence.items()
    ]
    return reason_table.message("KeptByAWS", fields=sorted(kept), refused="".join(refused))
