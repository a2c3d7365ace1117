"""The custom resource ProviderConfig, as a model: an AWS account, how to reach it, and who may use it."""

from typing import Annotated, Any

from pydantic import Field

from esm_operator.api.models import ConditionModel, Int64, Name, Structure, Tags, Word, Words, as_map


class LabelSelectorRequirement(Structure):
    """One requirement on labels."""

    key: Name
    """The label."""
    operator: Word
    """In, NotIn, Exists or DoesNotExist."""
    values: list[Name] | None = Field(None, max_length=256)
    """The values, for In and NotIn; none for the others."""


class LabelSelector(Structure):
    """Labels that a namespace has to have; all of what is said must hold."""

    match_labels: dict[str, Name] | None = None
    """Labels and the values that they must have."""
    match_expressions: list[LabelSelectorRequirement] | None = Field(None, max_length=64)
    """Requirements on labels."""


class ProviderConfigSpec(Structure):
    """An AWS account, how to reach it, and who may use it."""

    namespace_selector: LabelSelector | None = None
    """The namespaces whose resources may use it; all of them, if it is absent. A resource in another namespace is
    Stalled and never falls back to other credentials."""
    region: Word | None = None
    """The region of mappings that name none themselves, nor by their event source ARN."""
    allowed_regions: Words | None = None
    """The regions that mappings may be in; all of them, if it is absent."""
    role_arn: Name | None = None
    """The IAM role to assume; the operator's own credentials are used, if it is absent."""
    external_id: Name | None = None
    """The external id that the role asks for. Needs roleARN."""
    endpoint_url: Name | None = None
    """Where AWS's APIs are, all three that are used (Lambda, STS, resource groups tagging), such as a proxy or a test
    server; AWS's own, if absent."""
    default_tags: Tags | None = None
    """Tags of all mappings that use it, up to 46; a tag of the mapping itself goes before. Keys that begin with aws: or
    esm-operator.io/ are reserved."""
    ownership: Word | None = None
    """Where the owner of a mapping is recorded. Tags: in tags of the mapping. ResourceOnly: on the resource alone, for
    regions in which AWS takes no tags on event source mappings; the guarantees are weaker. Default: that of the
    operator (--ownership), which is Tags unless it is set."""


class ProviderConfigStatus(Structure):
    """What became of a ProviderConfig."""

    observed_generation: Int64 | None = None
    """The metadata.generation that this status was made on."""
    conditions: Annotated[list[ConditionModel], *as_map("type")] | None = None
    """InUse, once it is being deleted: the resources that still use it, for which it stays."""


class ProviderConfigModel(Structure):
    """The whole resource; its metadata are the API server's business."""

    api_version: str
    kind: str
    metadata: dict[str, Any]
    spec: ProviderConfigSpec
    status: ProviderConfigStatus | None = None
