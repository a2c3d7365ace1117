"""Usage finalizers: a ProviderConfig that resources use is kept in the cluster until the last of them is gone.

Without it, their mappings could be neither changed nor deleted, because it has the credentials for AWS. The finalizer
is set before the first mapping is created through a ProviderConfig. It is removed when the ProviderConfig is being
deleted and nothing uses it. Until then, an Event and a condition on it list the users. The reconciler awaits ``hold``
before it prepares a resource. A term runs ``run``.

A ProviderConfig ``default`` is also kept while it refuses resources that would use the operator's own credentials
without it. The reconciler awaits ``keep_refusing`` before it reports the refusal.
"""

import asyncio
import logging
from collections.abc import Sequence
from weakref import WeakValueDictionary

from esm_operator.api.reasons import ProviderConfigReason
from esm_operator.api.recorded_status import Condition, find_condition
from esm_operator.api.resource import Key, Resource
from esm_operator.clock import monotonic, timestamp
from esm_operator.cluster.config_cache import ConfigCache, ProviderConfigObject
from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.cluster.operator_names import IN_USE
from esm_operator.cluster.resource_cache import ResourceCache
from esm_operator.cluster.transport import LONGEST_WRITE_TIMEOUT, ConflictError, GoneError, describe_failure
from esm_operator.fence import NotLeadingError
from esm_operator.planning.target import Unresolved
from esm_operator.ratelimit.failure_log import FailureLog
from esm_operator.ratelimit.report_filter import ReportFilter
from esm_operator.status.rendering import message

logger = logging.getLogger(__name__)

