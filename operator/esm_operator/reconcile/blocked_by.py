"""Blocked by: which mapping of another owner blocks which resources, so that they are reconciled when it changes."""

from collections.abc import Collection, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class BlockedBy(Generic[Key]):
    """The resources that wait for a mapping that is not their own: another owner has it, or AWS is deleting it."""

    def __init__(self) -> None:
        self._uuid_of: dict[Key, str] = {}
        self._keys_of: dict[str, set[Key]] = {}

    def put(self, key: Key, uuid: str) -> None:
        """Record that a mapping blocks a resource.

        Args:
            key: the resource.
            uuid: the mapping; empty: none blocks it any more.
        """
        if self._uuid_of.get(key, "") == uuid:
            return
        before = self._uuid_of.pop(key, "")
        if before:
            self._keys_of[before].discard(key)
            if not self._keys_of[before]:
                del self._keys_of[before]
        if uuid:
            self._uuid_of[key] = uuid
            self._keys_of.setdefault(uuid, set()).add(key)

    def uuid(self, key: Key) -> str:
        """The mapping that blocks a resource; empty: none."""
        return self._uuid_of.get(key, "")

    def known(self, uuids: Collection[str]) -> list[str]:
        """Those of the UUIDs whose mappings block a resource."""
        return [uuid for uuid in uuids if uuid in self._keys_of]

    def keys(self, uuids: Collection[str]) -> set[Key]:
        """The resources that any of these mappings blocks."""
        return {key for uuid in uuids for key in self._keys_of.get(uuid, ())}
