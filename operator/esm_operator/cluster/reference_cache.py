"""The reference cache: the values of the objects that resources reference, filled by lists and watches.

For each referenced object, it keeps the values, the consent and the version, but not the body. It keeps nothing of
other objects. The resource cache registers the references of its resources, and looks up their values.
``referenced_object.py`` has what is known about one object, and ``reference_watches.py`` fills the cache. When a value
changes, the operator takes the resources that use it from :meth:`ReferenceCache.take_changed`, and resolves them again.

Lists, watch events and reads of single objects can overtake each other, so the cache ignores older versions of objects.
"""

import asyncio
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple

from esm_operator.api.reference_kinds import group_of
from esm_operator.api.references import Cause, Missing, Reference
from esm_operator.api.resource import Key
from esm_operator.clock import monotonic
from esm_operator.cluster.discovery import Kind, ServedKind
from esm_operator.cluster.kubernetes import Page
from esm_operator.cluster.reference_limits import Place, ReferenceLimits
from esm_operator.cluster.reference_reads import ObjectReads, WantedObject
from esm_operator.cluster.referenced_object import LOADING, ObjectName, ReferencedObject, needed_field, version_of
from esm_operator.cluster.resource_versions import is_later
from esm_operator.cluster.transport import ForbiddenError
from esm_operator.ratelimit.workqueue import QueuePriority, WorkQueue

#: Seconds without an answer after which the objects of a kind count as unavailable. Until then they are loading. Also
#: the seconds after which a permission that the operator had counts as lost. An upgrade of a chart may replace a role.
PATIENCE = 30.0
_NAME = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.:]{0,252}")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class ObjectToRead(NamedTuple):
    """An object that the cache does not know, although the list of its kind is complete."""

    party: str
    """A namespace whose resources need it."""
    kind: Kind
    name: ObjectName
    path: str
    """The path of the list that contains the object."""


class WatchScope(NamedTuple):
    """What one list and watch brings: the objects of a kind, in one namespace or in all."""

    kind: Kind
    served: ServedKind
    namespace: str
    """Empty: all namespaces."""
    number: int
    """Different each time that the scope begins. So an earlier reflector is replaced, and its results are ignored."""

    @property
    def path(self) -> str:
        return self.served.path(self.namespace)


@dataclass(slots=True)
class _Scope:
    """The state of a :class:`WatchScope`."""

    number: int
    since: float = field(default_factory=monotonic)
    """Monotonic time since which it is needed, or since which a working list and watch has failed, in seconds."""
    problem: Missing | None = LOADING
    """None: the objects were listed, and the watch began."""
    complete: bool = False
    """Whether the list that began last is complete."""
    lists: int = 0
    """How many lists have begun."""
    version: str = ""
    """The version of the last list."""
    seen: set[ObjectName] = field(default_factory=set[ObjectName])
    """The referenced objects that the present list has shown."""


@dataclass(slots=True)
class _KindState:
    """A kind that resources reference."""

    since: float = math.inf
    """Monotonic time since which its discovery has failed, in seconds."""
    served: ServedKind | None = None
    problem: Missing | None = LOADING
    """Why the API server does not serve it; None: it does."""
    objects: dict[ObjectName, ReferencedObject] = field(default_factory=dict[ObjectName, ReferencedObject])
    scopes: dict[str, _Scope] = field(default_factory=dict[str, _Scope])
    """By namespace; empty: all namespaces."""