#: The type of the condition of a ProviderConfig that is being deleted and in use, and the reason of its Event.
CONDITION: ProviderConfigReason = "InUse"
_REMAIN: ProviderConfigReason = "MappingsRemain"
_REFUSED: ProviderConfigReason = "ResourcesRefused"
#: Seconds between checks of ProviderConfigs that are being deleted.
INTERVAL = 2.0
#: Resources that one check reads before other tasks get a turn. Reading them takes a few milliseconds.
CHUNK = 100
#: Seconds for which a resource counts as a user after it was admitted. Meanwhile the operator writes the finalizer of
#: the resource, which may wait for a slow API server.
_ADMITTED_FOR = 10 * LONGEST_WRITE_TIMEOUT
#: Seconds after which another Event reports the users of a ProviderConfig.
_QUIET = 600.0
#: Users that a message names.
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
        self._interval = interval
        self._finalizer = finalizer
        self._cache = cache
        self._config_cache = config_cache
        self._kubernetes = kubernetes
        self._admitted: dict[Key, tuple[str, float]] = {}
        """By resource: the ProviderConfig that it was admitted to, and when."""
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """By ProviderConfig. A lock exists only while a task holds it or waits for it."""
        self._reports = ReportFilter(_QUIET)
        """By the uid of the ProviderConfig."""
        self._failures = FailureLog(logger, "The operator can change the ProviderConfigs again")

    async def hold(self, resource: Resource) -> Unresolved | None:
        """Keep the ProviderConfig of a resource as long as the resource exists. Raises ConflictError, ApiError.

        Returns:
            None, or why no mapping may be created through the ProviderConfig.
        """
        name = self._config_cache.config_of(resource)
        if not self._config_cache.depends_on(resource, name):
            return None
        async with self._locks.setdefault(name, asyncio.Lock()):
            config = self._config_cache.config(name)
            if config is None:
                return _not_found(name)
            if config.deleting and not (resource.uuid or resource.deleting):
                return _deleting(name)
            if not _has_made(resource):
                self._admitted[resource.key] = (name, monotonic())
            return None if await self._add_finalizer(config) else _not_found(name)

    def refuses_create(self, resource: Resource) -> Unresolved | None:
        """Why no mapping may be created for a resource that was admitted before. None: the operator may create one.

        A user who can patch statuses can write a UUID, and so pass for a resource that has a mapping.
        """
        name = self._config_cache.config_of(resource)
        config = self._config_cache.config(name)
        if config is None or not config.deleting or not self._config_cache.depends_on(resource, name):
            return None
        return _deleting(name)

    async def keep_refusing(self, resource: Resource) -> None:
        """Keep the ProviderConfig that refuses a resource, if the operator's own credentials would serve it otherwise.

        Raises ConflictError, ApiError.
        """
        name = self._config_cache.config_of(resource)
        if not self._config_cache.refuses(resource, name):
            return
        async with self._locks.setdefault(name, asyncio.Lock()):
            config = self._config_cache.config(name)
            if config is not None:
                await self._add_finalizer(config)

    async def _add_finalizer(self, config: ProviderConfigObject) -> bool:
        """Set the finalizer of this operator. Returns whether the ProviderConfig exists."""
        # Kubernetes refuses further finalizers on an object that is being deleted.
        if self._finalizer in config.finalizers or config.deleting:
            return True
        try:
            held = await self._kubernetes.set_config_finalizers(config, (*config.finalizers, self._finalizer))
        except GoneError:
            return False
        self._config_cache.put_config(held)
        return True

    async def run(self) -> None:
        """Release ProviderConfigs that are being deleted and that nothing uses, until cancelled.

        Start it when all resources are known.
        """
        while True:
            now = monotonic()
            self._admitted = {
                key: entry
                for key, entry in self._admitted.items()
                if now - entry[1] < _ADMITTED_FOR and self._cache.get(key) is not None
            }
            self._reports.keep({config.uid for config in self._config_cache.configs()})
            try:
                await self._release_unused()
            except Exception as error:  # the task would end, and with it the process
                text = f"{describe_failure(error)}. The operator retries in {self._interval:.0f} s."
                self._failures.failed(text, cause=type(error))
            else:
                self._failures.succeeded()
            await asyncio.sleep(self._interval)

    def users(self, name: str) -> list[Key]:
        """The resources that have, or will soon have, a mapping that is reached through a ProviderConfig; sorted."""
        found = {key for key, (config, _) in self._admitted.items() if config == name}
        found |= {one.key for one in self._cache.all() if self._uses(one, name)}
        return sorted(key for key in found if self._cache.get(key) is not None)

    def refused(self, name: str) -> list[Key]:
        """The resources that would use the operator's own credentials without a ProviderConfig; sorted."""
        return sorted(one.key for one in self._cache.all() if self._config_cache.refuses(one, name))

    def _uses(self, resource: Resource, name: str) -> bool:
        if not _has_made(resource):
            return False
        present = self._config_cache.config_of(resource)
        if resource.made_through == name and (present != name or _target_changed(resource)):
            return True  # the change that leads elsewhere can be undone, as long as the ProviderConfig exists
        if present != name or not self._config_cache.depends_on(resource, name):
            return False
        if self._config_cache.refuses(resource, name):
            return False
        if isinstance(self._config_cache.resolve_without_limits(resource), Unresolved):
            # A user can write the finalizer to a resource in any namespace.
            return resource.made_through == name and _records_mapping(resource)
        # If a ProviderConfig `default` was created after the mapping, with another target, its removal helps.
        return bool(resource.requested_target.config) or not _target_changed(resource)

    def _own_finalizers(self, config: ProviderConfigObject) -> list[str]:
        """The finalizers of a ProviderConfig that this operator may remove.

        One that manages the whole cluster knows all users. It may also remove the finalizers of former operators.
        """
        if self._finalizer == IN_USE:
            return [name for name in config.finalizers if name == IN_USE or name.startswith(f"{IN_USE}.")]
        return [name for name in config.finalizers if name == self._finalizer]

    async def _release_unused(self) -> None:
        """Release each ProviderConfig that is being deleted and unused. All of them need only one look at resources."""
        going = {one.name: one for one in self._config_cache.configs() if one.deleting and self._own_finalizers(one)}
        users: dict[str, list[Key]] = {name: [] for name in going}
        refused: dict[str, list[Key]] = {name: [] for name in going}
        for number, key in enumerate(sorted(self._cache.all_keys()) if going else ()):
            if number % CHUNK == CHUNK - 1:
                await asyncio.sleep(0)
            resource = self._cache.get(key)
            if resource is None:
                continue
            admitted_to, _ = self._admitted.get(key, ("", 0.0))
            for name in {admitted_to, resource.made_through, self._config_cache.config_of(resource)} & going.keys():
                if name == admitted_to or self._uses(resource, name):
                    users[name].append(key)
                elif self._config_cache.refuses(resource, name):
                    refused[name].append(key)
        for name, config in going.items():
            await self._release_if_unused(config, users[name], refused[name])

    async def _release_if_unused(
        self, config: ProviderConfigObject, users: Sequence[Key], refused: Sequence[Key]
    ) -> None:
        try:
            if not users and not refused:  # a resource may have begun to use it since the look at the others
                users, refused = self.users(config.name), self.refused(config.name)
            if users:
                await self._report_users(config, _REMAIN, in_use(users))
            elif refused:
                await self._report_users(config, _REFUSED, refuses(refused))
            else:
                ours = self._own_finalizers(config)
                rest = [name for name in config.finalizers if name not in ours]
                # The answer is not put into the cache, because the watch may have reported the deletion before.
                await self._kubernetes.set_config_finalizers(config, rest)
                logger.info("Removed the finalizer of the ProviderConfig %s, because no resource uses it", config.name)
        except (ConflictError, GoneError, NotLeadingError) as error:  # the watch brings the new version
            logger.debug("The operator checks the ProviderConfig %s again: %s", config.name, type(error).__name__)
        except Exception as error:  # the other ProviderConfigs must not wait for it
            text = f"{describe_failure(error)}. The operator retries in {self._interval:.0f} s."
            self._failures.failed(text, subject=config.uid, cause=(config.uid, type(error)))
        else:
            self._failures.succeeded(config.uid)

    async def _report_users(self, config: ProviderConfigObject, reason: ProviderConfigReason, text: str) -> None:
        known = find_condition(config.conditions, CONDITION)
        if known.message == text:
            return
        now = timestamp()
        since = known.last_transition_time or now
        condition = Condition(CONDITION, "True", reason, text, config.generation, since)
        others = [one for one in config.conditions if one.type != CONDITION]
        self._config_cache.put_config(await self._kubernetes.set_config_status(config, [*others, condition]))
        if self._reports.admit(config.uid):
            logger.warning("The ProviderConfig %s is being deleted. %s", config.name, text)
            version = config.resource_version
            about = {"kind": "ProviderConfig", "name": config.name, "uid": config.uid, "resourceVersion": version}
            await self._kubernetes.post_event(about, "Warning", CONDITION, text, first=now, last=now, count=1)


