"""The cache of ProviderConfigs and of the labels of namespaces, on which the target of a resource depends.

The handlers and audits fill it. The operator, the reconciler and the usage finalizer read it.

Users of a namespace choose regions, and each target costs threads and memory. Therefore a resource has no target in a
region that AWS does not have, or beyond the limits of the :class:`~.target_limiter.TargetLimiter`.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from esm_operator.adapters.botocore_regions import known_regions
from esm_operator.api import limits
from esm_operator.api.recorded_status import Condition, parse_conditions
from esm_operator.api.resource import Key, Resource
from esm_operator.api.spec import RequestedTarget
from esm_operator.cluster.resource_versions import is_later
from esm_operator.planning.desired import scope_of
from esm_operator.planning.target import (
    DEFAULT_PROVIDER_CONFIG,
    PROVIDER_CONFIG_LABEL,
    ProviderConfigSettings,
    ResolvedTarget,
    Target,
    Unresolved,
    provider_config,
    resolve,
    used_config,
)
from esm_operator.ratelimit.target_limiter import Refusal, TargetLimiter

PROVIDER_CONFIGS = "providerconfigs"


@dataclass(frozen=True, slots=True)
class ProviderConfigObject:
    """A ProviderConfig as an object of the cluster, as far as the usage finalizer needs it."""

    name: str
    uid: str
    resource_version: str
    generation: int
    deleting: bool
    finalizers: tuple[str, ...]
    conditions: tuple[Condition, ...]


def config_object(body: Mapping[str, Any]) -> ProviderConfigObject:
    """The ProviderConfig in an answer of the API server."""
    meta = body["metadata"]
    return ProviderConfigObject(
        name=str(meta["name"]),
        uid=str(meta["uid"]),
        resource_version=str(meta["resourceVersion"]),
        generation=int(meta.get("generation", 0)),
        deleting=bool(meta.get("deletionTimestamp")),
        finalizers=tuple(meta.get("finalizers") or ()),
        conditions=parse_conditions(body.get("status") or {}),
    )


class ConfigCache:
    """What the targets of resources depend on, in addition to the resources."""

    def __init__(
        self,
        operator: ProviderConfigSettings,
        *,
        own_credentials: bool = False,
        labels_known: bool = True,
        more_regions: Collection[str] = (),
        limiter: TargetLimiter[str, Target] | None = None,
    ) -> None:
        """
        Args:
            operator: the operator's own settings, for what no ProviderConfig sets.
            own_credentials: whether resources to which no ProviderConfig applies may use the operator's credentials.
            labels_known: whether the labels of namespaces are watched.
            more_regions: regions that botocore does not know.
            limiter: the limits on targets. None: the default limits.
        """
        self._operator = operator
        self._own_credentials = own_credentials
        self._regions = known_regions() | frozenset(more_regions)
        self._limiter = limiter or TargetLimiter(limits.TARGETS_PER_NAMESPACE, limits.MAX_TARGETS)
        self._refused: dict[tuple[str, Target], set[Key]] = {}
        """By namespace and target: the resources for which the limiter has refused the target."""
        self._admitted: set[Key] = set()
        self._labels_known = labels_known
        self._configs: dict[str, ProviderConfigSettings] = {}
        self._objects: dict[str, ProviderConfigObject] = {}
        self._labels: dict[str, Mapping[str, str]] = {}

    def resolve(self, resource: Resource) -> ResolvedTarget | Unresolved:
        """Determine the target of a resource. Its namespace uses the target from then on, if the limits allow it."""
        found = self.resolve_without_limits(resource)
        if isinstance(found, Unresolved):
            return found
        namespace, target = resource.key.namespace, found.target
        # A ProviderConfig that has changed makes another target for existing mappings.
        existing = _has_mapping_in(resource, target.region)
        refusal = self._limiter.admit(namespace, target, existing=existing)
        if refusal is None:
            self._admitted |= self._refused.pop((namespace, target), set())
            return found
        self._refused.setdefault((namespace, target), set()).add(resource.key)
        values = {"namespace": namespace, "region": target.region}
        per_namespace, total = self._limiter.limits(existing=existing)
        if refusal is Refusal.NAMESPACE:
            return Unresolved("TooManyTargets", values={**values, "limit": per_namespace})
        return Unresolved("TooManyTargets", "Total", {**values, "limit": total})

    def resolve_without_limits(self, resource: Resource) -> ResolvedTarget | Unresolved:
        """The target of a resource, if the limits on targets allow it. Its namespace does not use the target yet."""
        found = self._resolve(resource, self._configs)
        if isinstance(found, Unresolved) or found.target.region in self._regions:
            return found
        if resource.requested_target.region:
            place = "spec.region" if resource.spec.raw.get("region") else "spec.eventSourceARN"
        else:
            in_config = found.config and self._configs[found.config].region
            place = f'spec.region of the ProviderConfig "{found.config}"' if in_config else "the operator's --region"
        return Unresolved("RegionUnknown", values={"region": found.target.region, "setting": place})

    def targets(self, resources: Iterable[Resource], connected: Collection[Target] = ()) -> set[Target]:
        """The targets of all resources. Without resources, the target of the first one, as far as it is known.

        The account of the operator's own credentials is not among them if only ProviderConfigs are in use. Targets that
        no resource uses any more make room for others, unless they are still ``connected``. Targets of existing
        mappings come first, and have twice the limits, so a restart harms no mapping.
        """
        used: set[tuple[str, Target]] = set()
        waiting: dict[tuple[str, Target], tuple[bool, str, str]] = {}
        for resource in resources:
            found = self.resolve_without_limits(resource)
            if isinstance(found, Unresolved):
                continue
            pair = (resource.key.namespace, found.target)
            if self._limiter.uses(*pair):
                used.add(pair)
            else:
                rank = (not _has_mapping_in(resource, found.target.region), resource.created, resource.uid)
                waiting[pair] = min(waiting.get(pair, rank), rank)
        needed = {target for _, target in (*used, *waiting)}
        closing = {pair for pair in self._limiter.pairs() if pair[1] in connected and pair[1] not in needed}
        self._limiter.keep(used | closing)
        self._refused = {pair: keys for pair, keys in self._refused.items() if pair in waiting}
        for pair, (is_new, _, _) in sorted(waiting.items(), key=lambda item: item[1]):
            if self._limiter.admit(*pair, existing=not is_new) is None:
                used.add(pair)
                self._admitted |= self._refused.pop(pair, set())
        found_targets = {target for _, target in used}
        default = resolve(
            RequestedTarget(),
            namespace="",
            namespace_labels={},
            configs=self._configs,
            operator=self._operator,
            own_credentials=self._own_credentials,
        )
        if found_targets or not isinstance(default, ResolvedTarget) or (self._configs and not default.config):
            return found_targets
        return {default.target} if default.target.region in self._regions else set()

    @property
    def has_refused(self) -> bool:
        """Whether resources wait until other targets make room for theirs."""
        return bool(self._refused)

    def take_admitted(self) -> set[Key]:
        """The resources whose targets were refused, and are admitted since the last call."""
        admitted, self._admitted = self._admitted, set()
        return admitted

    def unknown_regions(self, name: str) -> list[str]:
        """The regions in a ProviderConfig that AWS does not have. Resources cannot use them."""
        config = self._configs.get(name)
        named = {config.region, *config.allowed_regions} - {""} if config is not None else set[str]()
        return sorted(named - self._regions)

    def config_of(self, resource: Resource) -> str:
        """The name of the ProviderConfig through which the resource's mapping is reached; empty: of none."""
        return used_config(resource.requested_target, self._labels_of(resource), self._configs)

    def would_use(self, resource: Resource, name: str) -> bool:
        """Whether the resource uses a ProviderConfig, or will use it once it exists."""
        return used_config(resource.requested_target, self._labels_of(resource), {name}) == name

    def depends_on(self, resource: Resource, name: str) -> bool:
        """Whether the mapping would have another target, or none, or other limits, without a ProviderConfig."""
        if not name or self.config_of(resource) != name:
            return False
        if resource.requested_target.config:
            return True
        now, then = self._resolve(resource, self._configs), self._resolve_without(resource, name)
        if not isinstance(now, ResolvedTarget) or not isinstance(then, ResolvedTarget):
            return True
        return (now.target, now.allow_lists) != (then.target, then.allow_lists)

    def refuses(self, resource: Resource, name: str) -> bool:
        """Whether only a ProviderConfig keeps a resource from the credentials of the operator.

        The resource does not name the ProviderConfig. It has no target now, or the allow-lists refuse it, and it would
        have a target without it. The account is not known here, so a list that names accounts counts as a refusal.
        """
        if resource.requested_target.config or self.config_of(resource) != name:
            return False
        now = self._resolve(resource, self._configs)
        if isinstance(now, ResolvedTarget) and scope_of(resource, now, "").refusal(resource.spec.values) is None:
            return False
        return isinstance(self._resolve_without(resource, name), ResolvedTarget)

    def config(self, name: str) -> ProviderConfigObject | None:
        """A ProviderConfig, if it exists."""
        return self._objects.get(name)

    def configs(self) -> list[ProviderConfigObject]:
        """All ProviderConfigs."""
        return list(self._objects.values())

    def put_config(self, body: Mapping[str, Any]) -> bool:
        """Take a ProviderConfig unless a newer version is known. Returns whether its settings or its uid differ."""
        new, config = config_object(body), provider_config(body)
        known = self._objects.get(new.name)
        if known is not None and known.uid == new.uid and is_later(known.resource_version, new.resource_version):
            return False
        changed = known is None or known.uid != new.uid or self._configs.get(new.name) != config
        self._objects[new.name], self._configs[new.name] = new, config
        return changed

    def put_all_configs(self, bodies: Iterable[Mapping[str, Any]], known: Iterable[ProviderConfigObject]) -> list[str]:
        """Take a list of all ProviderConfigs. The watch does not report those deleted while it was cut.

        Those that ``configs`` returned before the request, and that the list lacks, are forgotten. Returns the names of
        these, and of those whose settings or uid differ.
        """
        listed = {str(body["metadata"]["name"]): body for body in bodies}
        gone = [config.name for config in known if config.name not in listed and self.forget_config(config.name)]
        return gone + [name for name, body in listed.items() if self.put_config(body)]

    def forget_config(self, name: str) -> bool:
        """Forget a ProviderConfig. Returns whether it was known."""
        self._objects.pop(name, None)
        return self._configs.pop(name, None) is not None

    def put_namespace(self, body: Mapping[str, Any]) -> bool:
        """Take a namespace. Returns whether its resources may have another target, or another answer, now."""
        meta: Mapping[str, Any] = body["metadata"]
        name: str = meta["name"]
        labels: Mapping[str, str] = meta.get("labels") or {}
        known = self._labels.get(name)
        self._labels[name] = labels
        if known is None or known.get(PROVIDER_CONFIG_LABEL) != labels.get(PROVIDER_CONFIG_LABEL):
            return True
        return known != labels and any(config.namespace_selector for config in self._configs.values())

    def forget_namespace(self, name: str) -> None:
        """Forget the labels of a namespace."""
        self._labels.pop(name, None)

    def _resolve_without(self, resource: Resource, name: str) -> ResolvedTarget | Unresolved:
        """The target of a resource if a ProviderConfig did not exist."""
        others = {self.config_of(resource), DEFAULT_PROVIDER_CONFIG} - {name}  # it can use no other one
        return self._resolve(resource, {other: self._configs[other] for other in others if other in self._configs})

    def _labels_of(self, resource: Resource) -> Mapping[str, str] | None:
        """The labels of the resource's namespace; None: they are not known."""
        return self._labels.get(resource.key.namespace) if self._labels_known else None

    def _resolve(
        self, resource: Resource, configs: Mapping[str, ProviderConfigSettings]
    ) -> ResolvedTarget | Unresolved:
        return resolve(
            resource.requested_target,
            namespace=resource.key.namespace,
            namespace_labels=self._labels_of(resource),
            # The namespace of a removed resource may be removed too.
            labels_come=self._labels_known and not resource.removed,
            configs=configs,
            operator=self._operator,
            own_credentials=self._own_credentials,
        )


def _has_mapping_in(resource: Resource, region: str) -> bool:
    """Whether the status of a resource records a mapping in a region. A user who can patch statuses can forge it."""
    arn = resource.recorded_arn if resource.uuid else None
    return arn is not None and arn.region == region
