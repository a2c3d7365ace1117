"""Fields that are gone from the spec and that AWS keeps: what is remembered of them, and what the resource shows.

Pure; used by the reconciler when nothing is left to send.
"""

from collections.abc import Mapping

from esm_operator.api import values
from esm_operator.api.fields import BY_PATH
from esm_operator.api.recorded_status import Kept
from esm_operator.api.values import Canonical
from esm_operator.planning import differences
from esm_operator.planning.state import Desired, Observed
from esm_operator.status import reason_table

#: The longest text by which a value is remembered, in characters: filter patterns can be long.
_LONGEST = 1_024


def as_text(value: Canonical) -> str:
    """A value the way ``status.applied.kept`` has it."""
    return values.text(value)[:_LONGEST]


def kept_fields(
    desired: Desired, found: Observed, noted: Mapping[str, Kept], refused: Mapping[str, str], generation: int
) -> dict[str, Kept]:
    """The fields that AWS keeps, by path.

    Args:
        desired: what the resource asks for.
        found: its mapping, of which nothing is left to change.
        noted: what was remembered before. A field stays in it while AWS has the same value.
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
