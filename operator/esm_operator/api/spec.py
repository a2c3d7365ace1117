"""The spec of an EventSourceMapping as a frozen dataclass: read from JSON in this module only."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from esm_operator.api import fields, identity, names, references
from esm_operator.api.identity import ConsumerGroup, Identity
from esm_operator.api.ignore_changes import NOTHING, IgnoredChanges
from esm_operator.api.reference_kinds import SOURCE, VALUE_PATHS, kind_of
from esm_operator.api.source_names import source_name
from esm_operator.api.sources import ARN_SERVICES, SourceType, parse_arn
from esm_operator.api.values import Canonical

#: Fields of the spec that are the operator's own, not AWS's.
OWN_FIELDS = frozenset(
    {
        "region",
        "providerConfigRef",
        "deletionPolicy",
        "managementPolicy",
        "replacePolicy",
        "adoption",
        "outputs",
        "tags",
        "ignoreChanges",
    }
)
#: References at the top of the spec, which replace fields of AWS. Other references are parts of fields of AWS.
REFERENCE_FIELDS = frozenset(field for field in VALUE_PATHS if "." not in field)


class RequestedTarget(NamedTuple):
    """The region and the ProviderConfig that a spec names; empty: none."""

    region: str = ""
    config: str = ""


class FormerOwner(NamedTuple):
    """The resource that ``takeOverFrom`` names, as NAMESPACE/NAME or CLUSTER/NAMESPACE/NAME.

    A namespace may have the name of a cluster, so only the number of parts shows whether the first is a cluster.
    """

    cluster: str
    """Empty: the cluster of the operator."""
    namespace: str
    name: str

    @classmethod
    def parse(cls, text: str) -> "FormerOwner | None":
        """None: the text is empty or names no resource."""
        parts = text.split("/")
        return cls(*["", *parts][-3:]) if len(parts) in (2, 3) else None

    def is_in(self, cluster: str) -> bool:
        """Whether the resource is in a cluster, which is the operator's own."""
        return self.cluster in ("", cluster)


@dataclass(frozen=True, slots=True)
class Adoption:
    """``spec.adoption``."""

    policy: str = "Never"
    uuid: str = ""
    """In lower case."""
    take_over_from: str = ""

    @property
    def allowed(self) -> bool:
        """Whether a mapping that exists already may be adopted."""
        return self.policy in ("IfExists", "Required")

    def takes_over_from(self, cluster: str, owner: str) -> bool:
        """Whether ``takeOverFrom`` names an owner.

        Args:
            cluster: the operator's ``cluster_name``, which ``takeOverFrom`` may leave out.
            owner: the owner as CLUSTER/NAMESPACE/NAME.
        """
        named = FormerOwner.parse(self.take_over_from)
        return named is not None and owner == f"{named.cluster or cluster}/{named.namespace}/{named.name}"


@dataclass(frozen=True)
class MappingSpec:
    """The spec of an EventSourceMapping. Slow properties are computed when they are first read."""

    function_name: str
    source: SourceType | None
    """None: the spec names no source that is known."""
    region: str
    """``region``, or the region in the ARN of its source; empty: none."""
    provider_config: str
    """The name of the ProviderConfig; empty: none."""
    tags: Mapping[str, str]
    adoption: Adoption
    retain: bool
    """Whether ``deletionPolicy`` is Retain."""
    observe_only: bool
    """Whether ``managementPolicy`` is Observe."""
    recreate: bool
    """Whether ``replacePolicy`` is Recreate."""
    config_map: str
    """The name of the ConfigMap for ``outputs``; empty: none."""
    raw: Mapping[str, Any] = field(repr=False)

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> "MappingSpec":
        """From the spec of an object, whose types the API server or ``esm-operator validate`` has checked."""
        arn = parse_arn(str(raw.get("eventSourceARN") or ""))
        if arn is not None:
            source = ARN_SERVICES.get(arn.service)
        else:
            source = SourceType.SELF_MANAGED_KAFKA if raw.get("selfManagedEventSource") else _source_of_kind(raw)
        config: Mapping[str, Any] = raw.get("providerConfigRef") or {}
        adoption: Mapping[str, Any] = raw.get("adoption") or {}
        outputs: Mapping[str, Any] = raw.get("outputs") or {}
        return cls(
            function_name=str(raw.get("functionName", "")),
            source=source,
            region=str(raw.get("region") or (arn.region if arn is not None else "")),
            provider_config=str(config.get("name") or ""),
            tags=raw.get("tags") or {},
            adoption=Adoption(
                policy=str(adoption.get("policy") or "Never"),
                uuid=str(adoption.get("uuid") or "").lower(),
                take_over_from=str(adoption.get("takeOverFrom") or ""),
            ),
            retain=raw.get("deletionPolicy") == "Retain",
            observe_only=raw.get("managementPolicy") == "Observe",
            recreate=raw.get("replacePolicy") == "Recreate",
            config_map=str(outputs.get("configMapName") or ""),
            raw=raw,
        )

    @property
    def requested_target(self) -> RequestedTarget:
        return RequestedTarget(sys.intern(self.region), sys.intern(self.provider_config))

    @cached_property
    def parameters(self) -> Mapping[str, Any]:
        """AWS's fields in AWS's spelling: the parameters of CreateEventSourceMapping without tags."""
        plain = references.without_references(self.raw)
        own = {name: value for name, value in plain.items() if name not in OWN_FIELDS and value is not None}
        return names.to_aws(own)

    @cached_property
    def values(self) -> Mapping[str, Canonical]:
        """The fields that are set, by path, in canonical form. An empty value is one that is not set."""
        return fields.present_values(self.parameters)

    @cached_property
    def emptied(self) -> frozenset[str]:
        """The fields that are set to an empty value. They are to have AWS's default."""
        return fields.emptied(self.parameters)

    @property
    def source_name(self) -> str:
        """The short name of the source; empty: the spec names no source that is known."""
        return source_name(self.raw)

    @cached_property
    def identity(self) -> Identity:
        return identity.of_mapping(self.parameters)

    @cached_property
    def consumer_group(self) -> ConsumerGroup | None:
        return identity.consumer_group(self.parameters)

    @property
    def ignored(self) -> IgnoredChanges:
        """The fields and tags that ``ignoreChanges`` leaves to others."""
        entries = self.raw.get("ignoreChanges")
        return IgnoredChanges.parse(map(str, entries)) if entries else NOTHING

    @property
    def filter_patterns(self) -> list[str]:
        """The patterns of ``filterCriteria``."""
        criteria: Mapping[str, Any] = self.raw.get("filterCriteria") or {}
        filters: list[Mapping[str, Any]] = criteria.get("filters") or []
        return [str(item.get("pattern")) for item in filters]

    @property
    def starting_position_timestamp(self) -> str:
        """``startingPositionTimestamp``; empty: it is not set."""
        return str(self.raw.get("startingPositionTimestamp") or "")


def _source_of_kind(raw: Mapping[str, Any]) -> SourceType | None:
    """The source type that the kind of ``eventSourceRef`` shows before the reference has a value; None: not known."""
    reference: Mapping[str, Any] = raw.get(SOURCE) or {}
    row = kind_of(str(reference.get("apiVersion") or ""), str(reference.get("kind") or ""))
    return row.source if row is not None and not reference.get("fieldPath") else None
