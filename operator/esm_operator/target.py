"""Targets: where a resource's mapping lives, and with whose credentials it is reached.

A pure function from the resource, the ProviderConfigs and the operator's settings. A ProviderConfig that
is named, or is called ``default``, and does not admit the namespace is an error, never a fallback: else
a namespace could reach an account that was not meant for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from esm_operator.api.sources import parse_arn

DEFAULT_PROVIDER_CONFIG = "default"


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """A ProviderConfig, as far as it decides about targets."""

    name: str
    region: str = ""
    allowed_regions: frozenset[str] = frozenset()
    role_arn: str = ""
    external_id: str = ""
    endpoint_url: str = ""
    default_tags: Mapping[str, str] = field(default_factory=dict[str, str])
    namespace_selector: Mapping[str, Any] | None = None


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


@dataclass(frozen=True, slots=True)
class Resolved:
    """A target, with the tags that every mapping there gets."""

    target: Target
    default_tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Why there is no target, as a sentence with its remedy."""

    reason: str
    message: str


def provider_config(body: Mapping[str, Any]) -> ProviderConfig:
    """A ProviderConfig from the object that the cluster has."""
    spec = body.get("spec") or {}
    return ProviderConfig(
        name=str(body["metadata"]["name"]),
        region=spec.get("region") or "",
        allowed_regions=frozenset(spec.get("allowedRegions") or ()),
        role_arn=spec.get("roleARN") or "",
        external_id=spec.get("externalID") or "",
        endpoint_url=spec.get("endpointURL") or "",
        default_tags=spec.get("defaultTags") or {},
        namespace_selector=spec.get("namespaceSelector"),
    )


def resolve(
    spec: Mapping[str, Any],
    *,
    namespace: str,
    namespace_labels: Mapping[str, str],
    configs: Mapping[str, ProviderConfig],
    operator: ProviderConfig,
) -> Resolved | Unresolved:
    """Where the mapping of a resource lives.

    Args:
        spec: the resource's spec.
        namespace: the resource's namespace.
        namespace_labels: the labels of that namespace, for namespaceSelector.
        configs: all ProviderConfigs by name.
        operator: what the operator's own settings say, where no ProviderConfig does.
    """
    named = str((spec.get("providerConfigRef") or {}).get("name") or "")
    config = configs.get(named or DEFAULT_PROVIDER_CONFIG)
    if config is None:
        if named:
            return Unresolved(
                "ProviderConfigNotFound",
                f"There is no ProviderConfig {named}. Create it, or make the resource anew without "
                "spec.providerConfigRef (it can't be changed).",
            )
        config = operator
    elif not selects(config.namespace_selector, namespace_labels):
        return Unresolved(
            "ProviderConfigForbidsNamespace",
            f"The ProviderConfig {config.name} does not admit the namespace {namespace}. Label the namespace as "
            "its spec.namespaceSelector asks, or name another ProviderConfig in a new resource.",
        )
    arn = parse_arn(str(spec.get("eventSourceARN") or ""))
    region = str(spec.get("region") or (arn.region if arn else "") or config.region or operator.region)
    if not region:
        return Unresolved(
            "NoRegion",
            "No AWS region is known for this mapping. Set spec.region in a new resource, the ProviderConfig's "
            "spec.region, or the operator's --region.",
        )
    if config.allowed_regions and region not in config.allowed_regions:
        return Unresolved(
            "RegionNotAllowed",
            f"The ProviderConfig {config.name} does not allow the region {region}; it allows "
            f"{', '.join(sorted(config.allowed_regions))}.",
        )
    access = Access(config.endpoint_url or operator.endpoint_url, config.role_arn, config.external_id)
    return Resolved(Target(region, access), {**operator.default_tags, **config.default_tags})


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a Kubernetes label selector selects labels; none and the empty one select everything."""
    if not selector:
        return True
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_meets(expression, labels) for expression in selector.get("matchExpressions") or ())


def _meets(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, operator, wanted = expression.get("key"), expression.get("operator"), expression.get("values") or ()
    has = key in labels
    return {
        "In": has and labels.get(str(key)) in wanted,
        "NotIn": not has or labels.get(str(key)) not in wanted,
        "Exists": has,
        "DoesNotExist": not has,
    }.get(str(operator), False)
