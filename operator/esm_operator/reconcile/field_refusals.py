"""Field refusals: the members of an Update that AWS refused, until the next attempt.

``planning/isolation.py`` finds the refused members. The operator leaves them out of Updates until their next attempt.
When all other changes are sent, the operator sends the members again that AWS refused before the last accepted Update,
because AWS accepts some members only in a certain order. For example, AWS removes provisioned pollers only from a
mapping without a schema registry.

Refusals are kept in memory only. After a restart, the operator sends each refused set once more, except resets that
``status.applied.kept`` records.
"""

from collections.abc import Mapping

from esm_operator.api.frozen_json import FrozenJSON
from esm_operator.clock import monotonic
from esm_operator.status.failure import Failure


class FieldRefusals:
    """The sets of members that AWS refused to change in one mapping."""

    __slots__ = ("_outdated", "_sets", "_spec", "_until")

    def __init__(self) -> None:
        self._spec: FrozenJSON | None = None
        """The effective spec that AWS refused. A reference can change it without a new metadata.generation."""
        self._sets: dict[frozenset[str], Failure] = {}
        self._outdated: set[frozenset[str]] = set()
        """Members that were refused alone before AWS accepted another Update."""
        self._until: float | None = None
        """Monotonic time of the next attempt, in seconds; None: not decided yet."""

    def refused(self, spec: FrozenJSON, members: frozenset[str], failure: Failure) -> None:
        """Record that AWS refused an Update of these members for this effective spec."""
        self._expire(spec)
        self._spec = spec
        self._sets[members] = failure
        self._outdated.discard(members)

    def accepted(self) -> None:
        """Record that AWS accepted an Update. AWS may now accept members that it refused alone before."""
        self._outdated.update(members for members in self._sets if len(members) == 1)

    def repeat(self) -> bool:
        """Allow members that were refused before the last accepted Update once more. Returns whether there are any."""
        repeated = bool(self._outdated)
        for members in self._outdated:
            del self._sets[members]
        self._outdated.clear()
        return repeated

    def of(self, spec: FrozenJSON) -> Mapping[frozenset[str], Failure]:
        """The sets of members that Updates leave out. Empty for another spec, and when the next attempt is due."""
        self._expire(spec)
        return self._sets

    def left(self) -> float | None:
        """Seconds until the next attempt; None: :meth:`retry_after` was not called yet."""
        return max(0.0, self._until - monotonic()) if self._until is not None else None

    def retry_after(self, delay: float) -> None:
        """Allow all refused members again after a delay in seconds."""
        if self._sets:
            self._until = monotonic() + delay

    def clear(self) -> None:
        """Forget all refusals."""
        self._sets = {}
        self._outdated.clear()
        self._spec = self._until = None

    def _expire(self, spec: FrozenJSON) -> None:
        if self._spec != spec or (self._until is not None and monotonic() >= self._until):
            self.clear()
