"""Targets: where a resource's mapping lives, and with whose credentials it is reached.

A pure function from the resource, the ProviderConfigs and the operator's settings. A ProviderConfig that
is named, or is called ``default``, and does not admit the namespace is an error, never a fallback: else
a namespace could reach an account that was not meant for it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from esm_operator.api.spec import RequestedTarget
from esm_operator.planning.finding import Finding

DEFAULT_PROVIDER_CONFIG = "default"


@dataclass(frozen=True, slots=True)
class LabelRequirement:
    """One of ``matchExpressions`` of a label selector."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def is_met(self, labels: Mapping[str, str]) -> bool:
        """Whether labels meet it; none meet an operator that is not known."""
        has = self.key in labels
        return {
            "In": has and labels.get(self.key) in self.values,
            "NotIn": not has or labels.get(self.key) not in self.values,
            "Exists": has,
            "DoesNotExist": not has,
        }.get(self.operator, False)


@dataclass(frozen=True, slots=True)
class NamespaceSelector:
    """A Kubernetes label selector."""

    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    requirements: tuple[LabelRequirement, ...] = ()

    @classmethod
    def parse(cls, raw: Mapping[str, Any] | None) -> "NamespaceSelector | None":
        """From ``spec.namespaceSelector``. Returns None if it is absent or empty, so that it selects everything."""
        if not raw:
            return None
        expressions: Iterable[Mapping[str, Any]] = raw.get("matchExpressions") or ()
        return cls(
            raw.get("matchLabels") or {},
            tuple(
                LabelRequirement(str(one.get("key")), str(one.get("operator")), tuple(one.get("values") or ()))
                for one in expressions
            ),
        )

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Whether it selects a namespace with these labels."""
        return all(labels.get(key) == value for key, value in self.labels.items()) and all(
            requirement.is_met(labels) for requirement in self.requirements
        )


@dataclass(frozen=True, slots=True)
class ProviderConfigSettings:
    """A ProviderConfig, as far as it decides about targets."""

    name: str
    region: str = ""
    allowed_regions: frozenset[str] = frozenset()
    role_arn: str = ""
    external_id: str = ""
    endpoint_url: str = ""
    default_tags: Mapping[str, str] = field(default_factory=dict[str, str])
    namespace_selector: NamespaceSelector | None = None
    """None: it may be used in all namespaces."""
    owner_tags: bool | None = None
    """Whether the owner of a mapping is recorded in its tags; None: as the operator's own settings say."""


@dataclass(frozen=True, slots=True)
class Access:
    """Credentials and endpoint: what two targets of one region may differ in."""

    endpoint_url: str = ""
    role_arn: str = ""
    external_id: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """One region, reached with certain credentials."""

    region: str
    access: Access = Access()
    owner_tags: bool = True
    """Whether the owner of a mapping is recorded in its tags; else on the resource alone, and AWS is sent no tags."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A target, with the tags that every mapping there gets."""

    target: Target
    default_tags: Mapping[str, str]
    config: str = ""
    """The ProviderConfig that led there; empty: the operator's own settings did."""


@dataclass(frozen=True, slots=True)
class Unresolved(Finding):
    """Why there is no target."""

    passes: bool = False
    """Whether the target will be known in a moment, so that the status need not change."""


def provider_config(body: Mapping[str, Any]) -> ProviderConfigSettings:
    """A ProviderConfig from the object that the cluster has."""
    spec: Mapping[str, Any] = body.get("spec") or {}
    return ProviderConfigSettings(
        name=str(body["metadata"]["name"]),
        region=spec.get("region") or "",
        allowed_regions=frozenset(spec.get("allowedRegions") or ()),
        role_arn=spec.get("roleARN") or "",
        external_id=spec.get("externalID") or "",
        endpoint_url=spec.get("endpointURL") or "",
        default_tags=spec.get("defaultTags") or {},
        namespace_selector=NamespaceSelector.parse(spec.get("namespaceSelector")),
        owner_tags=spec["ownership"] != "ResourceOnly" if spec.get("ownership") else None,
    )


