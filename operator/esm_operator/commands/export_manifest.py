"""Manifests that adopt existing mappings with their present values.

A manifest has all values that AWS answers, also those that equal AWS's default, so that the operator corrects them when
they change. A comment names the fields and tags that are left out. The adoption has the UUID and the policy Required,
so that a manifest that is applied by mistake creates no mapping.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from esm_operator.api import fields, limits, names
from esm_operator.api.fields import FIELDS, STATUS_MEMBERS
from esm_operator.api.models import API_VERSION
from esm_operator.api.observed_fields import function_name, is_unknown_default, point_in_time
from esm_operator.api.references import Reference
from esm_operator.api.sources import SourceType, observed_source_type, parse_arn
from esm_operator.commands import yaml_text
from esm_operator.planning.ownership import OWNER_TAGS, owner_of
from esm_operator.settings import Items, is_namespace

_STACK = "aws:cloudformation:stack-name"
_KNOWN = frozenset({*STATUS_MEMBERS, "ResponseMetadata", *(row.top for row in FIELDS)})
#: The longest name of a resource without the UUID.
_LONGEST_NAME = 200
#: The positions of names in the resource part of an ARN, which is split at "/" and ":".
_NAMED: Mapping[SourceType, tuple[int, ...]] = {
    SourceType.SQS: (0,),
    SourceType.KINESIS: (1, 3),
    SourceType.DYNAMODB: (1,),
    SourceType.MSK: (1,),
    SourceType.MQ: (1,),
    SourceType.DOCUMENTDB: (1,),
}


@dataclass(frozen=True, slots=True)
class MappingsToExport:
    """A mapping as AWS returns it, and its tags."""

    mapping: Mapping[str, Any]
    tags: Mapping[str, str]

    @property
    def uuid(self) -> str:
        return str(self.mapping["UUID"])


class Style(BaseModel):
    """The flags of the command about the content of manifests."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    namespace: Annotated[str, AfterValidator(is_namespace)] = ""
    """Namespace in the manifests. Default: none. Then `kubectl apply --namespace` sets it."""

    provider_config: str = ""
    """ProviderConfig in the manifests. Default: none."""

    management_policy: Literal["Full", "Observe"] = "Full"
    """Management policy in the manifests. With Observe, the operator reports differences and changes nothing in AWS
    until you remove managementPolicy."""

    deletion_policy: Literal["Delete", "Retain"] = "Delete"
    """Deletion policy in the manifests. With Retain, the mapping remains in AWS when its resource is deleted."""

    omit_defaults: bool = False
    """Leave out fields with AWS's default value. A comment in the manifest names them. The operator does not correct a
    field that is not in its manifest."""

    without_tags: Items = Field(default_factory=list[str])
    """Patterns of tag keys to leave out, such as `crossplane-*`. Tags of AWS and of the operator are always left
    out."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """One manifest, and comments about the mapping."""

    remark: str
    body: Mapping[str, Any]
    left_out: tuple[str, ...] = ()
    """Sentences about the fields and tags of the mapping that the manifest does not have."""
    function_arn: str = ""
    """The ARN of the function. The manifest may have only its name."""
    references: tuple[Reference, ...] = ()
    """The references that the manifest has."""
    about_references: tuple[str, ...] = ()
    """Sentences about references that the manifest has, or could have."""

    @property
    def namespace(self) -> str:
        """Empty: the manifest has none."""
        return str(self.body["metadata"].get("namespace", ""))

    def render(self) -> str:
        """The manifest as one YAML document. Raises UnwritableError."""
        return yaml_text.document(self.body, (self.remark, *self.left_out, *self.about_references))


@dataclass(frozen=True, slots=True)
class _Values:
    """The values of a mapping that its manifest has, and those that it does not have."""

    kept: tuple[tuple[fields.Field, Any], ...]
    left_out: Mapping[str, list[str]]
    """The paths of fields, by the reason."""

    @classmethod
    def of(cls, mapping: Mapping[str, Any], style: Style) -> Self:
        source = observed_source_type(mapping)
        queue_mode = fields.at(mapping, ("SelfManagedKafkaEventSourceConfig", "ConsumptionMode")) == "Queue"
        enabled = fields.observed_values(mapping).get("enabled")  # unknown in the states Creating and Updating
        kept = list[tuple[fields.Field, Any]]()
        left_out = dict[str, list[str]]()
        for row in FIELDS:
            value = enabled if row.path == "enabled" else fields.at(mapping, row.member)
            reason = ""
            if row.path == "enabled":
                reason = "" if enabled is not None else f"the state {mapping.get('State')} does not show the value"
            elif value is None or (row.canonical(value) is None and value != []):
                continue
            elif is_unknown_default(row, value, source):
                reason = "AWS answers 0 for a default that cannot be set"
            elif style.omit_defaults and _is_default(row, value, source, queue_mode=queue_mode):
                reason = "the value is AWS's default"
            if reason:
                left_out.setdefault(reason, []).append(row.path)
            else:
                kept.append((row, value))
        return cls(tuple(kept), left_out)


def manifests(found: Sequence[MappingsToExport], style: Style) -> list[Manifest]:
    """The manifests of mappings, sorted by name. All names are different."""
    called = {one.uuid: name_of(one.mapping) for one in found}
    times = Counter(called.values())
    for uuid, name in called.items():
        if times[name] > 1 or len(name) > _LONGEST_NAME:
            called[uuid] = f"{name[:_LONGEST_NAME].rstrip('-')}-{uuid[:8].lower()}"
    made = [_manifest(one, called[one.uuid], style) for one in found]
    return sorted(made, key=lambda one: str(one.body["metadata"]["name"]))


def unknown_members(mapping: Mapping[str, Any]) -> frozenset[str]:
    """The members of AWS's answer that this version of the operator does not know."""
    return frozenset(mapping) - _KNOWN