class ReferenceCache:
    """The values of referenced objects. It is the ``Lookup`` of ``planning/references.py``. For one event loop."""

    def __init__(self, references_of: Callable[[Key], Sequence[Reference]], namespaces: Iterable[str] = ()) -> None:
        """
        Args:
            references_of: the references of a registered resource.
            namespaces: the only namespaces whose objects can be read; none: all.
        """
        self._references_of = references_of
        self._namespaces = frozenset(namespaces)
        self._limits = ReferenceLimits()
        self._kinds: dict[Kind, _KindState] = {}
        self._changed = WorkQueue[Key](dict.fromkeys(QueuePriority, 1), party=lambda key: key.namespace)
        """The resources to resolve again. Their namespaces take turns."""
        self._reads = ObjectReads()
        self._numbers = count()
        self.needs_changed = asyncio.Event()
        """Set when the kinds or the namespaces to watch have changed, or when some of them have become unused."""

    # For the resource cache

    def find(self, reference: Reference, namespace: str) -> str | Missing:
        """The value of a reference of a resource in a namespace, or why there is none.

        The answer about an object that does not allow the reference is the same as if it did not exist. So is the
        answer about a namespace that the operator does not manage: it depends only on the setting of the operator.
        """
        if self._limits.has_refused and self._limits.refuses(namespace, self._place(reference, namespace)):
            return Missing(Cause.TOO_MANY_KINDS)
        state = self._kinds.get(_kind_of(reference))
        if state is None:
            return LOADING
        if state.problem is not None:
            return state.problem
        name = _name_of(state, reference, namespace)
        scope = state.scopes.get(self._scope_of(name))
        if not self._may_read(state, name):
            return Missing(Cause.UNMANAGED_NAMESPACE)
        if scope is None or scope.problem is not None:
            return scope.problem if scope is not None and scope.problem is not None else LOADING
        one = state.objects.get(name)
        if one is None or not one.version:
            return one.problem if one is not None else LOADING
        if name.namespace != namespace and not one.allows(namespace):
            return Missing(Cause.NO_CONSENT)
        if not one.exists:
            return Missing(Cause.OBJECT_NOT_FOUND)
        return Missing(Cause.DELETING) if one.deleting else one.value(reference)

    def register(self, key: Key, old: Sequence[Reference], new: Sequence[Reference]) -> None:
        """Register the references of a resource in place of its old ones."""
        had_unused = self._limits.has_unused
        for reference in new:
            if reference in old:
                continue
            if self._limits.add(key, self._place(reference, key.namespace)):
                self._add(key, reference)
            else:
                self._note([key])
        for reference in old:
            if reference not in new and self._limits.remove(key, self._place(reference, key.namespace)):
                self._remove(key, reference)
        if self._limits.has_unused and not had_unused:
            self.needs_changed.set()

    # For the operator

    async def take_changed(self) -> Key:
        """Wait for a resource whose values or problems may have changed."""
        key = await self._changed.take()
        self._changed.done(key)
        return key

    def resolve_again(self, key: Key, delay: float) -> None:
        """Have a resource resolved again after seconds, although nothing may have changed."""
        self._note([key], delay)

    def count_objects(self) -> Mapping[tuple[str, str], int]:
        """The number of referenced objects by API group and kind, for the kinds that have been listed."""
        listed = {
            kind: state
            for kind, state in self._kinds.items()
            if any(scope.problem is None for scope in state.scopes.values())
        }
        counts: Counter[tuple[str, str]] = Counter()
        for kind, state in listed.items():
            counts[group_of(kind.api_version), kind.kind] += len(state.objects)
        return counts

    # For the watches

    def unserved(self) -> Mapping[Kind, bool]:
        """The kinds that the API server does not serve as far as the cache knows, and whether each is new."""
        unserved = {kind: state for kind, state in self._kinds.items() if state.served is None and state.objects}
        return {kind: state.problem == LOADING for kind, state in unserved.items()}

    def scopes(self) -> Iterator[WatchScope]:
        """The lists and watches that are needed."""
        for kind, state in self._kinds.items():
            if state.served is not None:
                for namespace, scope in state.scopes.items():
                    yield WatchScope(kind, state.served, namespace, scope.number)

    @property
    def has_refused(self) -> bool:
        """Whether the limits refuse some references. Call :meth:`admit_refused` at intervals then."""
        return self._limits.has_refused

    @property
    def has_unused(self) -> bool:
        """Whether kinds or namespaces have become unused. Call :meth:`forget_unused` at intervals then."""
        return self._limits.has_unused

    def forget_unused(self) -> None:
        """Forget what no resource has referenced for a minute: kinds, and lists and watches of namespaces."""
        for kind in self._limits.release_unused():
            state = self._kinds.get(kind)
            if state is None:
                continue
            used = {self._scope_of(name) for name in state.objects}
            state.scopes = {
                namespace: scope
                for namespace, scope in state.scopes.items()
                if namespace in used or self._limits.is_used(Place(kind, namespace))
            }
            if not state.objects and not state.scopes:
                del self._kinds[kind]

    def admit_refused(self) -> None:
        """Register the references that the limits do not refuse any more."""
        for place, users in self._limits.take_admitted():
            for key in dict.fromkeys(users):
                for reference in self._references_of(key):
                    if self._place(reference, key.namespace) == place and self._limits.add(key, place):
                        self._add(key, reference)
            self._note(users)

    def put_served(self, kind: Kind, served: ServedKind | None) -> None:
        """Record how the API server serves a kind; None: it does not serve it."""
        state = self._kinds.get(kind)
        if state is None:
            return
        problem = Missing(Cause.KIND_NOT_FOUND) if served is None else None
        if (state.served, state.problem) == (served, problem):
            return
        users = dict.fromkeys(key for one in state.objects.values() for key in one.users)
        if served is None and state.served is None:
            state.problem = problem  # nothing is known about the objects
        else:
            new = self._kinds[kind] = _KindState(served=served, problem=problem)
            if not _has_namespaces(state.served) and _has_namespaces(served):
                self._add_again(kind, users)
            else:
                self._keep_references(state, kind, new)
        self._note(users)
        self.needs_changed.set()

    def discovery_failed(self, kind: Kind) -> None:
        """Record that it is not known whether the API server serves a kind."""
        state = self._kinds.get(kind)
        if state is None:
            return
        state.since = min(state.since, monotonic())
        if state.problem == LOADING and monotonic() - state.since > PATIENCE:
            state.problem = Missing(Cause.UNAVAILABLE)
            self._note(key for one in state.objects.values() for key in one.users)

    async def take_to_read(self) -> ObjectToRead:
        """Wait for an object that a list has not shown, because it was referenced later."""
        party, kind, name = await self._reads.take(self._is_unknown)
        served = self._kinds[kind].served
        assert served is not None
        return ObjectToRead(party, kind, name, served.path(name.namespace))

    def put_read(self, kind: Kind, name: ObjectName, page: Page) -> None:
        """Record the answer to the read of an object: the object, or an empty page if it does not exist."""
        one = self._object(kind, name)
        if one is not None:
            for body in page.items:
                self._note(*one.put(kind, body))
            if not page.items and not one.version:
                self._note(*one.put_absent(page.resource_version))
        self._reads.ended(kind, name, again=False)

    def read_failed(self, kind: Kind, name: ObjectName, error: Exception) -> None:
        """Record that an object could not be read. The watches call :meth:`read_again` later."""
        one = self._object(kind, name)
        self._reads.ended(kind, name, again=True)
        lasts = self._reads.waited(kind, name) > PATIENCE
        if one is None or one.is_known or not (lasts or isinstance(error, ForbiddenError)):
            return
        problem = Missing(Cause.FORBIDDEN if isinstance(error, ForbiddenError) else Cause.UNAVAILABLE)
        if one.problem != problem:
            one.problem = problem
            self._note(one.users)

    def read_again(self, kind: Kind, name: ObjectName) -> None:
        """Read an object once more, if it is still unknown."""
        one = self._object(kind, name)
        if one is not None and not one.is_known:
            self._read(kind, name, one.users)
        else:
            self._reads.ended(kind, name, again=False)

    def sink(self, scope: WatchScope) -> "ReferenceSink":
        """The receiver of a list and watch."""
        return ReferenceSink(self, scope)

    # For the sinks

    def list_begins(self, scope: WatchScope) -> None:
        if (found := self._scope(scope)) is not None:
            found.lists += 1
            found.complete = False
            found.seen.clear()

    def put_page(self, scope: WatchScope, page: Page) -> None:
        state, found = self._kinds.get(scope.kind), self._scope(scope)
        if state is None or found is None:
            return
        if is_later(found.version, page.resource_version):
            # The cluster was restored from a backup, so its versions have become lower. Any version is newer now.
            for name, one in state.objects.items():
                if one.version and self._scope_of(name) == scope.namespace:
                    one.version = "0"
        found.version = page.resource_version
        for body in page.items:
            name = _name_in(body)
            one = state.objects.get(name)
            if one is not None:
                found.seen.add(name)
                self._note(*one.put(scope.kind, body))

    def put(self, kind: Kind, body: Mapping[str, Any]) -> None:
        one = self._object(kind, _name_in(body))
        if one is not None:
            self._note(*one.put(kind, body))

    def delete(self, kind: Kind, body: Mapping[str, Any]) -> None:
        one, version = self._object(kind, _name_in(body)), version_of(body)
        if one is not None and not is_later(one.version, version):
            self._note(*one.put_absent(version))

    def listed(self, scope: WatchScope) -> None:
        state, found = self._kinds.get(scope.kind), self._scope(scope)
        if state is None or found is None:
            return
        found.complete = True
        for name, one in state.objects.items():
            if self._scope_of(name) != scope.namespace:
                continue
            if name not in found.seen and one.lists_before < found.lists and not is_later(one.version, found.version):
                self._note(*one.put_absent(found.version))
            if not one.is_known:
                self._read(scope.kind, name, one.users)
        found.seen.clear()

    def watching(self, scope: WatchScope) -> None:
        state, found = self._kinds.get(scope.kind), self._scope(scope)
        if state is None or found is None or not found.complete:
            return
        found.since = math.inf
        if found.problem is not None:
            found.problem = None
            self._note_scope(state, scope.namespace)

    def failed(self, scope: WatchScope, error: Exception) -> None:
        state, found = self._kinds.get(scope.kind), self._scope(scope)
        if state is None or found is None:
            return
        found.since = min(found.since, monotonic())
        lasts = monotonic() - found.since > PATIENCE
        if isinstance(error, ForbiddenError) and (lasts or found.problem is not None):
            problem = Missing(Cause.FORBIDDEN)
        elif found.problem == LOADING and lasts:
            problem = Missing(Cause.UNAVAILABLE)
        else:
            return  # known values stay valid, and unknown values are still loading
        if found.problem != problem:
            found.problem = problem
            self._note_scope(state, scope.namespace)

    # Inside

    def _object(self, kind: Kind, name: ObjectName) -> ReferencedObject | None:
        state = self._kinds.get(kind)
        return state.objects.get(name) if state is not None else None

    def _scope(self, scope: WatchScope) -> _Scope | None:
        """The state of a scope; None: it is not needed any more, or has begun again."""
        state = self._kinds.get(scope.kind)
        found = state.scopes.get(scope.namespace) if state is not None else None
        return found if found is not None and found.number == scope.number else None

    def _place(self, reference: Reference, namespace: str) -> Place:
        """What the limits count for a reference of a resource in a namespace, even if the kind has no namespaces."""
        named = reference.namespace or namespace
        return Place(_kind_of(reference), named if named in self._namespaces else "")

    def _scope_of(self, name: ObjectName) -> str:
        """The namespace whose list has an object; empty: the list of all namespaces."""
        return name.namespace if self._namespaces else ""

    def _may_read(self, state: _KindState, name: ObjectName) -> bool:
        return not self._namespaces or name.namespace in ("", *self._namespaces)

    def _add(self, key: Key, reference: Reference) -> None:
        """Register one reference of a resource."""
        kind = _kind_of(reference)
        state = self._kinds.get(kind)
        if state is None:
            state = self._kinds[kind] = _KindState()
        if not state.objects:
            self.needs_changed.set()
        name = _name_of(state, reference, key.namespace)
        one = state.objects.get(name)
        scope = state.scopes.get(self._scope_of(name))
        if one is None:
            one = state.objects[name] = ReferencedObject(scope.lists if scope is not None else 0)
        one.add(key, reference)
        self._look_for(kind, state, name, [key])

    def _look_for(self, kind: Kind, state: _KindState, name: ObjectName, users: Iterable[Key]) -> None:
        """Have an object listed, or read if the list of its kind is complete. It has these new users."""
        one, scope = state.objects[name], state.scopes.get(self._scope_of(name))
        if not _is_name(name):
            self._note(*one.put_absent("0"))  # no object can have this name, so no request is sent
        elif state.served is None or not self._may_read(state, name):
            pass
        elif scope is None:
            state.scopes[self._scope_of(name)] = _Scope(next(self._numbers))
            self.needs_changed.set()
        elif (scope.complete or scope.problem is None) and not one.is_known:
            self._read(kind, name, users)

    def _keep_references(self, old: _KindState, kind: Kind, new: _KindState) -> None:
        """Take the references to the objects of a kind, which is served in another way now."""
        for name, one in old.objects.items():
            one.forget()
            name = name if _has_namespaces(new.served) else name._replace(namespace="")
            known = new.objects.setdefault(name, one)
            if known is not one:
                known.merge(one)
        for name, one in new.objects.items():
            self._look_for(kind, new, name, one.users)

    def _add_again(self, kind: Kind, users: Iterable[Key]) -> None:
        """Register the references to a kind again. Its objects have namespaces now, and had none before."""
        for key in users:
            for reference in self._references_of(key):
                place = self._place(reference, key.namespace)
                if place.kind == kind and not self._limits.refuses(key.namespace, place):
                    self._add(key, reference)

    def _remove(self, key: Key, reference: Reference) -> None:
        kind = _kind_of(reference)
        state = self._kinds[kind]
        name = _name_of(state, reference, key.namespace)
        one = state.objects[name]
        one.remove(key)
        if one.users:
            if one.has_many_unused_fields:
                self._forget_unused_fields(state, name, kind)
            return
        del state.objects[name]

    def _forget_unused_fields(self, state: _KindState, name: ObjectName, kind: Kind) -> None:
        one = state.objects[name]
        used = {
            needed_field(reference)
            for key in dict.fromkeys(one.users)
            for reference in self._references_of(key)
            if _kind_of(reference) == kind and _name_of(state, reference, key.namespace) == name
        }
        one.keep_fields(used)

    def _read(self, kind: Kind, name: ObjectName, users: Iterable[Key]) -> None:
        """Read an object for some of its users."""
        for namespace in dict.fromkeys(key.namespace for key in users):
            self._reads.add(WantedObject(namespace, kind, name))

    def _is_unknown(self, wanted: WantedObject) -> bool:
        """Whether an object is still to be read."""
        state, one = self._kinds.get(wanted.kind), self._object(*wanted.object)
        return state is not None and state.served is not None and one is not None and not one.is_known

    def _note_scope(self, state: _KindState, scope: str) -> None:
        for name, one in state.objects.items():
            if self._scope_of(name) == scope:
                self._note(one.users)

    def _note(self, keys: Iterable[Key], delay: float = 0.0) -> None:
        """Record resources that must be resolved again, after a delay in seconds."""
        for key in keys:
            if delay > 0:
                self._changed.add_after(key, QueuePriority.EDIT, delay)
            else:
                self._changed.add(key, QueuePriority.EDIT)