def used_config(asked: RequestedTarget, configs: Collection[str]) -> str:
    """The ProviderConfig that a resource leads to, whether or not it admits the namespace; empty: none.

    Args:
        asked: what the resource's spec says.
        configs: the names of all ProviderConfigs.
    """
    return asked.config or (DEFAULT_PROVIDER_CONFIG if DEFAULT_PROVIDER_CONFIG in configs else "")


def access_of(config: ProviderConfigSettings, operator: ProviderConfigSettings) -> Access:
    """Credentials and endpoint of a ProviderConfig.

    Args:
        config: the ProviderConfig, or the operator's own settings.
        operator: what the operator's own settings say, where the ProviderConfig does not.
    """
    return Access(config.endpoint_url or operator.endpoint_url, config.role_arn, config.external_id)


def has_owner_tags(config: ProviderConfigSettings, operator: ProviderConfigSettings) -> bool:
    """Whether the owners of mappings are recorded in their tags.

    Args:
        config: the ProviderConfig, or the operator's own settings.
        operator: what the operator's own settings say, where the ProviderConfig does not.
    """
    said = config.owner_tags if config.owner_tags is not None else operator.owner_tags
    return said is not False


def known_targets(
    asked: Iterable[RequestedTarget],
    configs: Iterable[ProviderConfigSettings],
    operator: ProviderConfigSettings,
    regions: Collection[str] = (),
) -> list[Target]:
    """All targets that mappings may have been made in, as far as the cluster and the settings tell.

    Each ProviderConfig, and the operator's own settings, in: the regions that it allows; where it allows all,
    its own and each that any resource or ``regions`` names, for the resource that used it may be gone.

    Args:
        asked: what the specs of all resources say.
        configs: all ProviderConfigs.
        operator: what the operator's own settings say.
        regions: more regions.
    """
    named = {one.region for one in asked} | set(regions)
    found: set[Target] = set()
    for config in (operator, *configs):
        anywhere = named | {config.region or operator.region}
        access, tags = access_of(config, operator), has_owner_tags(config, operator)
        found |= {Target(region, access, tags) for region in config.allowed_regions or anywhere if region}
    return sorted(
        found,
        key=lambda target: (
            target.region,
            target.access.role_arn,
            target.access.endpoint_url,
            target.owner_tags,
        ),
    )


def resolve(
    asked: RequestedTarget,
    *,
    namespace: str,
    namespace_labels: Mapping[str, str] | None,
    configs: Mapping[str, ProviderConfigSettings],
    operator: ProviderConfigSettings,
    labels_come: bool = False,
) -> Resolved | Unresolved:
    """Where the mapping of a resource lives.

    Args:
        asked: what the resource's spec says.
        namespace: the resource's namespace.
        namespace_labels: the labels of that namespace, for namespaceSelector; None: they are not known.
        labels_come: whether labels that are not known will be.
        configs: all ProviderConfigs by name.
        operator: what the operator's own settings say, where no ProviderConfig does.
    """
    name = used_config(asked, configs)
    config = configs.get(name) if name else operator
    if config is None:
        return Unresolved("ProviderConfigNotFound", values={"config": name})
    values = {"config": config.name, "namespace": namespace}
    if name and config.namespace_selector and namespace_labels is None:
        case = "LabelsPending" if labels_come else "LabelsUnknown"
        return Unresolved("ProviderConfigForbidsNamespace", case, values, passes=labels_come)
    if name and config.namespace_selector and not config.namespace_selector.selects(namespace_labels or {}):
        return Unresolved("ProviderConfigForbidsNamespace", values=values)
    region = asked.region or config.region or operator.region
    if not region:
        return Unresolved("NoRegion")
    if config.allowed_regions and region not in config.allowed_regions:
        allowed = ", ".join(sorted(config.allowed_regions))
        return Unresolved("RegionNotAllowed", values={"config": config.name, "region": region, "allowed": allowed})
    target = Target(region, access_of(config, operator), has_owner_tags(config, operator))
    return Resolved(target, {**operator.default_tags, **config.default_tags}, name)
