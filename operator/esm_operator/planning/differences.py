"""The differences between a spec and a mapping, by field and by tag."""

from collections.abc import Mapping

from esm_operator.api import foreign_text, values
from esm_operator.api.fields import BY_PATH, FIELDS, IMMUTABLE_ACCESS_TYPES, Field
from esm_operator.api.values import Canonical
from esm_operator.planning.actions import Update
from esm_operator.planning.inputs import Desired, ObservedMapping


def immutable_changes(desired: Desired, found: ObservedMapping | None = None) -> tuple[str, ...]:
    """The immutable fields that differ from what this resource has applied, and from its mapping if that is known.

    A field of the mapping that has the desired value is no change: it was adopted so, or the status is wrong.
    """
    applied, wanted = desired.applied_immutable, immutable_texts(desired.values)
    if not applied:
        return ()
    changed = {path for path in wanted.keys() | applied.keys() if wanted.get(path) != applied.get(path)}
    changed = {path for path in changed if not desired.ignored.has_immutable(path)}
    if found is not None:
        has = immutable_texts(found.values)
        changed = {path for path in changed if wanted.get(path) != has.get(path)}
    return tuple(sorted(changed))


def immutable_texts(wanted: Mapping[str, Canonical]) -> dict[str, str]:
    """The immutable fields and their values, as ``status.applied.immutable`` has them."""
    texts = {row.path: values.text(wanted[row.path]) for row in FIELDS if row.immutable and row.path in wanted}
    fixed, _ = _split_access(wanted.get("sourceAccessConfigurations"))
    return texts | {f"sourceAccessConfigurations[{kind}]": uri for kind, uri in fixed}


def differences(
    desired: Desired, found: ObservedMapping
) -> tuple[dict[str, Canonical], frozenset[str], dict[str, Canonical]]:
    """The fields to set, the fields to reset, and their present values in AWS.

    Fields that are neither in the spec nor applied are left to AWS. Fields that ``ignoreChanges`` names are left to
    others.
    """
    change: dict[str, Canonical] = {}
    for row in FIELDS:
        wanted = desired.values.get(row.path)
        compared = wanted is not None and not row.immutable and not _is_hidden(row, found)
        if compared and not _same(row, wanted, found.values.get(row.path)):
            change[row.path] = wanted
    reset = to_reset(desired, found)
    return change, frozenset(reset), {path: found.values.get(path) for path in change} | reset


def to_reset(desired: Desired, found: ObservedMapping) -> dict[str, Canonical]:
    """The fields to reset to AWS's default, with the values that AWS has, by path."""
    return {
        path: observed
        for path, observed in left_over(desired, found).items()
        if path not in desired.kept and desired.source not in BY_PATH[path].unresettable
    }


def left_over(desired: Desired, found: ObservedMapping) -> dict[str, Canonical]:
    """The fields that the spec empties, or that it lacks and were applied, with their values in AWS, by path.

    Fields that have AWS's default are not among them.
    """
    left: dict[str, Canonical] = {}
    for path in sorted((desired.applied_fields | desired.emptied) - desired.values.keys() - desired.ignored.fields):
        row, observed = BY_PATH.get(path), found.values.get(path)
        if row is None or row.immutable or _is_hidden(row, found) or (path == "enabled" and observed is None):
            continue
        default = row.default(desired.source, queue_mode=desired.queue_mode) if desired.source else None
        if not values.equal(default, observed) and not _struct_gone(row, found):
            left[path] = observed
    return left


def _is_hidden(row: Field, found: ObservedMapping) -> bool:
    return row.path == "filterCriteria" and found.filters_hidden


def _same(row: Field, wanted: Canonical, observed: Canonical) -> bool:
    if observed is None:
        return bool(wanted is False) or (row.path == "enabled")
    if row.path == "sourceAccessConfigurations":
        return _split_access(wanted)[1] == _split_access(observed)[1]
    return values.equal(wanted, observed)


def _split_access(entries: Canonical) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Access configurations that never change, and the others."""
    pairs = [entry for entry in entries if isinstance(entry, tuple)] if isinstance(entries, tuple) else []
    fixed = [entry for entry in pairs if entry[0] in IMMUTABLE_ACCESS_TYPES]
    return fixed, [entry for entry in pairs if entry[0] not in IMMUTABLE_ACCESS_TYPES]


def _struct_gone(row: Field, found: ObservedMapping) -> bool:
    """Whether AWS has nothing of a structure, so that a part of it needs no reset."""
    return len(row.member) > 1 and not any(other.top == row.top and other.path in found.values for other in FIELDS)


def tag_changes(desired: Desired, tags: Mapping[str, str]) -> tuple[dict[str, str], frozenset[str]]:
    """The tags to set and the keys to remove. Tags that others have set are kept."""
    add = {key: value for key, value in desired.tags.items() if tags.get(key) != value}
    return add, frozenset(key for key in _left_over_tags(desired) if key in tags)


def _left_over_tags(desired: Desired) -> frozenset[str]:
    """The keys of tags that were applied, and that neither the spec nor the default tags have any more."""
    return frozenset(key for key in desired.applied_tags - desired.tags.keys() if not desired.ignored.has_tag(key))


def recorded_tags(desired: Desired) -> frozenset[str]:
    """The keys to record when AWS has the tags that are wanted. Ignored tags stay recorded if they were applied."""
    return frozenset(desired.tags) | {key for key in desired.applied_tags if desired.ignored.has_tag(key)}


def recorded_immutable(desired: Desired) -> dict[str, str]:
    """The immutable fields to record when AWS has them. Ignored ones stay recorded as they were applied."""
    kept = {key: text for key, text in desired.applied_immutable.items() if desired.ignored.has_immutable(key)}
    return immutable_texts(desired.values) | kept


def tags_edited(desired: Desired) -> bool:
    """Whether the tags in the spec differ from the tags in the status.

    Tags that were recorded before they were set count as different, because a killed operator may have set them or not.
    """
    if desired.known_tags is None:
        return True
    add, remove = tag_changes(desired, desired.known_tags)
    return bool(add or remove or _left_over_tags(desired))


def describe(update: Update) -> str:
    """The fields of an update with the beginnings of their old and new values."""
    changes = {path: shown(value) for path, value in update.change.items()}
    changes |= {path: "true" if path == "enabled" else "AWS's default" for path in update.reset}
    return ", ".join(f"{path}: {shown(update.old.get(path))} -> {new}" for path, new in sorted(changes.items()))


def describe_source(found: ObservedMapping) -> str:
    """The function and the source of a mapping, as AWS has them."""
    paths = ("functionName", "eventSourceARN", "topics", "queues")
    return ", ".join(f"{path} {shown(found.values[path])}" for path in paths if path in found.values)


def shown(value: Canonical) -> str:
    """A value in a message: one line of limited length."""
    return foreign_text.shown(values.text(value), foreign_text.VALUE)


def immutable_differences(desired: Desired, found: ObservedMapping) -> tuple[str, ...]:
    """The immutable fields that differ between the spec and an adopted mapping."""
    return tuple(
        row.path
        for row in FIELDS
        if row.immutable
        and (row.never_filled_in or desired.values.get(row.path) is not None)
        and found.values.get(row.path) is not None
        and not values.equal(desired.values.get(row.path), found.values[row.path])
    )