def name_of(mapping: Mapping[str, Any]) -> str:
    """A name for the resource of a mapping, made of the names of its function and its source."""
    function = re.sub(r".*:function:", "", str(mapping.get("FunctionArn", ""))).removesuffix(":$LATEST")
    parts = (function, *_source_names(mapping))
    slugs = dict.fromkeys(re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") for part in parts)
    return "-".join(filter(None, slugs)) or "mapping"


def spec_of(found: MappingsToExport, style: Style) -> dict[str, Any]:
    """The spec with the present values of a mapping."""
    mapping = found.mapping
    spec: dict[str, Any] = {"functionName": function_name(mapping)}
    for row, value in _Values.of(mapping, style).kept:
        *parents, last = row.path.split(".")
        place = spec
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = point_in_time(value) if isinstance(value, datetime) else names.to_kubernetes(value)
    tags = {key: value for key, value in sorted(found.tags.items()) if not _is_left_out(key, style)}
    region = parse_arn(str(mapping.get("EventSourceMappingArn", "")))
    self_managed = observed_source_type(mapping) is SourceType.SELF_MANAGED_KAFKA
    owner = owner_of(found.tags)
    rest = {
        "tags": tags,
        "region": region.region if region is not None and self_managed else "",
        "providerConfigRef": {"name": style.provider_config} if style.provider_config else None,
        "managementPolicy": style.management_policy if style.management_policy != "Full" else "",
        "deletionPolicy": style.deletion_policy if style.deletion_policy != "Delete" else "",
        "adoption": {"policy": "Required", "uuid": found.uuid} | ({"takeOverFrom": str(owner)} if owner else {}),
    }
    return spec | {name: value for name, value in rest.items() if value}


def _is_left_out(key: str, style: Style) -> bool:
    """Whether the manifest does not have a tag."""
    return bool(re.match(limits.RESERVED_TAG_KEY, key)) or any(
        fnmatchcase(key, pattern) for pattern in style.without_tags
    )


def _left_out(found: MappingsToExport, style: Style) -> Iterator[str]:
    """Sentences about what the manifest does not have. The remark names the owner, so owner tags are not mentioned."""
    for reason, paths in _Values.of(found.mapping, style).left_out.items():
        them = "it" if len(paths) == 1 else "them"
        yield f"{', '.join(paths)}: left out, because {reason}. The operator does not correct {them}."
    tags = sorted(key for key in found.tags if _is_left_out(key, style) and key not in OWNER_TAGS)
    if tags:
        yield f"tags: left out are {', '.join(tags)}. The operator does not change them."


def _manifest(found: MappingsToExport, name: str, style: Style) -> Manifest:
    owner = owner_of(found.tags)
    namespace = style.namespace or (owner.namespace if owner else "")
    metadata = {"name": owner.name if owner else name} | ({"namespace": namespace} if namespace else {})
    remark = [str(found.mapping.get("EventSourceMappingArn") or found.uuid), str(found.mapping.get("State", ""))]
    remark += [f"owned by {owner}"] if owner else []
    remark += [f"in the CloudFormation stack {found.tags[_STACK]}"] if _STACK in found.tags else []
    body: dict[str, Any] = {"apiVersion": API_VERSION, "kind": "EventSourceMapping", "metadata": metadata}
    body["spec"] = spec_of(found, style)
    arn = str(found.mapping.get("FunctionArn", ""))
    return Manifest(", ".join(remark), body, tuple(_left_out(found, style)), arn)


def _is_default(row: fields.Field, value: Any, source: SourceType | None, *, queue_mode: bool) -> bool:
    """Whether a field can be left out because it has AWS's default.

    A part of a structure cannot be left out, because the structure can then be missing.
    """
    if source is None or len(row.member) > 1:
        return False
    return bool(row.canonical(value) == row.default(source, queue_mode=queue_mode))


def _source_names(mapping: Mapping[str, Any]) -> Iterator[str]:
    source, arn = observed_source_type(mapping), parse_arn(str(mapping.get("EventSourceArn") or ""))
    if source is not None and arn is not None:
        parts = re.split(r"[/:]", arn.resource)
        yield from (parts[place] for place in _NAMED[source] if place < len(parts))
    yield from mapping.get("Topics") or mapping.get("Queues") or ()
    database: Mapping[str, Any] = mapping.get("DocumentDBEventSourceConfig") or {}
    yield from (database[member] for member in ("DatabaseName", "CollectionName") if database.get(member))
