"""The values in AWS of ignored fields and tags (``spec.ignoreChanges``), and a Create with these values.

The operator leaves these fields and tags to others. If it creates the mapping again, the new mapping gets the values
that the old one had in AWS, instead of those of the spec. Otherwise a replacement would undo the changes of others. AWS
does not return the values of a deleted mapping. So the operator keeps them in ``status.applied.ignored``, and writes
them there before it deletes a mapping to replace it.
"""

import copy
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from esm_operator.api import fields, names
from esm_operator.api.fields import BY_PATH, Field
from esm_operator.api.frozen_json import is_object, whole
from esm_operator.api.ignore_changes import TAG, IgnoredChanges
from esm_operator.api.nested_json import without_deep_parts
from esm_operator.api.sources import ARN_SERVICES, SourceType, parse_arn
from esm_operator.api.spec import MappingSpec
from esm_operator.planning.allowed import Scope
from esm_operator.planning.inputs import Creation, Desired, ObservedMapping

_DESTINATION, _ENABLED = "destinationConfig.onFailure.destination", "enabled"


def still_ignored(ignored: IgnoredChanges, recorded: Mapping[str, str]) -> dict[str, str]:
    """The recorded values of fields and tags that are still ignored."""

    def holds(key: str) -> bool:
        return ignored.has_tag(key.removeprefix(TAG)) if key.startswith(TAG) else key in ignored.fields

    return {key: text for key, text in recorded.items() if holds(key)}


def left_values(desired: Desired, found: ObservedMapping, recorded: Mapping[str, str]) -> dict[str, str]:
    """The values of ignored fields and tags, as ``status.applied.ignored`` has them.

    The recorded value of a field that AWS does not show now is kept. If AWS itself has disabled the mapping,
    ``enabled`` is left out, because no other user has set it.

    Args:
        desired: the resource.
        found: its own mapping.
        recorded: the present record.
    """
    left = still_ignored(desired.ignored, recorded)
    if found.state == "Deleting":
        return left
    if found.disabled_because:
        left.pop(_ENABLED, None)
    left |= {path: _text(value) for path, value in _observed(desired, found)}
    if found.tags is not None and desired.owner_tags:
        known = {*found.tags, *desired.creation.tag_keys, *desired.ignored.tags}
        left = {key: text for key, text in left.items() if not key.startswith(TAG)}
        left |= {f"{TAG}{key}": _text(found.tags.get(key)) for key in known if desired.ignored.has_tag(key)}
    return left


def _observed(desired: Desired, found: ObservedMapping) -> Iterator[tuple[str, Any]]:
    """The ignored fields that AWS shows, with their values in AWS's spelling. The value None: AWS has no value."""
    for path in desired.ignored.fields:
        row = BY_PATH[path]
        if desired.source is None or desired.source not in row.sources:
            continue
        if path == _ENABLED:
            if not found.disabled_because and _ENABLED in found.values:
                yield path, found.values[_ENABLED]
        elif path != "filterCriteria" or not found.filters_hidden:
            value = fields.at(found.answer, row.member)
            has_no_value = row.canonical(value) is None or (not value and desired.source in row.unresettable)
            yield path, None if has_no_value else value


def _text(value: Any) -> str:
    """A value of AWS as JSON in Kubernetes' spelling, as the API server stores it."""
    return whole(json.dumps(names.to_kubernetes(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False))


def creation(
    spec: MappingSpec,
    tags: Mapping[str, str],
    recorded: Mapping[str, str],
    *,
    replaces: Mapping[str, str],
    scope: Scope,
    default_tags: Collection[str] = (),
) -> Creation:
    """The parameters and the tags of a Create for a spec.

    Users who may patch statuses can write any text into the record. A text that the operator cannot have written counts
    as not recorded.

    Args:
        spec: the spec.
        tags: all tags of the spec, of the target and of the owner.
        recorded: ``status.applied.ignored``.
        replaces: the immutable fields of the mapping that existed before, as ``status.applied.immutable`` has them.
            If its source type differs, only the recorded value of ``enabled`` is used.
        scope: the allow-lists. A recorded destination that they do not allow counts as not recorded.
        default_tags: the keys of the default tags. Each new mapping has these tags, even if the record has none. Others
            can remove them after that.
    """
    keys = frozenset(tags)
    left = still_ignored(spec.ignored, recorded) if recorded else {}
    if not left:
        return Creation(spec.parameters, spec.values, tags, frozenset(spec.values), keys)
    known = {key: value for key, text in left.items() if (value := _loaded(text)) is not _UNREADABLE}
    values = {path: value for path, value in known.items() if path in BY_PATH and _has_canonical_form(path, value)}
    if _source_type(replaces) not in (None, spec.source):
        values = {path: value for path, value in values.items() if path == _ENABLED}
    parameters = _with_values(spec.parameters, values)
    canonical = fields.present_values(parameters)
    if scope.refusal(canonical) is not None and values.pop(_DESTINATION, None) is not None:
        parameters = _with_values(spec.parameters, values)
        canonical = fields.present_values(parameters)
    kept = {key.removeprefix(TAG): value for key, value in known.items() if key.startswith(TAG)}
    removed = {key for key, value in kept.items() if value is None} - {*default_tags}
    new_tags = {key: value for key, value in tags.items() if key not in removed}
    new_tags |= {key: value for key, value in kept.items() if isinstance(value, str)}
    return Creation(parameters, canonical, new_tags, frozenset(spec.values), keys)


def _has_canonical_form(path: str, value: Any) -> bool:
    """Whether a field can have a value. A value of another type has no canonical form, or one without a hash."""
    try:
        hash(BY_PATH[path].canonical(names.to_aws(value)))
    except (AttributeError, LookupError, TypeError):
        return False
    return True


def _source_type(immutable: Mapping[str, str]) -> SourceType | None:
    """The source type of the mapping with these immutable fields; None: not known."""
    arn = parse_arn(immutable.get("eventSourceARN", ""))
    if arn is not None:
        return ARN_SERVICES.get(arn.service)
    self_managed = "selfManagedEventSource.endpoints.KAFKA_BOOTSTRAP_SERVERS" in immutable
    return SourceType.SELF_MANAGED_KAFKA if self_managed else None


def _with_values(parameters: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters in AWS's spelling with other values of some fields. None removes a field."""
    result = copy.deepcopy(dict(parameters))
    for path, value in values.items():
        _put(result, BY_PATH[path], names.to_aws(value))
    return result


def _put(parameters: dict[str, Any], row: Field, value: Any) -> None:
    holders = [parameters]
    for name in row.member[:-1]:
        inner = holders[-1].get(name)
        if not is_object(inner):
            if value is None:
                return
            inner = holders[-1][name] = {}
        holders.append(inner)
    if value is not None:
        holders[-1][row.member[-1]] = value
        return
    holders[-1].pop(row.member[-1], None)
    for depth in range(len(holders) - 1, 0, -1):
        if not holders[depth]:
            del holders[depth - 1][row.member[depth - 1]]


#: The result of :func:`_loaded` for a text that the operator has not written.
_UNREADABLE = object()


def _loaded(text: str) -> Any:
    raw = text.encode()
    if without_deep_parts(raw) != raw:
        return _UNREADABLE
    try:
        return json.loads(raw)
    except ValueError:
        return _UNREADABLE