class ReferenceSink:
    """The ``Sink`` of one reflector."""

    def __init__(self, cache: ReferenceCache, scope: WatchScope) -> None:
        self._cache, self._scope = cache, scope

    def list_begins(self) -> None:
        self._cache.list_begins(self._scope)

    def put_page(self, page: Page) -> None:
        self._cache.put_page(self._scope, page)

    def listed(self) -> None:
        self._cache.listed(self._scope)

    def watching(self) -> None:
        self._cache.watching(self._scope)

    def put(self, body: Mapping[str, Any]) -> None:
        self._cache.put(self._scope.kind, body)

    def delete(self, body: Mapping[str, Any]) -> None:
        self._cache.delete(self._scope.kind, body)

    def failed(self, error: Exception) -> None:
        self._cache.failed(self._scope, error)


def _kind_of(reference: Reference) -> Kind:
    return Kind(reference.api_version, reference.kind)


def _name_of(state: _KindState, reference: Reference, namespace: str) -> ObjectName:
    """The object that a reference of a resource in a namespace names."""
    return ObjectName((reference.namespace or namespace) if _has_namespaces(state.served) else "", reference.name)


def _has_namespaces(served: ServedKind | None) -> bool:
    """Whether the objects of a kind have namespaces, as far as it is known."""
    return served is None or served.namespaced


def _is_name(name: ObjectName) -> bool:
    """Whether an object can have this name. Users choose the name, and it becomes part of requests."""
    has_namespace = not name.namespace or _NAMESPACE.fullmatch(name.namespace)
    return bool(has_namespace and _NAME.fullmatch(name.name))


def _name_in(body: Mapping[str, Any]) -> ObjectName:
    meta: Mapping[str, Any] = body.get("metadata") or {}
    return ObjectName(str(meta.get("namespace") or ""), str(meta.get("name") or ""))
