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
from itertools import count, islice
from typing import Any, NamedTuple

from esm_operator.api.reference_kinds import group_of
from esm_operator.api.references import Cause, Missing, Reference
from esm_operator.api.resource import Key
from esm_operator.clock import monotonic
from esm_operator.cluster.discovery import Kind, ServedKind
from esm_operator.cluster.kubernetes import Page
from esm_operator.cluster.referenced_object import LOADING, ReferencedObject, needed_field, version_of
from esm_operator.cluster.resource_versions import is_later
from esm_operator.cluster.transport import ForbiddenError

#: Seconds without an answer after which the objects of a kind count as unavailable. Until then they are loading. Also
#: the seconds after which a right that the operator had counts as lost. An upgrade of a chart may replace it.
PATIENCE = 30.0
_NAME = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.:]{0,252}")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class ObjectName(NamedTuple):
    """The name of an object of a kind."""

    namespace: str
    """Empty: the kind has no namespaces."""
    name: str


class ObjectToRead(NamedTuple):
    """An object that the cache does not know, although the list of its kind is complete."""

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
    """It differs each time that the scope begins, so that a reflector of before is replaced, and does not count."""

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

    since: float = field(default_factory=monotonic)
    """Monotonic time since which it is referenced, in seconds."""
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
        self._kinds: dict[Kind, _KindState] = {}
        self._changed: dict[Key, None] = {}
        self._has_changed = asyncio.Event()
        self._reads: dict[tuple[Kind, ObjectName], float] = {}
        """The reads that have not succeeded: the monotonic time at which the first attempt was needed, in seconds."""
        self._to_read: dict[tuple[Kind, ObjectName], None] = {}
        """The next attempts of these reads."""
        self._has_to_read = asyncio.Event()
        self._numbers = count()
        self.needs_changed = asyncio.Event()
        """Set when other kinds, or objects in other namespaces, are to be watched."""

    # For the resource cache

    def find(self, reference: Reference, namespace: str) -> str | Missing:
        """The value of a reference of a resource in a namespace, or why there is none.

        The answer about an object that does not allow the reference is the same as if it did not exist. So is the
        answer about a namespace that the operator does not manage: it depends only on the setting of the operator.
        """
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
        for reference in new:
            if reference not in old:
                self._add(key, reference)
        for reference in old:
            if reference not in new:
                self._remove(key, reference)

    # For the operator

    async def take_changed(self, most: int) -> list[Key]:
        """Wait for resources whose values or problems may have changed. Return at most ``most`` of them."""
        await self._has_changed.wait()
        taken = list(islice(self._changed, most))
        for key in taken:
            del self._changed[key]
        if not self._changed:
            self._has_changed.clear()
        return taken

    def resolve_again(self, key: Key) -> None:
        """Have a resource resolved again, although nothing may have changed."""
        self._note([key])

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
        unserved = {kind: state for kind, state in self._kinds.items() if state.served is None}
        return {kind: state.problem == LOADING for kind, state in unserved.items()}

    def scopes(self) -> Iterator[WatchScope]:
        """The lists and watches that are needed."""
        for kind, state in self._kinds.items():
            if state.served is not None:
                for namespace, scope in state.scopes.items():
                    yield WatchScope(kind, state.served, namespace, scope.number)

    def put_served(self, kind: Kind, served: ServedKind | None) -> None:
        """Record how the API server serves a kind; None: it does not serve it."""
        state = self._kinds.get(kind)
        if state is None:
            return
        problem = Missing(Cause.KIND_NOT_FOUND) if served is None else None
        if (state.served, state.problem) == (served, problem):
            return
        users = dict.fromkeys(key for one in state.objects.values() for key in one.users)
        self._kinds[kind] = _KindState(state.since, served, problem)
        for key in users:
            for reference in self._references_of(key):
                if _kind_of(reference) == kind:
                    self._add(key, reference)
        self._note(users)
        self.needs_changed.set()

    def discovery_failed(self, kind: Kind) -> None:
        """Record that it is not known whether the API server serves a kind."""
        state = self._kinds.get(kind)
        if state is not None and state.problem == LOADING and monotonic() - state.since > PATIENCE:
            state.problem = Missing(Cause.UNAVAILABLE)
            self._note(key for one in state.objects.values() for key in one.users)

    async def take_to_read(self) -> ObjectToRead:
        """Wait for an object that a list has not shown, because it was referenced later."""
        while True:
            while not self._to_read:  # several readers wait
                await self._has_to_read.wait()
            kind, name = next(iter(self._to_read))
            del self._to_read[kind, name]
            if not self._to_read:
                self._has_to_read.clear()
            state = self._kinds.get(kind)
            if state is not None and state.served is not None and name in state.objects:
                return ObjectToRead(kind, name, state.served.path(name.namespace))
            self._reads.pop((kind, name), None)

    def put_read(self, kind: Kind, name: ObjectName, page: Page) -> None:
        """Record the answer to the read of an object: the object, or an empty page if it does not exist."""
        one = self._object(kind, name)
        if one is not None:
            for body in page.items:
                self._note(one.put(kind, body))
            if not page.items and not one.version:
                self._note(one.put_absent(page.resource_version))
        self._reads.pop((kind, name), None)

    def read_failed(self, kind: Kind, name: ObjectName, error: Exception) -> None:
        """Record that an object could not be read. The watches call :meth:`read_again` later."""
        one = self._object(kind, name)
        lasts = monotonic() - self._reads.get((kind, name), math.inf) > PATIENCE
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
            self._to_read[kind, name] = None
            self._has_to_read.set()
        else:
            self._reads.pop((kind, name), None)

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
                self._note(one.put(scope.kind, body))

    def put(self, kind: Kind, body: Mapping[str, Any]) -> None:
        one = self._object(kind, _name_in(body))
        if one is not None:
            self._note(one.put(kind, body))

    def delete(self, kind: Kind, body: Mapping[str, Any]) -> None:
        one, version = self._object(kind, _name_in(body)), version_of(body)
        if one is not None and not is_later(one.version, version):
            self._note(one.put_absent(version))

    def listed(self, scope: WatchScope) -> None:
        state, found = self._kinds.get(scope.kind), self._scope(scope)
        if state is None or found is None:
            return
        found.complete = True
        for name, one in state.objects.items():
            if self._scope_of(name) != scope.namespace:
                continue
            if name not in found.seen and one.lists_before < found.lists and not is_later(one.version, found.version):
                self._note(one.put_absent(found.version))
            if not one.is_known:
                self._read(scope.kind, name)
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
            self.needs_changed.set()
        name = _name_of(state, reference, key.namespace)
        one = state.objects.get(name)
        scope = state.scopes.get(self._scope_of(name))
        is_new = one is None
        if one is None:
            one = state.objects[name] = ReferencedObject(scope.lists if scope is not None else 0)
        one.add(key, reference)
        if not _is_name(name):
            self._note(one.put_absent("0"))  # no object can have this name, so no request is sent
        elif state.served is None or not self._may_read(state, name):
            pass
        elif scope is None:
            state.scopes[self._scope_of(name)] = _Scope(next(self._numbers))
            self.needs_changed.set()
        elif (scope.complete or scope.problem is None) and not one.is_known:
            self._read(kind, name)
        if is_new and one.version:
            self._note([key])

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
        scope = self._scope_of(name)
        if not state.objects:
            del self._kinds[kind]
            self.needs_changed.set()
        elif scope and not any(self._scope_of(other) == scope for other in state.objects):
            state.scopes.pop(scope, None)
            self.needs_changed.set()

    def _forget_unused_fields(self, state: _KindState, name: ObjectName, kind: Kind) -> None:
        one = state.objects[name]
        used = {
            needed_field(reference)
            for key in dict.fromkeys(one.users)
            for reference in self._references_of(key)
            if _kind_of(reference) == kind and _name_of(state, reference, key.namespace) == name
        }
        one.keep_fields(used)

    def _read(self, kind: Kind, name: ObjectName) -> None:
        """Read an object, unless it is being read."""
        if (kind, name) not in self._reads:
            self._reads[kind, name] = monotonic()
            self._to_read[kind, name] = None
            self._has_to_read.set()

    def _note_scope(self, state: _KindState, scope: str) -> None:
        for name, one in state.objects.items():
            if self._scope_of(name) == scope:
                self._note(one.users)

    def _note(self, keys: Iterable[Key]) -> None:
        """Record resources that must be resolved again."""
        for key in keys:
            self._changed[key] = None
            self._has_changed.set()


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
    namespaced = state.served is None or state.served.namespaced
    return ObjectName((reference.namespace or namespace) if namespaced else "", reference.name)


def _is_name(name: ObjectName) -> bool:
    """Whether an object can have this name. Users choose the name, and it becomes part of requests."""
    has_namespace = not name.namespace or _NAMESPACE.fullmatch(name.namespace)
    return bool(has_namespace and _NAME.fullmatch(name.name))


def _name_in(body: Mapping[str, Any]) -> ObjectName:
    meta: Mapping[str, Any] = body.get("metadata") or {}
    return ObjectName(str(meta.get("namespace") or ""), str(meta.get("name") or ""))
