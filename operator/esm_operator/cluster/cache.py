"""The desired store: the resources as the cluster says they are, fed by the watch and by our own writes.

Fed out of order: our own write's answer may come before the watch event of an older version, so only
newer versions are taken. Written by the operator and the reconciler, read by the latter.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from esm_operator.api.metric_labels import MetricLabels
from esm_operator.api.resource import Key, Resource, is_same_work
from esm_operator.clock import monotonic


class StaleError(Exception):
    """What is being carried out was planned for a resource that is another by now, or gone."""


class ResourceCache:
    """The resources by key."""

    def __init__(self) -> None:
        self._resources: dict[Key, Resource] = {}
        self._keys_of: dict[str, set[Key]] = {}
        """By UUID: the resources whose statuses note it. Beside the one that owns a mapping others may watch it."""
        self._claims: dict[tuple[str, str], set[Key]] = {}
        """By identity: the resources that may adopt."""
        self._counts: Counter[MetricLabels] = Counter()
        self._successors: dict[Key, Resource] = {}
        """New objects whose name is still taken by a removed one."""
        self._removed: dict[Key, float] = {}
        """When each removed object was kept, in seconds of ``clock.monotonic``."""

    def __len__(self) -> int:
        return len(self._resources)

    def get(self, key: Key) -> Resource | None:
        return self._resources.get(key)

    def known(self, body: Mapping[str, Any]) -> Resource | None:
        """The resource of an object of the API server, where it is known in that version or a later one; else None.

        Our own writes come back with the watch, when their answers have been taken already.
        """
        meta = body["metadata"]
        known = self._resources.get(Key(meta.get("namespace", ""), meta["name"]))
        if known is None or known.uid != meta["uid"]:
            return None
        return known if _is_as_new(known.resource_version, str(meta["resourceVersion"])) else None

    def current(self, resource: Resource) -> Resource:
        """A resource that is being worked on, in its newest version.

        Raises:
            StaleError: the work is to be begun anew, for it differs.
        """
        known = self._resources.get(resource.key)
        if known is None or not is_same_work(resource, known):
            raise StaleError
        return known

    def all(self) -> Iterable[Resource]:
        """All resources, for who does not wait meanwhile."""
        return self._resources.values()

    def counts(self) -> Mapping[MetricLabels, int]:
        """How many resources there are, by their facets."""
        return self._counts

    def all_keys(self) -> list[Key]:
        """The names of all resources."""
        return list(self._resources)

    def put(self, resource: Resource) -> Resource | None:
        """Take a resource unless a newer version is known.

        Returns:
            what was known before; the resource itself if it is not newer.
        """
        old = self._resources.get(resource.key)
        if old is not None and _newer(old, resource):
            return resource
        if old is not None and old.removed and old.uid != resource.uid:
            waiting = self._successors.get(resource.key)
            if waiting is None or not _newer(waiting, resource):
                self._successors[resource.key] = resource
            return resource
        return self._take(resource, old)

    def keep_removed(self, resource: Resource) -> Resource | None:
        """Keep an object that was removed although it carried our finalizer, until :meth:`forget` is called for it.

        A new object with the same name is taken only after this one is forgotten, as if the finalizer held the name.

        Args:
            resource: the last state of the object.

        Returns:
            what was known before.
        """
        old = self._resources.get(resource.key)
        if old is not None and old.uid != resource.uid and not old.removed:
            self._successors[resource.key] = old
        self._removed.setdefault(resource.key, monotonic())
        return self._take(replace(resource, deleting=True, removed=True), old)

    def forget_removed(self, age: float) -> None:
        """Forget removed objects that were kept for longer than so many seconds."""
        for key in [key for key, since in self._removed.items() if monotonic() - since > age]:
            self.forget(key)

    def has_successor(self, key: Key) -> bool:
        """Whether a new object waits for the name of a removed one."""
        return key in self._successors

    def _take(self, resource: Resource, old: Resource | None) -> Resource | None:
        self._resources[resource.key] = resource
        self._counts[resource.metric_labels] += 1
        if old is not None:
            self._uncount(old)
            self._unnote(old)
            self._unclaim(old)
        if resource.may_adopt:
            self._claims.setdefault(resource.spec.identity.key, set()).add(resource.key)
        if resource.uuid:
            self._keys_of.setdefault(resource.uuid, set()).add(resource.key)
        return old

    def renew(self, resource: Resource) -> None:
        """Take what the API server answered about a resource, unless that was forgotten meanwhile.

        It may have left what the watch is about, which would tell nothing of it any more.
        """
        if resource.key in self._resources:
            self.put(resource)

    def gone(self, resource: Resource) -> bool:
        """The watch says that a resource has gone, or is not among those that it is about any more.

        Returns:
            whether it is forgotten. It is not where a later version is known: it may have come back since, or was read
            after it went.
        """
        waiting = self._successors.get(resource.key)
        if waiting is not None and waiting.uid == resource.uid:
            del self._successors[resource.key]
        return not self.knows_later(resource) and self.forget(resource.key, resource.uid)

    def knows_later(self, resource: Resource) -> bool:
        """Whether a later version is known under the name."""
        known = self._resources.get(resource.key)
        return known is not None and _counts_more(known.resource_version, resource.resource_version)

    def forget(self, key: Key, uid: str = "") -> bool:
        """A resource is gone (of the given uid only, if one is given)."""
        old = self._resources.get(key)
        if old is None or (uid and old.uid != uid):
            return False
        del self._resources[key]
        self._removed.pop(key, None)
        self._uncount(old)
        self._unnote(old)
        self._unclaim(old)
        successor = self._successors.pop(key, None)
        if successor is not None:
            self.put(successor)
        return True

    def older_claimant(self, resource: Resource) -> str:
        """Another resource that may adopt the same mapping and comes first, as ``namespace/name``; or empty.

        Older ones come first, among equals the lower uid. One that has a mapping, is going, or can't be worked
        on does not count.
        """
        if not resource.may_adopt:
            return ""
        wanted = resource.spec.identity
        others = (self._resources[key] for key in self._claims.get(wanted.key, ()) if key != resource.key)
        rivals = [
            other
            for other in others
            if (other.created, other.uid) < (resource.created, resource.uid)
            and not (other.uuid or other.deleting or other.paused or other.stalled)
            and other.spec.identity.same_as(wanted)
        ]
        return str(min(rivals, key=lambda other: (other.created, other.uid)).key) if rivals else ""

    def _uncount(self, resource: Resource) -> None:
        self._counts[resource.metric_labels] -= 1
        if not self._counts[resource.metric_labels]:
            del self._counts[resource.metric_labels]

    def _unnote(self, resource: Resource) -> None:
        keys = self._keys_of.get(resource.uuid, set())
        keys.discard(resource.key)
        if not keys:
            self._keys_of.pop(resource.uuid, None)

    def _unclaim(self, resource: Resource) -> None:
        if resource.may_adopt:
            claim = resource.spec.identity.key
            keys = self._claims.get(claim, set())
            keys.discard(resource.key)
            if not keys:
                self._claims.pop(claim, None)

    def known_uuids(self, uuids: Iterable[str]) -> list[str]:
        """Those of the UUIDs whose mappings belong to resources."""
        return [uuid for uuid in uuids if uuid in self._keys_of]

    def noted_tags(self, uuids: Iterable[str]) -> dict[str, Mapping[str, str]]:
        """Of the UUIDs, those whose mappings belong to resources, with the tags that their statuses tell."""
        return {
            uuid: self._resources[min(self._keys_of[uuid])].recorded_tags or {}
            for uuid in uuids
            if uuid in self._keys_of
        }

    def keys_of(self, uuids: Iterable[str]) -> list[Key]:
        """The resources whose mappings have these UUIDs."""
        return [key for uuid in uuids for key in sorted(self._keys_of.get(uuid, ()))]


def _newer(old: Resource, new: Resource) -> bool:
    """Whether what is known is as new or newer; versions count up (Kubernetes API concepts, since 1.35).

    A late word of an earlier incarnation is older, even where the versions were counted anew by a restore.
    """
    if old.uid != new.uid and old.created != new.created:
        return old.created > new.created
    return _is_as_new(old.resource_version, new.resource_version)


def _is_as_new(one: str, other: str) -> bool:
    """Whether a version is another or a later one."""
    return one == other or _counts_more(one, other)


def _counts_more(one: str, other: str) -> bool:
    """Whether a version counts more than another; those that are no numbers count nothing."""
    try:
        return int(one) > int(other)
    except ValueError:
        return False
