"""Holds: a ProviderConfig that resources use stays until the last of them is gone.

Without it their mappings could be neither changed nor deleted any more, for it says with whose credentials
AWS is reached. A finalizer holds it: set before the first mapping is made through it, removed when it is being
deleted and nothing uses it. Meanwhile an Event and a condition on it say who does.

The reconciler awaits ``hold`` before it prepares a resource; the operator runs ``run`` while it leads.
"""

import asyncio
import logging
from collections.abc import Sequence

from esm_operator.api.reasons import ProviderConfigReason
from esm_operator.api.recorded_status import Condition, find_condition
from esm_operator.api.resource import Key, Resource
from esm_operator.clock import monotonic, timestamp
from esm_operator.cluster.cache import ResourceCache
from esm_operator.cluster.config_cache import ConfigCache, ProviderConfigObject
from esm_operator.cluster.kubernetes import WRITE_TIMEOUT, ConflictError, GoneError, KubernetesClient
from esm_operator.cluster.operator_names import IN_USE
from esm_operator.fence import NotLeadingError
from esm_operator.planning.target import Unresolved
from esm_operator.ratelimit.report_filter import ReportFilter

logger = logging.getLogger(__name__)

#: The condition that says why a ProviderConfig which is being deleted stays, and its Event.
CONDITION: ProviderConfigReason = "InUse"
_REMAIN: ProviderConfigReason = "MappingsRemain"
#: Seconds between looks at ProviderConfigs that are being deleted: with 10,000 resources one takes up to 0.1 s.
INTERVAL = 2.0
#: Seconds for which a resource that was just admitted counts, while its own finalizer is on its way.
_ADMITTED_FOR = 6 * WRITE_TIMEOUT
#: Seconds after which another Event reports who still uses a ProviderConfig.
_QUIET = 600.0
_NAMED = 5


