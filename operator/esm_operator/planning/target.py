"""Targets: the region of a resource's mapping, and the credentials for it.

The ProviderConfig of a resource is the one that the resource names, then the one that a label of the namespace names,
then the one that is called ``default``. If it does not exist, or does not admit the namespace, that is an error, never
a fallback. Otherwise a namespace could reach an account that was not meant for it. For the same reason, a resource to
which no ProviderConfig applies uses the operator's own credentials only if the settings of the operator allow it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from esm_operator.api.annotations import PREFIX
from esm_operator.api.spec import RequestedTarget
from esm_operator.planning.allowed import NO_LIMITS, AllowLists
from esm_operator.planning.finding import Finding

DEFAULT_PROVIDER_CONFIG = "default"
#: The label of a namespace that names the ProviderConfig of resources that name none.
PROVIDER_CONFIG_LABEL = f"{PREFIX}provider-config"


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
    namespace_selector: Mapping[str, Any] | None = None
    """A label selector; None: all namespaces. An empty one selects none, because it may be a typing error."""
    owner_tags: bool | None = None
    """Whether the owner of a mapping is recorded in its tags; None: the operator's own settings decide."""
    allow_lists: AllowLists = NO_LIMITS


@dataclass(frozen=True, slots=True)
class Access:
    """Credentials and endpoint: what two targets of one region may differ in."""

    endpoint_url: str = ""
    role_arn: str = ""
    external_id: str = ""
    config: str = ""
    """The ProviderConfig that names the role. CloudTrail shows it. Empty without a role."""


class Place(NamedTuple):
    """An account and region at one endpoint.

    An endpoint can answer with any account number and any UUID, so the endpoints of one account share nothing.
    """

    account: str
    region: str
    endpoint_url: str
    """Empty: the endpoint of AWS."""


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
    allow_lists: AllowLists = NO_LIMITS


@dataclass(frozen=True, slots=True)
class Unresolved(Finding):
    """Why there is no target."""

    passes: bool = False
    """Whether the target will be known in a moment, so that the status does not change."""


def provider_config(body: Mapping[str, Any]) -> ProviderConfigSettings:
    """Parse a ProviderConfig object."""
    spec: Mapping[str, Any] = body.get("spec") or {}

    def patterns(field: str) -> tuple[str, ...] | None:
        return tuple(spec[field]) if spec.get(field) is not None else None

    return ProviderConfigSettings(
        name=str(body["metadata"]["name"]),
        region=spec.get("region") or "",
        allowed_regions=frozenset(spec.get("allowedRegions") or ()),
        role_arn=spec.get("roleARN") or "",
        external_id=spec.get("externalID") or "",
        endpoint_url=spec.get("endpointURL") or "",
        default_tags=spec.get("defaultTags") or {},
        namespace_selector=spec.get("namespaceSelector"),
        owner_tags=spec["ownership"] != "ResourceOnly" if spec.get("ownership") else None,
        allow_lists=AllowLists(
            patterns("allowedFunctions"), patterns("allowedEventSources"), patterns("allowedDestinations")
        ),
    )


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector selects an object with these labels.

    It differs from selectors of Kubernetes in that an empty one selects nothing. An unknown operator selects nothing.
    """

    def is_met(requirement: Mapping[str, Any]) -> bool:
        key, values = str(requirement.get("key")), requirement.get("values") or ()
        return {
            "In": key in labels and labels[key] in values,
            "NotIn": key not in labels or labels[key] not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }.get(str(requirement.get("operator")), False)

    wanted: Mapping[str, str] = selector.get("matchLabels") or {}
    selected = wanted.items() <= labels.items() and all(map(is_met, selector.get("matchExpressions") or ()))
    return selected and not _is_empty(selector)


def _is_empty(selector: Mapping[str, Any]) -> bool:
    return not selector.get("matchLabels") and not selector.get("matchExpressions")


def used_config(asked: RequestedTarget, namespace_labels: Mapping[str, str] | None, configs: Collection[str]) -> str:
    """The ProviderConfig that a resource uses, even if it does not admit the namespace; empty: none.

    Args:
        asked: the target that the resource names.
        namespace_labels: the labels of its namespace. None: they are not known.
        configs: the names of all ProviderConfigs.
    """
    named = asked.config or (namespace_labels or {}).get(PROVIDER_CONFIG_LABEL, "")
    return named or (DEFAULT_PROVIDER_CONFIG if DEFAULT_PROVIDER_CONFIG in configs else "")


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
    own_credentials: bool = False,
) -> ResolvedTarget | Unresolved:
    """The target of a resource's mapping. ``configs`` are all ProviderConfigs by name.

    Without labels (None), they are not known. ``labels_come`` is whether they will be known soon. ``operator`` are the
    operator's own settings, for what no ProviderConfig sets. ``own_credentials`` is whether a resource may use them if
    no ProviderConfig applies to it.
    """
    name = used_config(asked, namespace_labels, configs)
    values = {"config": name, "namespace": namespace, "label": PROVIDER_CONFIG_LABEL}
    if namespace_labels is None and labels_come and not asked.config:
        return Unresolved("ProviderConfigForbidsNamespace", "LabelsPending", values, passes=True)
    if not name and not own_credentials:
        return Unresolved("ProviderConfigRequired", values=values)
    config = configs.get(name) if name else operator
    if config is None:
        return Unresolved("ProviderConfigNotFound", "" if asked.config else "Labelled", values)
    selector = config.namespace_selector if name else None
    if selector is not None and _is_empty(selector):
        return Unresolved("ProviderConfigForbidsNamespace", "EmptySelector", values)
    if selector is not None and namespace_labels is None:
        case = "LabelsPending" if labels_come else "LabelsUnknown"
        return Unresolved("ProviderConfigForbidsNamespace", case, values, passes=labels_come)
    if selector is not None and not selects(selector, namespace_labels or {}):
        return Unresolved("ProviderConfigForbidsNamespace", values=values)
    region = asked.region or config.region or operator.region
    if not region:
        return Unresolved("NoRegion")
    if config.allowed_regions and region not in config.allowed_regions:
        allowed = ", ".join(sorted(config.allowed_regions))
        return Unresolved("RegionNotAllowed", values={"config": config.name, "region": region, "allowed": allowed})
    default_tags = {**operator.default_tags, **config.default_tags}
    return ResolvedTarget(_target(region, config, operator), default_tags, name, config.allow_lists)
