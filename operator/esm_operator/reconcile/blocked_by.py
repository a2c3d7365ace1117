"""Obstacles: which resource waits for which mapping that is not its own, so that it is told when that moves.

A mapping of another owner is in the way, or a predecessor is being deleted. Written by the reconciler; asked
by whoever hears that mappings changed.
"""

from collections.abc import Collection, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class BlockedBy(Generic[Key]):
    """Mappings that are in the way of resources."""

    def __init__(self) -> None:
        self._uuid_of: dict[Key, str] = {}
        self._keys_of: dict[str, set[Key]] = {}

    def put(self, key: Key, uuid: str) -> None:
        """A mapping is in a resource's way."""
        if self._uuid_of.get(key) != uuid:
            self.forget(key)
            self._uuid_of[key] = uuid
            self._keys_of.setdefault(uuid, set()).add(key)

    def forget(self, key: Key) -> None:
        """Nothing is in a resource's way."""
        uuid = self._uuid_of.pop(key, None)
        if uuid is not None:
            keys = self._keys_of[uuid]
            keys.discard(key)
            if not keys:
                del self._keys_of[uuid]

    def of(self, key: Key) -> str:
        """The mapping that is in a resource's way; empty: none."""
        return self._uuid_of.get(key, "")

    def known(self, uuids: Collection[str]) -> list[str]:
        """Those of the UUIDs whose mappings are in somebody's way."""
        return [uuid for uuid in uuids if uuid in self._keys_of]

    def waiting_for(self, uuids: Collection[str]) -> set[Key]:
        """The resources that wait for any of these mappings."""
        return {key for uuid in uuids for key in self._keys_of.get(uuid, ())}