class UsageFinalizer:
    """Keeps ProviderConfigs that are in use. For one event loop."""

    def __init__(
        self,
        finalizer: str,
        cache: ResourceCache,
        config_cache: ConfigCache,
        kubernetes: KubernetesClient,
        interval: float = INTERVAL,
    ) -> None:
        """
        Args:
            finalizer: see ``operator_names.py``.
            cache: the resources.
            config_cache: the ProviderConfigs.
            kubernetes: the API server.
            interval: seconds between looks for ProviderConfigs that can be released.
        """
        self._interval = interval
        self._finalizer = finalizer
        self._cache = cache
        self._config_cache = config_cache
        self._kubernetes = kubernetes
        self._admitted: dict[Key, tuple[str, float]] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._reports = ReportFilter(_QUIET)
        """By the uid of the ProviderConfig."""

    async def hold(self, resource: Resource) -> Unresolved | None:
        """Make sure that the ProviderConfig of a resource stays for as long as the resource does.

        Costs nothing when it is held already.

        Returns:
            None, or why no mapping may be made through the ProviderConfig.

        Raises:
            ConflictError: the ProviderConfig was changed meanwhile; its new version comes with the watch.
            ApiError: the API server refused it.
        """
        name = self._config_cache.config_of(resource)
        if not self._config_cache.depends_on(resource, name):
            return None
        refused = self._refusal(resource, name)
        if refused is not None or self._is_held_or_leaving(name):
            return refused
        async with self._locks.setdefault(name, asyncio.Lock()):
            refused = self._refusal(resource, name)
            config = self._config_cache.config(name)
            if refused is not None or config is None or self._is_held_or_leaving(name):
                return refused
            try:
                held = await self._kubernetes.set_config_finalizers(config, (*config.finalizers, self._finalizer))
            except GoneError:
                return _not_there(name)
            self._config_cache.put_config(held)
            return None

    async def run(self) -> None:
        """Let go of ProviderConfigs that are being deleted, when nothing uses them. Until cancelled.

        To be started when the first list of all resources is in, else what uses them is not known.
        """
        while True:
            self._forget_admitted()
            configs = self._config_cache.configs()
            self._reports.keep({config.uid for config in configs})
            for config in configs:
                if config.deleting and self._own_finalizers(config):
                    await self._release_if_unused(config)
            await asyncio.sleep(self._interval)

    def users(self, name: str) -> list[Key]:
        """The resources that have, or are about to have, a mapping that is reached by a ProviderConfig; sorted."""
        self._forget_admitted()
        found = {key for key, (config, _) in self._admitted.items() if config == name}
        found |= {one.key for one in self._cache.all() if self._uses(one, name)}
        return sorted(key for key in found if self._cache.get(key) is not None)

    def _forget_admitted(self) -> None:
        now = monotonic()
        self._admitted = {key: entry for key, entry in self._admitted.items() if now - entry[1] < _ADMITTED_FOR}

    def _uses(self, resource: Resource, name: str) -> bool:
        if not _has_made(resource) or not self._config_cache.depends_on(resource, name):
            return False
        # A ProviderConfig `default` that came after the mapping and leads elsewhere: without it all is well again.
        return bool(resource.asked.config) or not _is_moved(resource)

    def _refusal(self, resource: Resource, name: str) -> Unresolved | None:
        """Why a resource may not have a mapping through a ProviderConfig; notes that it may."""
        config = self._config_cache.config(name)
        if config is None:
            return _not_there(name)
        if _has_made(resource):
            return None
        if config.deleting:
            return Unresolved("ProviderConfigDeleting", values={"config": name})
        self._admitted[resource.key] = (name, monotonic())
        return None

    def _is_held_or_leaving(self, name: str) -> bool:
        """Whether there is nothing to be set: what is being deleted takes no more finalizers."""
        config = self._config_cache.config(name)
        return config is not None and (self._finalizer in config.finalizers or config.deleting)

    def _own_finalizers(self, config: ProviderConfigObject) -> list[str]:
        """The finalizers of a ProviderConfig that this operator may remove.

        One that works on all resources sees them all: it may remove those of others, who are gone.
        """
        if self._finalizer == IN_USE:
            return [name for name in config.finalizers if name == IN_USE or name.startswith(f"{IN_USE}.")]
        return [name for name in config.finalizers if name == self._finalizer]

    async def _release_if_unused(self, config: ProviderConfigObject) -> None:
        users = self.users(config.name)
        try:
            if users:
                await self._report_users(config, users)
            else:
                ours = self._own_finalizers(config)
                rest = [name for name in config.finalizers if name not in ours]
                # The answer is not taken: it may come after the watch has told that the object is gone.
                await self._kubernetes.set_config_finalizers(config, rest)
                logger.info("Nothing uses the ProviderConfig %s any more; it is let go", config.name)
        except (ConflictError, GoneError, NotLeadingError) as error:  # the watch tells what it is now
            logger.debug("The ProviderConfig %s is looked at again: %s", config.name, type(error).__name__)
        except Exception as error:  # whatever it is: the others must not wait for it
            logger.warning("The ProviderConfig %s is looked at again: %s", config.name, error)

    async def _report_users(self, config: ProviderConfigObject, users: Sequence[Key]) -> None:
        message = in_use(users)
        known = find_condition(config.conditions, CONDITION)
        if known.message == message:
            return
        now = timestamp()
        since = known.last_transition_time or now
        condition = Condition(CONDITION, "True", _REMAIN, message, config.generation, since)
        others = [one for one in config.conditions if one.type != CONDITION]
        self._config_cache.put_config(await self._kubernetes.set_config_status(config, [*others, condition]))
        if self._reports.admit(config.uid):
            logger.warning("The ProviderConfig %s is to be deleted. %s", config.name, message)
            about = {
                "kind": "ProviderConfig",
                "name": config.name,
                "uid": config.uid,
                "resourceVersion": config.resource_version,
            }
            await self._kubernetes.post_event(about, "Warning", CONDITION, message, first=now, last=now, count=1)


def in_use(users: Sequence[Key]) -> str:
    """Who uses a ProviderConfig and what to do, as a sentence."""
    shown = ", ".join(str(key) for key in users[:_NAMED])
    more = f" and {len(users) - _NAMED} more" if len(users) > _NAMED else ""
    count = f"{len(users)} EventSourceMapping{'s' if len(users) > 1 else ''}"
    uses, them = ("use", "them") if len(users) > 1 else ("uses", "it")
    return (
        f"{count} (namespace/name) still {uses} this ProviderConfig: {shown}{more}. It goes when the last of them is "
        f"gone, for AWS is reached by it. Delete {them}; until then all go on working."
    )


def _has_made(resource: Resource) -> bool:
    """Whether there may be a mapping of this resource."""
    return resource.has_finalizer or resource.intent is not None


def _is_moved(resource: Resource) -> bool:
    """Whether its status says that its ProviderConfig leads elsewhere than where its mapping is."""
    stalled = resource.status.condition("Stalled")
    return stalled.status == "True" and stalled.reason == "TargetChanged"


def _not_there(name: str) -> Unresolved:
    return Unresolved("ProviderConfigNotFound", "Gone", {"config": name})
