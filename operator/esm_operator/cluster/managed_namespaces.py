"""The namespaces whose resources an operator with ``--namespace-selector`` manages.

A namespace is managed only while its known labels match. So the resources of a namespace that the watch has not
reported yet are passed over. When a namespace begins to match, and resources of it were passed over, the audit of the
operator lists them. ``operator.py`` passes the namespaces of the watch and of lists, and asks before it takes a
resource.
"""

from collections.abc import Collection, Mapping
from enum import Enum, auto
from typing import Any

from esm_operator.cluster.resource_versions import is_later
from esm_operator.planning.label_selector import parse_selector
from esm_operator.planning.target import selects


class NamespaceChange(Enum):
    """The effect of new labels of a namespace."""

    NONE = auto()
    JOINED = auto()
    """It matches the selector now."""
    LEFT = auto()
    """It does not match the selector any more."""


class ManagedNamespaces:
    """The namespaces that match a label selector. For one event loop."""

    def __init__(self, selector: str) -> None:
        """Without a selector (the empty text), all namespaces are managed."""
        self.selective = bool(selector)
        """Whether there is a selector."""
        self._selector = parse_selector(selector)
        self._versions: dict[str, tuple[str, str]] = {}
        """By name of a known namespace: its uid and its resourceVersion."""
        self._managed: set[str] = set()
        self._passed_over: set[str] = set()
        self._to_list: set[str] = set()

    def manages(self, namespace: str) -> bool:
        """Whether the resources of a namespace are managed."""
        return not self.selective or namespace in self._managed

    def pass_over(self, namespace: str) -> None:
        """Record that a resource of a namespace was passed over."""
        self._passed_over.add(namespace)

    def known(self) -> list[str]:
        """The names of all known namespaces."""
        return list(self._versions)

    def put(self, body: Mapping[str, Any]) -> NamespaceChange:
        """Take a namespace, unless a newer version of it is known."""
        if not self.selective:
            return NamespaceChange.NONE
        meta: Mapping[str, Any] = body["metadata"]
        name, uid, version = str(meta["name"]), str(meta.get("uid", "")), str(meta.get("resourceVersion", ""))
        known_uid, known_version = self._versions.get(name, ("", ""))
        if known_uid == uid and is_later(known_version, version):
            return NamespaceChange.NONE
        self._versions[name] = uid, version
        if selects(self._selector, meta.get("labels") or {}):
            return self._join(name)
        return self.leave(name)

    def forget(self, name: str) -> NamespaceChange:
        """Forget a namespace that no longer exists. A new namespace of this name counts with its own labels."""
        self._versions.pop(name, None)
        return self.leave(name)

    def leave(self, name: str) -> NamespaceChange:
        """Stop managing a namespace. Its resources count as passed over."""
        if name not in self._managed:
            return NamespaceChange.NONE
        self._managed.discard(name)
        self._to_list.discard(name)
        self._passed_over.add(name)
        return NamespaceChange.LEFT

    def take_unlisted(self) -> set[str]:
        """The managed namespaces of which resources were passed over. The caller lists them."""
        taken, self._to_list = self._to_list, set()
        return taken

    def list_again(self, names: Collection[str]) -> None:
        """Put namespaces back that could not be listed."""
        self._to_list |= self._managed & set(names)

    def _join(self, name: str) -> NamespaceChange:
        if name in self._managed:
            return NamespaceChange.NONE
        self._managed.add(name)
        if name in self._passed_over:
            self._passed_over.discard(name)
            self._to_list.add(name)
        return NamespaceChange.JOINED
