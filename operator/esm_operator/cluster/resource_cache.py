"""The cache of EventSourceMapping resources, filled by lists, watch events, and the answers to the operator's writes.

These arrive out of order. The answer to a write may come before the watch event of an older version, so the cache takes
only newer versions. ``operator.py`` adds lists and watch events. The reconciler reads the cache, and adds the answers
of the API server to its own requests.

A cached resource always has its effective spec, with the values of its references: the cache resolves each resource
that it takes. :meth:`ResourceCache.resolve_again` is called when a value may have changed.
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

from esm_operator.api.identity import Identity
from esm_operator.api.metric_labels import MetricLabels
from esm_operator.api.references import Reference
from esm_operator.api.resource import Key, Resource, is_same_work, parse
from esm_operator.api.source_names import bootstrap_servers
from esm_operator.api.spec import FormerOwner, RequestedTarget
from esm_operator.clock import monotonic
from esm_operator.cluster.reference_cache import ReferenceCache
from esm_operator.cluster.referenced_object import LOADING
from esm_operator.cluster.resource_versions import is_as_new, is_later
from esm_operator.planning.references import resolve


class StaleError(Exception):
    """The resource has changed or is gone since the current action was planned."""


class _Claim(NamedTuple):
    """A resource that may adopt a mapping. Claims are ordered by age."""

    created: str
    uid: str
    key: Key
    identity: Identity
    uuid: str
    """The only mapping that it may adopt; empty: any mapping of the identity."""

    @property
    def mappings(self) -> tuple[str, str, str]:
        """The key of an index."""
        return (*self.identity.key, self.uuid)


class ResourceCache:
    """The resources by key."""

    def __init__(self, namespaces: Iterable[str] = ()) -> None:
        """``namespaces`` are the only namespaces whose objects references can name; none: all namespaces."""
        self.references = ReferenceCache(self._references_of, namespaces)
        """The values of the references of these resources."""
        self._resources: dict[Key, Resource] = {}
        self._keys_of: dict[str, set[Key]] = {}
        """By UUID: the resources whose statuses record it. One owns the mapping, others may only observe it."""
        self._claims: dict[tuple[str, str, str], list[_Claim]] = {}
        """By identity and UUID: the claims of resources that have no mapping yet, the oldest first."""
        self._claim_of: dict[Key, _Claim] = {}
        self._consents: dict[Key, set[Key]] = {}
        """By resource: those whose annotations allow it to take over or observe their mappings."""
        self._takers: dict[FormerOwner, set[Key]] = {}
        """By ``takeOverFrom``: the resources that have it in their specs."""
        self._with_mapping: dict[int, set[Key]] = {}
        """By the hash of a source: the resources that read it, and whose statuses record a mapping."""
        self._counts: Counter[MetricLabels] = Counter()
        self._successors: dict[Key, Resource] = {}
        """New objects whose name is still taken by a removed one."""
        self._removed: dict[Key, float] = {}
        """The time at which each removed object was kept, in seconds of ``clock.monotonic``."""

    def __len__(self) -> int:
        return len(self._resources)

    def get(self, key: Key) -> Resource | None:
        return self._resources.get(key)

    def parse(self, body: Mapping[str, Any]) -> Resource:
        """A resource from an object of the API server, with the values of its references. It is not kept."""
        return resolve(parse(body), self.references)

    def put_object(self, body: Mapping[str, Any]) -> tuple[Resource, Resource | None]:
        """Take an object of the API server. Returns the resource, and its previous version, or itself if not taken."""
        known = self.get_if_as_new(body)
        if known is not None:
            return known, known
        resource = parse(body)
        old = self.put(resource)
        return (resource if old is resource else self._resources[resource.key]), old

    def record(self, body: Mapping[str, Any]) -> Resource:
        """Take the answer of the API server to a write of the operator. Returns it as a resource."""
        resource = parse(body)
        if self.update_if_present(resource) is resource:
            return resolve(resource, self.references)
        return self._resources[resource.key]

    def get_if_as_new(self, body: Mapping[str, Any]) -> Resource | None:
        """The cached resource of an object of the API server, if the cache has this version or a later one.

        This is so after each write of the operator, because the answer to the write arrives before the watch event.
        """
        meta = body["metadata"]
        known = self._resources.get(Key(meta.get("namespace", ""), meta["name"]))
        if known is None or known.uid != meta["uid"]:
            return None
        return known if is_as_new(known.resource_version, str(meta["resourceVersion"])) else None

    def require_unchanged(self, resource: Resource) -> Resource:
        """The newest version of a resource. Raises StaleError if it differs in what a plan depends on."""
        known = self._resources.get(resource.key)
        if known is None or not is_same_work(resource, known):
            raise StaleError
        return known

    def all(self) -> Iterable[Resource]:
        """A live view of all resources. Do not await while iterating over it."""
        return self._resources.values()

    def counts(self) -> Mapping[MetricLabels, int]:
        """The number of resources by their metric labels."""
        return self._counts

    def all_keys(self) -> list[Key]:
        """The keys of all resources."""
        return list(self._resources)

    def put(self, resource: Resource) -> Resource | None:
        """Take a resource unless a newer version is known. Returns the previous version, or itself if not taken."""
        old = self._resources.get(resource.key)
        if old is not None and _newer(old, resource):
            return resource
        if old is not None and old.removed and old.uid != resource.uid:
            waiting = self._successors.get(resource.key)
            if waiting is None or not _newer(waiting, resource):
                self._successors[resource.key] = resource
            return resource
        return self._take(resource, old)

    def resolve_again(self, key: Key) -> Resource | None:
        """Look up the values of a resource's references again. Returns the former resource; None: nothing differs.

        While one of its objects is still being read, as at a start, nothing is looked up. The reference cache notes the
        resource again when the read has ended, or has lasted too long.
        """
        old = self._resources.get(key)
        if old is None or any(self.references.find(one, key.namespace) == LOADING for one in _references(old)):
            return None
        resource = resolve(old, self.references)
        if resource == old:
            return None
        if resource == replace(old, outdated=resource.outdated):  # no index depends on it
            self._resources[key] = resource
            return old
        return self._keep(resource, old)

    def keep_removed(self, resource: Resource) -> Resource | None:
        """Keep an object that was removed although it carried our finalizer, until :meth:`forget` is called for it.

        A new object with the same name is taken only after this one is forgotten, as if the finalizer were still there.
        Takes the last state of the object, and returns the previous version.
        """
        old = self._resources.get(resource.key)
        if old is not None and old.uid != resource.uid and not old.removed:
            self._successors[resource.key] = old
        self._removed.setdefault(resource.key, monotonic())
        return self._take(replace(resource, deleting=True, removed=True), old)

    def forget_removed(self, age: float) -> None:
        """Forget removed objects that were kept for longer than an age in seconds."""
        for key in [key for key, since in self._removed.items() if monotonic() - since > age]:
            self.forget(key)

    def has_successor(self, key: Key) -> bool:
        """Whether a new object waits for the name of a removed one."""
        return key in self._successors

    def update_if_present(self, resource: Resource) -> Resource | None:
        """Take an answer of the API server, unless the resource was forgotten in the meantime.

        A forgotten resource may no longer match the selector of the watch, which then reports no further change of it.
        Returns the previous version, or the resource itself if not taken.
        """
        return self.put(resource) if resource.key in self._resources else resource

    def delete(self, resource: Resource) -> bool:
        """Handle a DELETED event. Returns whether the resource is forgotten.

        The resource is kept if a later version is known, from a later watch event or from an answer of the API server.
        """
        waiting = self._successors.get(resource.key)
        if waiting is not None and waiting.uid == resource.uid:
            del self._successors[resource.key]
        return not self.has_later_version(resource) and self.forget(resource.key, resource.uid)

    def has_later_version(self, resource: Resource) -> bool:
        """Whether the cache has a later version of the same object. A new object of its name is not one."""
        known = self._resources.get(resource.key)
        if known is None or known.uid != resource.uid:
            return False
        return is_later(known.resource_version, resource.resource_version)

    def forget(self, key: Key, uid: str = "") -> bool:
        """Forget a resource. If a uid is given, only a resource with this uid. Returns whether one was forgotten."""
        old = self._resources.get(key)
        if old is None or (uid and old.uid != uid):
            return False
        del self._resources[key]
        self._removed.pop(key, None)
        self._unindex(old)
        successor = self._successors.pop(key, None)
        self.references.register(key, _references(old), ())
        if successor is not None:
            self.put(successor)
        return True

    def older_claimant(self, resource: Resource, uuids: Iterable[str], may_adopt: Callable[[Resource], bool]) -> str:
        """Another resource that may adopt the same mapping and comes first, as ``namespace/name``; empty: none.

        The older resource comes first. Of two with the same age, the one with the lower uid comes first. A resource
        that has a mapping, only observes, is being deleted, or cannot be reconciled does not count.

        Args:
            resource: a resource without a mapping.
            uuids: the mappings that the resource has found.
            may_adopt: whether another resource has access to one of them. Called once for each namespace and requested
                target.
        """
        if not resource.may_adopt:
            return ""
        wanted, place = resource.spec.identity, (resource.created, resource.uid)
        allowed: dict[tuple[str, RequestedTarget], bool] = {}

        def is_rival(claim: _Claim) -> bool:
            if not claim.identity.same_as(wanted):
                return False
            other = self._resources[claim.key]
            target = (claim.key.namespace, other.requested_target)
            if target not in allowed:
                allowed[target] = may_adopt(other)
            return allowed[target]

        older: list[_Claim] = []
        for uuid in {"", *uuids}:
            claims = self._claims.get((*wanted.key, uuid), [])
            older += islice(filter(is_rival, claims[: bisect_left(claims, place, key=_age)]), 1)
        return str(min(older).key) if older else ""

    def with_same_source(self, resource: Resource) -> Iterator[Resource]:
        """The other resources whose statuses record a mapping, and that read from the same queue, stream or cluster."""
        keys = set[Key]().union(*(self._with_mapping.get(source, ()) for source in _sources(resource)))
        yield from (self._resources[key] for key in keys - {resource.key})

    def consenting_to(self, key: Key) -> frozenset[Key]:
        """The resources that allow a resource to take over or observe their mappings."""
        return frozenset(self._consents.get(key, ()))

    def heir_of(self, resource: Resource, cluster: str) -> Resource | None:
        """The resource that will take the mapping of a resource over.

        An heir names the resource in ``takeOverFrom``, has no mapping yet, and is in the same namespace or has consent.
        If there are several, the result is the oldest one. A resource without access is not an heir, so other tenants
        cannot delay a deletion.
        """
        named = (FormerOwner(name, *resource.key) for name in ("", cluster))
        takers = (self._resources[key] for one in named for key in self._takers.get(one, ()))
        heirs = [one for one in takers if _is_heir(one, resource) and _gives_access(resource, one.key)]
        return min(heirs, key=lambda one: (one.created, one.uid), default=None)

    def inherits_from(self, taker: Resource, cluster: str) -> Resource | None:
        """The resource that a resource is an heir of, as :meth:`heir_of` defines it. It may not be the only heir."""
        former = self.predecessor(taker, cluster)
        return former if former is not None and _is_heir(taker, former) else None

    def predecessor(self, resource: Resource, cluster: str) -> Resource | None:
        """The resource of this cluster that ``takeOverFrom`` of a resource names, if it exists and gives access."""
        former = self.named(resource.takes_over_from, cluster)
        return former if former is not None and _gives_access(former, resource.key) else None

    def has_taken_over(self, key: Key, former: Resource, cluster: str) -> bool:
        """Whether ``takeOverFrom`` of a resource names another one that gives access. The cache may have forgotten it.

        The watch may show the deletion of the other one before the API server answers the request that causes it.
        """
        taker = self._resources.get(key)
        named = _key_in(taker.takes_over_from, cluster) if taker is not None else None
        return named == former.key and _gives_access(former, key)

    def named(self, former: FormerOwner | None, cluster: str) -> Resource | None:
        """The resource of this cluster that a ``takeOverFrom`` names, if it exists."""
        key = _key_in(former, cluster)
        return self._resources.get(key) if key is not None else None

    def known_uuids(self, uuids: Iterable[str]) -> list[str]:
        """Those of the UUIDs whose mappings belong to resources."""
        return [uuid for uuid in uuids if uuid in self._keys_of]

    def recorded_tags(self, keys: Iterable[Key]) -> Mapping[str, str]:
        """The tags that the statuses of the resources of one mapping record. The status of a former owner has none."""
        nothing: Mapping[str, str] = {}
        recorded = (self._resources[key].recorded_tags for key in keys)
        return next((tags for tags in recorded if tags is not None), nothing)

    def keys_of(self, uuids: Iterable[str]) -> list[Key]:
        """The resources whose mappings have these UUIDs."""
        return [key for uuid in uuids for key in sorted(self._keys_of.get(uuid, ()))]

    def _take(self, resource: Resource, old: Resource | None) -> Resource | None:
        """Take a resource with the present values of its references, whatever values it has. Returns the old one.

        Without the values, a plan would reset fields or replace the mapping.
        """
        return self._keep(resolve(resource, self.references), old)

    def _keep(self, resource: Resource, old: Resource | None) -> Resource | None:
        self._resources[resource.key] = resource
        if not resource.removed:
            self._removed.pop(resource.key, None)
        if old is not None:
            self._unindex(old)
        if old is None or (old.uid, old.generation) != (resource.uid, resource.generation):
            self.references.register(resource.key, _references(old), _references(resource))
        self._counts[resource.metric_labels] += 1
        if _claims_mapping(resource):
            identity, uuid = resource.spec.identity, resource.spec.adoption.uuid
            claim = self._claim_of[resource.key] = _Claim(resource.created, resource.uid, resource.key, identity, uuid)
            insort(self._claims.setdefault(claim.mappings, []), claim, key=_age)
        for key in resource.consents_to:
            self._consents.setdefault(key, set()).add(resource.key)
        if resource.takes_over_from is not None:
            self._takers.setdefault(resource.takes_over_from, set()).add(resource.key)
        if resource.uuid:
            self._keys_of.setdefault(resource.uuid, set()).add(resource.key)
            for source in _sources(resource):
                self._with_mapping.setdefault(source, set()).add(resource.key)
        return old

    def _references_of(self, key: Key) -> Sequence[Reference]:
        return _references(self._resources.get(key))

    def _unindex(self, resource: Resource) -> None:
        self._counts[resource.metric_labels] -= 1
        if not self._counts[resource.metric_labels]:
            del self._counts[resource.metric_labels]
        claim = self._claim_of.pop(resource.key, None)
        if claim is not None:
            claims = self._claims[claim.mappings]
            del claims[bisect_left(claims, _age(claim), key=_age)]
            if not claims:
                del self._claims[claim.mappings]
        for key in resource.consents_to:
            _discard(self._consents, key, resource.key)
        _discard(self._takers, resource.takes_over_from, resource.key)
        _discard(self._keys_of, resource.uuid, resource.key)
        for source in _sources(resource) if resource.uuid else ():
            _discard(self._with_mapping, source, resource.key)


def _references(resource: Resource | None) -> Sequence[Reference]:
    """The references of a resource whose objects are to be read."""
    if resource is None:
        return ()
    return tuple(one for one, _ in resource.all_references if one.is_readable)


def _age(claim: _Claim) -> tuple[str, str]:
    return claim.created, claim.uid


def _key_in(named: FormerOwner | None, cluster: str) -> Key | None:
    """The resource that a ``takeOverFrom`` names; None: it names none of this cluster."""
    return Key(named.namespace, named.name) if named is not None and named.is_in(cluster) else None


def _gives_access(owner: Resource, taker: Key) -> bool:
    """Whether a resource may take over the mapping of another one, as ``planning/access.py`` decides by owner tags."""
    return taker.namespace == owner.key.namespace or taker in owner.consents_to


def _is_heir(taker: Resource, former: Resource) -> bool:
    """Whether a resource that names another one in ``takeOverFrom`` waits for the mapping of this one."""
    waits = taker.may_adopt and not (taker.uuid or taker.deleting or taker.key == former.key)
    return waits and taker.spec.adoption.uuid in ("", former.uuid)


def _sources(resource: Resource) -> set[int]:
    """The hashes of the ARN or of the bootstrap servers that a spec names. Two sources may have one hash."""
    spec = resource.packed_spec.unpacked
    return {hash(name) for name in (spec.get("eventSourceARN"), *bootstrap_servers(spec)) if name}


def _claims_mapping(resource: Resource) -> bool:
    """Whether a resource may adopt a mapping now."""
    ready = resource.may_adopt and not (resource.uuid or resource.deleting or resource.paused)
    return ready and not _cannot_be_reconciled(resource)


def _cannot_be_reconciled(resource: Resource) -> bool:
    """Whether the operator cannot call AWS for a resource, or only a person can help."""
    if resource.unresolved is not None:
        return True
    lacks_config = resource.status.condition("Ready").reason == "ProviderConfigNotFound"
    return resource.stalled or (resource.status_is_current and lacks_config)


def _discard(sets: dict[Any, set[Key]], name: object, key: Key) -> None:
    """Remove a key from one of the sets. Remove the set if it becomes empty."""
    keys = sets.get(name, set())
    keys.discard(key)
    if not keys:
        sets.pop(name, None)


def _newer(old: Resource, new: Resource) -> bool:
    """Whether the cached version is the same or newer.

    An earlier incarnation is older, even if a restore of the cluster has reset the resource versions.
    """
    if old.uid != new.uid and old.created != new.created:
        return old.created > new.created
    return is_as_new(old.resource_version, new.resource_version)
