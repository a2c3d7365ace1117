"""What differs between a spec and a mapping, field by field and tag by tag.

Pure; asked by the planner, and by the report for what is only told.
"""

from collections.abc import Mapping

from esm_operator.api import values
from esm_operator.api.fields import BY_PATH, FIELDS, IMMUTABLE_ACCESS_TYPES, Field
from esm_operator.api.values import Canonical
from esm_operator.planning.actions import Update
from esm_operator.planning.state import Desired, Observed


def immutable_changes(desired: Desired, found: Observed | None = None) -> tuple[str, ...]:
    """The immutable fields that differ from what this resource itself has applied.

    Args:
        desired: what the resource asks for.
        found: its mapping. What that has as it is wanted is no change, whatever was applied: it was adopted, or what
            was noted of it is wrong.
    """
    if not desired.applied_immutable:
        return ()
    wanted, has = immutable_texts(desired.values), immutable_texts(found.values) if found is not None else None
    paths = set(wanted) | set(desired.applied_immutable)
    return tuple(
        sorted(
            path
            for path in paths
            if wanted.get(path) != desired.applied_immutable.get(path)
            and (has is None or wanted.get(path) != has.get(path))
        )
    )


def immutable_texts(wanted: Mapping[str, Canonical]) -> dict[str, str]:
    """The immutable fields and their values as text, the way ``status.applied.immutable`` keeps them."""
    texts = {row.path: values.text(wanted[row.path]) for row in FIELDS if row.immutable and row.path in wanted}
    fixed, _ = _split_access(wanted.get("sourceAccessConfigurations"))
    return texts | {f"sourceAccessConfigurations[{kind}]": uri for kind, uri in fixed}


def differences(desired: Desired, found: Observed) -> tuple[dict[str, Canonical], frozenset[str], dict[str, Canonical]]:
    """The fields to set, the fields to reset, and what AWS has for them now.

    A field that is neither in the spec nor applied is AWS's own business.
    """
    change: dict[str, Canonical] = {}
    old: dict[str, Canonical] = {}
    for row in FIELDS:
        if row.immutable or _is_hidden(row, found):
            continue
        observed = found.values.get(row.path)
        wanted = desired.values.get(row.path)
        if wanted is not None and not same(row, wanted, observed):
            change[row.path] = wanted
            old[row.path] = observed
    reset = to_reset(desired, found)
    return change, frozenset(reset), old | reset


def to_reset(desired: Desired, found: Observed) -> dict[str, Canonical]:
    """The fields to put back to AWS's default, with the values that AWS has, by path."""
    return {
        path: observed
        for path, observed in left_over(desired, found).items()
        if path not in desired.kept and desired.source not in BY_PATH[path].unresettable
    }


def left_over(desired: Desired, found: Observed) -> dict[str, Canonical]:
    """The fields that were applied, are no longer in the spec, and whose value in AWS is not the default.

    Returns:
        the values that AWS has, by path.
    """
    queue_mode = desired.values.get("selfManagedKafkaEventSourceConfig.consumptionMode") == "Queue"
    left: dict[str, Canonical] = {}
    for path in sorted(desired.applied_fields - desired.values.keys()):
        row, observed = BY_PATH.get(path), found.values.get(path)
        if row is None or row.immutable or _is_hidden(row, found) or (path == "enabled" and observed is None):
            continue
        default = row.default(desired.source, queue_mode=queue_mode) if desired.source else None
        if not values.equal(default, observed) and not _struct_gone(row, found):
            left[path] = observed
    return left


def _is_hidden(row: Field, found: Observed) -> bool:
    """Whether AWS does not show what it has of a field."""
    return row.path == "filterCriteria" and found.filters_hidden


def same(row: Field, wanted: Canonical, observed: Canonical) -> bool:
    """Whether AWS has what the spec says for one field."""
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


def _struct_gone(row: Field, found: Observed) -> bool:
    """Whether AWS has nothing of a structure, so that a part of it needs no reset."""
    return len(row.member) > 1 and not any(other.top == row.top and other.path in found.values for other in FIELDS)


def tag_changes(desired: Desired, tags: Mapping[str, str]) -> tuple[dict[str, str], frozenset[str]]:
    """The tags to set and the keys to take off; tags that others put there stay."""
    add = {key: value for key, value in desired.tags.items() if tags.get(key) != value}
    remove = frozenset(key for key in desired.applied_tags if key not in desired.tags and key in tags)
    return add, remove


def tags_edited(desired: Desired) -> bool:
    """Whether the tags in the spec differ from the tags in the status.

    Tags that were noted before they were set count as different: if the operator was killed then, AWS may have set
    them or not.
    """
    known = desired.known_tags
    if known is None:
        return True
    add, remove = tag_changes(desired, known)
    return bool(add or remove or desired.applied_tags - desired.tags.keys())


def describe(update: Update) -> str:
    """The fields of an update with their old and new values, for events and logs."""
    changes = {path: values.text(value) for path, value in update.change.items()}
    changes |= {path: "true" if path == "enabled" else "AWS's default" for path in update.reset}
    return ", ".join(f"{path}: {values.text(update.old.get(path))} -> {new}" for path, new in sorted(changes.items()))


def describe_source(found: Observed) -> str:
    """The function of a mapping and what it reads from, as AWS has them."""
    paths = ("functionName", "eventSourceARN", "topics", "queues")
    return ", ".join(f"{path} {values.text(found.values[path])}" for path in paths if path in found.values)


def immutable_differences(desired: Desired, found: Observed) -> tuple[str, ...]:
    """The immutable fields that differ between the spec and the mapping: it was adopted so."""
    return tuple(
        row.path
        for row in FIELDS
        if row.immutable
        and (row.never_filled_in or desired.values.get(row.path) is not None)
        and found.values.get(row.path) is not None
        and not values.equal(desired.values.get(row.path), found.values[row.path])
    )
