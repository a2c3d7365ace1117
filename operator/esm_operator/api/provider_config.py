"""The custom resource ProviderConfig as a model: an AWS account, its credentials, and the allowed namespaces."""

from typing import Annotated, Any

from pydantic import Field

from esm_operator.api.models import ConditionModel, Int64, Name, Structure, Tags, Word, Words, as_map


class LabelSelectorRequirement(Structure):
    """One requirement on labels."""

    key: Name
    """The key of the label."""
    operator: Word
    """The relation between the label and the values."""
    values: list[Name] | None = Field(None, max_length=256)
    """The values. In and NotIn need them. Exists and DoesNotExist have none."""


class LabelSelector(Structure):
    """A label selector for namespaces. A namespace must meet all requirements."""

    match_labels: dict[str, Name] | None = None
    """Labels that the namespace must have, with their values."""
    match_expressions: list[LabelSelectorRequirement] | None = Field(None, max_length=64)
    """Requirements on the labels of the namespace."""


class ProviderConfigSpec(Structure):
    """An AWS account, its credentials, and the namespaces that may use them."""

    namespace_selector: LabelSelector | None = None
    """The namespaces whose resources may use this ProviderConfig. If absent: all namespaces. A resource in another
    namespace is Stalled. It never falls back to other credentials."""
    region: Word | None = None
    """The region of mappings that set neither region nor eventSourceARN."""
    allowed_regions: Words | None = None
    """The allowed regions of mappings. If absent: all regions."""
    role_arn: Name | None = None
    """The IAM role that the operator assumes. If absent: the operator uses its own credentials."""
    external_id: Name | None = None
    """The external id for AssumeRole. Needs roleARN."""
    endpoint_url: Name | None = None
    """The URL of all AWS APIs that the operator calls (Lambda, STS, resource groups tagging), such as a proxy or a test
    server. If absent: the endpoints of AWS."""
    default_tags: Tags | None = None
    """Tags of all mappings that use this ProviderConfig, at most 46. spec.tags of a mapping override them. Keys that
    begin with aws: or esm-operator.io/ are reserved."""
    ownership: Word | None = None
    """The place where the operator records the owner of a mapping. Tags: in tags of the mapping. ResourceOnly: only in
    the Kubernetes resource, for regions in which AWS allows no tags on event source mappings. The guarantees of
    ResourceOnly are weaker. If absent: the setting --ownership of the operator, whose default is Tags."""


class ProviderConfigStatus(Structure):
    """The observed state of a ProviderConfig."""

    observed_generation: Int64 | None = None
    """The metadata.generation that the status is about."""
    conditions: Annotated[list[ConditionModel], *as_map("type")] | None = None
    """InUse: resources that still use this ProviderConfig while it is being deleted."""


class ProviderConfigModel(Structure):
    """The whole resource. The API server checks the metadata."""

    api_version: str
    kind: str
    metadata: dict[str, Any]
    spec: ProviderConfigSpec
    status: ProviderConfigStatus | None = None
