"""Targets: the region of a resource's mapping, and the credentials for it.

A ProviderConfig that is named, or is called ``default``, and does not admit the namespace is an error, never a
fallback. Otherwise a namespace could reach an account that was not meant for it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from esm_operator.api.spec import RequestedTarget
from esm_operator.planning.finding import Finding

DEFAULT_PROVIDER_CONFIG = "default"


@dataclass(frozen=True, slots=True)
class ProviderConfigSettings:
    """The settings of a ProviderConfig, or the operator's own, that decide about targets."""

    name: str
    region: str = ""
    allowed_regions: frozenset[str] = frozenset()
    role_arn: str = ""
    external_id: str = ""
    endpoint_url: str = ""
    default_tags: Mapping[str, str] = field(default_factory=dict[str, str])
    namespace_selector: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """A Kubernetes label selector; empty: all namespaces."""
    owner_tags: bool | None = None
    """Whether the owner of a mapping is recorded in its tags; None: the operator's own settings decide."""


@dataclass(frozen=True, slots=True)
class Access:
    """Credentials and endpoint: what two targets of one region may differ in."""

    endpoint_url: str = ""
    role_arn: str = ""
    external_id: str = ""
    config: str = ""
    """The ProviderConfig that names the role. CloudTrail shows it. Empty without a role."""


@dataclass(frozen=True, slots=True)
class Target:
    """One region, reached with certain credentials."""

    region: str
    access: Access = Access()
    owner_tags: bool = True
    """Whether the owner of a mapping is recorded in its tags. If not, no tags are sent to AWS."""


@dataclass(frozen=True, slots=True)
class ResolvedTarget:
    """A target, with the tags that every mapping there gets."""

    target: Target
    default_tags: Mapping[str, str]
    config: str = ""
    """The ProviderConfig; empty: the operator's own settings."""


@dataclass(frozen=True, slots=True)
class Unresolved(Finding):
    """Why there is no target."""

    passes: bool = False
    """Whether the target will be known in a moment, so that the status does not change."""


def provider_config(body: Mapping[str, Any]) -> ProviderConfigSettings:
    """Parse a ProviderConfig object."""
    spec: Mapping[str, Any] = body.get("spec") or {}
    return ProviderConfigSettings(
        name=str(body["metadata"]["name"]),
        region=spec.get("region") or "",
        allowed_regions=frozenset(spec.get("allowedRegions") or ()),
        role_arn=spec.get("roleARN") or "",
        external_id=spec.get("externalID") or "",
        endpoint_url=spec.get("endpointURL") or "",
        default_tags=spec.get("defaultTags") or {},
        namespace_selector=spec.get("namespaceSelector") or {},
        owner_tags=spec["ownership"] != "ResourceOnly" if spec.get("ownership") else None,
    )


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a Kubernetes label selector selects an object with these labels. An unknown operator selects nothing."""

    def is_met(requirement: Mapping[str, Any]) -> bool:
        key, values = str(requirement.get("key")), requirement.get("values") or ()
        return {
            "In": key in labels and labels[key] in values,
            "NotIn": key not in labels or labels[key] not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }.get(str(requirement.get("operator")), False)

    wanted: Mapping[str, str] = selector.get("matchLabels") or {}
    return wanted.items() <= labels.items() and all(map(is_met, selector.get("matchExpressions") or ()))


def used_config(asked: RequestedTarget, configs: Collection[str]) -> str:
    """The ProviderConfig of these names that a resource uses, even if it does not admit the namespace; empty: none."""
    return asked.config or (DEFAULT_PROVIDER_CONFIG if DEFAULT_PROVIDER_CONFIG in configs else "")


def _target(region: str, config: ProviderConfigSettings, operator: ProviderConfigSettings) -> Target:
    owner_tags = config.owner_tags if config.owner_tags is not None else operator.owner_tags
    endpoint_url = config.endpoint_url or operator.endpoint_url
    access = Access(endpoint_url, config.role_arn, config.external_id, config.name if config.role_arn else "")
    return Target(region, access, owner_tags is not False)


def _order(target: Target) -> tuple[str | bool, ...]:
    access = target.access
    return (target.region, access.role_arn, access.endpoint_url, access.config, target.owner_tags)


def known_targets(
    asked: Iterable[RequestedTarget],
    configs: Iterable[ProviderConfigSettings],
    operator: ProviderConfigSettings,
    regions: Collection[str] = (),
) -> list[Target]:
    """All targets in which mappings may have been created.

    These are the regions that each ProviderConfig and the operator's own settings allow. One that allows all counts
    with its own region and each that ``asked`` or ``regions`` names, because the resource that used it may be deleted.
    """
    named = {one.region for one in asked} | set(regions)
    found: set[Target] = set()
    for config in (operator, *configs):
        anywhere = named | {config.region or operator.region}
        found |= {_target(region, config, operator) for region in config.allowed_regions or anywhere if region}
    return sorted(found, key=_order)


def resolve(
    asked: RequestedTarget,
    *,
    namespace: str,
    namespace_labels: Mapping[str, str] | None,
    configs: Mapping[str, ProviderConfigSettings],
    operator: ProviderConfigSettings,
    labels_come: bool = False,
) -> ResolvedTarget | Unresolved:
    """The target of a resource's mapping. ``configs`` are all ProviderConfigs by name.

    Without labels (None), they are not known. ``labels_come`` is whether they will be known soon. ``operator`` are the
    operator's own settings, for what no ProviderConfig sets.
    """
    name = used_config(asked, configs)
    config = configs.get(name) if name else operator
    if config is None:
        return Unresolved("ProviderConfigNotFound", values={"config": name})
    values = {"config": config.name, "namespace": namespace}
    if name and config.namespace_selector and namespace_labels is None:
        case = "LabelsPending" if labels_come else "LabelsUnknown"
        return Unresolved("ProviderConfigForbidsNamespace", case, values, passes=labels_come)
    if name and config.namespace_selector and not selects(config.namespace_selector, namespace_labels or {}):
        return Unresolved("ProviderConfigForbidsNamespace", values=values)
    region = asked.region or config.region or operator.region
    if not region:
        return Unresolved("NoRegion")
    if config.allowed_regions and region not in config.allowed_regions:
        allowed = ", ".join(sorted(config.allowed_regions))
        return Unresolved("RegionNotAllowed", values={"config": config.name, "region": region, "allowed": allowed})
    return ResolvedTarget(_target(region, config, operator), {**operator.default_tags, **config.default_tags}, name)
