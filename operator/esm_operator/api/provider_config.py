"""The custom resource ProviderConfig as a model: an AWS account, its credentials, and the allowed namespaces."""

from typing import Annotated, Any

from pydantic import Field

from esm_operator.api.models import AS_SET, ConditionModel, Int64, Name, Structure, Tags, Word, Words, as_map

Patterns = Annotated[list[Annotated[str, Field(max_length=512)]], *AS_SET]


class LabelSelectorRequirement(Structure):
    """One requirement on labels."""

    key: Name
    """The key of the label."""
    operator: Word
    """The condition for the label. In: the label has one of the values. NotIn: the label is absent or has another
    value. Exists: the namespace has the label. DoesNotExist: the namespace does not have the label."""
    values: list[Name] | None = Field(None, max_length=256)
    """The values for In and NotIn. Exists and DoesNotExist take no values."""


class LabelSelector(Structure):
    """A label selector for namespaces. A namespace must meet all requirements."""

    match_labels: dict[str, Name] | None = None
    """matchLabels has the labels that the namespace must have, with their values."""
    match_expressions: list[LabelSelectorRequirement] | None = Field(None, max_length=64)
    """Requirements on the labels of the namespace."""


class ProviderConfigSpec(Structure):
    """An AWS account, its credentials, and the namespaces that may use them."""

    namespace_selector: LabelSelector | None = None
    """The namespaces whose resources may use this ProviderConfig. If namespaceSelector is absent, resources in all
    namespaces may use it. An empty selector is refused. A resource in a namespace that does not match is Stalled. The
    operator does not use its own credentials for it."""
    region: Word | None = None
    """The region of mappings whose spec sets neither region nor eventSourceARN."""
    allowed_regions: Words | None = None
    """The regions in which mappings are allowed. If absent, all regions are allowed."""
    allowed_functions: Patterns | None = None
    """The functions that mappings may invoke, as patterns of names or ARNs. If absent, all functions are allowed. If
    the list is empty, no function is allowed. In a pattern, * stands for any characters except : and /. At the end of a
    pattern, * stands for all that follows. The text ${namespace} stands for the namespace of the resource. A pattern
    without an ARN applies to functions in the account and region of the mapping. A pattern without a version or an
    alias allows all of them."""
    allowed_event_sources: Patterns | None = None
    """The event sources that mappings may read, as patterns of ARNs. For self-managed Kafka, a pattern is
    kafka://HOST:PORT, and each bootstrap server must match a pattern. In HOST, * stands for any characters but a dot.
    The pattern kafka://* allows all servers. If absent, all event sources are allowed. If the list is empty, no
    event source is allowed."""
    allowed_destinations: Patterns | None = None
    """The destinations that mappings may have in destinationConfig.onFailure, as patterns of ARNs or of kafka://TOPIC.
    If absent, all destinations are allowed. If the list is empty, no destination is allowed."""
    role_arn: Name | None = None
    """The ARN of the IAM role that the operator assumes. If absent, the operator uses its own credentials."""
    external_id: Name | None = None
    """The external ID that the operator sends when it assumes the role. This field needs roleARN."""
    endpoint_url: Name | None = None
    """The URL of a server that the operator calls instead of AWS Lambda, STS and the Resource Groups Tagging API.
    Examples are a proxy and a test server. The URL can have only a scheme, a host, a port and a path, because messages
    show it. If absent, the operator uses the URL of its flag --endpoint-url. Without this flag, the operator calls
    AWS."""
    default_tags: Tags | None = None
    """AWS tags of all mappings that use this ProviderConfig, at most 46. They override tags with the same keys in the
    operator's --default-tags. Tags in spec.tags of an EventSourceMapping override them. Keys that begin with aws: or
    esm-operator.io/ are reserved. Keys and values can only have letters, digits, spaces and the characters _ . : / = +
    - @"""
    ownership: Word | None = None
    """The place where the operator records the owner of a mapping. Tags: in tags of the mapping. ResourceOnly: only in
    the status of the resource, for regions in which AWS accepts no tags on event source mappings. The guarantees of
    ResourceOnly are weaker. If absent, the operator's --ownership applies."""


class ProviderConfigStatus(Structure):
    """The observed state of a ProviderConfig."""

    observed_generation: Int64 | None = None
    """The metadata.generation that the status describes."""
    conditions: Annotated[list[ConditionModel], *as_map("type")] | None = None
    """InUse: the ProviderConfig is being deleted, and resources still use it."""


class ProviderConfigModel(Structure):
    """The whole resource. The API server checks the metadata."""

    api_version: str
    kind: str
    metadata: dict[str, Any]
    spec: ProviderConfigSpec
    status: ProviderConfigStatus | None = None
