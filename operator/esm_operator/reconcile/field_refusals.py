"""Refusals: what AWS refused of a resource's Update, until it is tried again.

While the refused members of an Update are searched for (``planning/isolation.py``), and then while they wait for their
next attempt, they are left out of what is sent. When nothing else is left to send, members that were refused before the
last accepted Update are sent once more, because some are taken only in a certain order: AWS removes provisioned pollers
only from a mapping without a schema registry. Used by what carries out actions, by the view and by the reconciler. Kept
in memory only. After a restart the operator sends each refused set once more, except resets that
``status.applied.kept`` records.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from esm_operator.clock import passed
from esm_operator.status.failure import Failure

Key = TypeVar("Key", bound=Hashable)


@dataclass(slots=True)
class _Refused:
    generation: int
    """metadata.generation of the spec that AWS refused."""
    sets: dict[frozenset[str], Failure] = field(default_factory=dict[frozenset[str], Failure])
    outdated: set[frozenset[str]] = field(default_factory=set[frozenset[str]])
    """Members that were refused alone before AWS accepted another Update."""
    until: float | None = None
    """When all of it is tried again, by the clock; None: that is not decided yet."""


class FieldRefusals(Generic[Key]):
    """The sets of members that AWS refused, by resource."""

    def __init__(self, clock: Callable[[], float] = passed) -> None:
        self._clock = clock
        self._refused: dict[Key, _Refused] = {}

    def refused(self, key: Key, generation: int, members: frozenset[str], failure: Failure) -> None:
        """AWS refused an Update.

        Args:
            key: the resource.
            generation: metadata.generation of its spec.
            members: the members of the Update.
            failure: the refusal.
        """
        known = self._current(key, generation)
        if known is None:
            known = self._refused[key] = _Refused(generation)
        known.sets[members] = failure
        known.outdated.discard(members)

    def accepted(self, key: Key) -> None:
        """AWS accepted an Update: members that were refused alone before may be taken now."""
        known = self._refused.get(key)
        if known is not None:
            known.outdated.update(members for members in known.sets if len(members) == 1)

    def repeat(self, key: Key) -> bool:
        """Allow members that were refused before the last accepted Update to be sent once more.

        Returns:
            whether there are any.
        """
        known = self._refused.get(key)
        if known is None or not known.outdated:
            return False
        for members in known.outdated:
            del known.sets[members]
        known.outdated.clear()
        return True

    def of(self, key: Key, generation: int) -> Mapping[frozenset[str], Failure]:
        """The sets of members that are left out for now. Empty after an edit, and when the next attempt is due.

        Args:
            key: the resource.
            generation: metadata.generation of its spec as it is now.
        """
        known = self._current(key, generation)
        return known.sets if known is not None else {}

    def left(self, key: Key) -> float | None:
        """Seconds until the next attempt; None where :meth:`retry_after` is still to decide."""
        known = self._refused.get(key)
        return max(0.0, known.until - self._clock()) if known is not None and known.until is not None else None

    def retry_after(self, key: Key, delay: float) -> None:
        """Try all of it again in so many seconds."""
        if key in self._refused:
            self._refused[key].until = self._clock() + delay

    def forget(self, key: Key) -> None:
        """Drop all refusals of a resource."""
        self._refused.pop(key, None)

    def _current(self, key: Key, generation: int) -> _Refused | None:
        known = self._refused.get(key)
        if known is None:
            return None
        if known.generation != generation or (known.until is not None and self._clock() >= known.until):
            del self._refused[key]
            return None
        return known