def in_use(users: Sequence[Key]) -> str:
    """The users of a ProviderConfig and the remedy, as sentences."""
    count = f"{len(users)} EventSourceMappings use" if len(users) > 1 else "1 EventSourceMapping uses"
    return message(_REMAIN, count=count, users=_names(users))


def refuses(resources: Sequence[Key]) -> str:
    """The resources that a ProviderConfig refuses and the remedy, as sentences."""
    count = f"{len(resources)} EventSourceMappings" if len(resources) > 1 else "1 EventSourceMapping"
    return message(_REFUSED, count=count, users=_names(resources))


def _names(keys: Sequence[Key]) -> str:
    more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
    return f"{', '.join(str(key) for key in keys[:_NAMED])}{more}"


def _has_made(resource: Resource) -> bool:
    """Whether the resource may have a mapping."""
    return resource.has_finalizer or resource.intent is not None


def _records_mapping(resource: Resource) -> bool:
    """Whether the status records a mapping, as the operator writes it."""
    return bool(resource.uuid) and resource.recorded_arn is not None


def _target_changed(resource: Resource) -> bool:
    stalled = resource.status.condition("Stalled")
    return (stalled.status, stalled.reason) == ("True", "TargetChanged")


def _not_found(name: str) -> Unresolved:
    return Unresolved("ProviderConfigNotFound", "Gone", {"config": name})


def _deleting(name: str) -> Unresolved:
    return Unresolved("ProviderConfigDeleting", values={"config": name})
