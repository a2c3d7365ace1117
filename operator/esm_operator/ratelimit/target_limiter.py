"""The target limiter: how many targets each namespace may use, and all namespaces together.

A target is a region that the operator reaches with one role and one endpoint. Each target in use costs threads,
connections and memory, and users of a namespace choose the regions. ``cluster/reference_limits.py`` has the same limits
for the lists and watches of references.

The limits are dynamic thresholds (Choudhury and Hahne, IEEE/ACM Transactions on Networking 6(2), 1998). A namespace may
use one more target while it uses fewer targets than are free in total. Therefore one namespace never uses the last free
target, and each namespace always gets its first target, even if no target is free.

For targets of existing mappings, the limits are twice as high. A namespace needs that if its ProviderConfig gets
another role, because it uses the former targets until their connections are closed. There is a limit here too, because
a user who can patch statuses can pretend that mappings exist, and an author of ProviderConfigs can change roles again
and again.
"""

from collections import Counter
from collections.abc import Collection, Hashable
from enum import Enum, auto
from typing import Generic, TypeVar

Namespace = TypeVar("Namespace", bound=Hashable)
Target = TypeVar("Target", bound=Hashable)

#: By how much the limits are higher for targets of existing mappings.
_EXISTING = 2


class Refusal(Enum):
    """Why a namespace may not use one more target."""

    NAMESPACE = auto()
    """The namespace has reached its limit."""
    TOTAL = auto()
    """All namespaces together have reached the limit, or are near to it."""


class TargetLimiter(Generic[Namespace, Target]):
    """The targets in use, by namespace. A target that several namespaces use counts for each, and once in total."""

    def __init__(self, per_namespace: int, total: int) -> None:
        self._per_namespace = per_namespace
        self._total = total
        self._used: dict[Namespace, set[Target]] = {}
        self._users: Counter[Target] = Counter()

    def limits(self, *, existing: bool = False) -> tuple[int, int]:
        """The most targets of a namespace and in total, for targets of new or of existing mappings."""
        factor = _EXISTING if existing else 1
        return factor * self._per_namespace, factor * self._total

    def admit(self, namespace: Namespace, target: Target, *, existing: bool = False) -> Refusal | None:
        """Let a namespace use a target, which it then uses until :meth:`keep` ends the use. Returns a refusal, or None.

        ``existing`` is whether the namespace has a mapping in the region of the target already.
        """
        used = self._used.get(namespace, set())
        if target in used:
            return None
        per_namespace, total = self.limits(existing=existing)
        if len(used) >= per_namespace:
            return Refusal.NAMESPACE
        least_free = 0 if existing else len(used)
        if used and target not in self._users and least_free >= total - len(self._users):
            return Refusal.TOTAL
        self._used.setdefault(namespace, set()).add(target)
        self._users[target] += 1
        return None

    def pairs(self) -> list[tuple[Namespace, Target]]:
        """All namespaces with the targets that they use."""
        return [(namespace, target) for namespace, targets in self._used.items() for target in targets]

    def uses(self, namespace: Namespace, target: Target) -> bool:
        """Whether a namespace uses a target."""
        return target in self._used.get(namespace, ())

    def is_used(self, target: Target) -> bool:
        """Whether a namespace uses a target."""
        return target in self._users

    def release(self, namespace: Namespace, target: Target) -> None:
        """End the use of a target by a namespace."""
        self._used[namespace].remove(target)
        if not self._used[namespace]:
            del self._used[namespace]
        self._users[target] -= 1
        if not self._users[target]:
            del self._users[target]

    def keep(self, pairs: Collection[tuple[Namespace, Target]]) -> None:
        """End the use of all targets but these, each with the namespace that uses it."""
        kept: dict[Namespace, set[Target]] = {}
        for namespace, target in pairs:
            if self.uses(namespace, target):
                kept.setdefault(namespace, set()).add(target)
        self._used = kept
        self._users = Counter(target for targets in kept.values() for target in targets)
