"""The target limiter: how many targets each namespace may use, and all namespaces together.

A target is a region that the operator reaches with one role and one endpoint. Each target in use costs threads,
connections and memory, and users of a namespace choose the regions.

The limits are dynamic thresholds (Choudhury and Hahne, IEEE/ACM Transactions on Networking 6(2), 1998). A namespace may
use one more target while it uses fewer targets than are free in total. Therefore one namespace never uses the last free
target, and each namespace always gets its first target, even if no target is free.
"""

from collections import Counter
from collections.abc import Collection, Hashable
from enum import Enum, auto
from typing import Generic, TypeVar

Namespace = TypeVar("Namespace", bound=Hashable)
Target = TypeVar("Target", bound=Hashable)


class Refusal(Enum):
    """Why a namespace may not use one more target."""

    NAMESPACE = auto()
    """The namespace has reached its limit."""
    TOTAL = auto()
    """All namespaces together have reached the limit, or are near to it."""


class TargetLimiter(Generic[Namespace, Target]):
    """The targets in use, by namespace. A target that several namespaces use counts for each, and once in total."""

    def __init__(self, per_namespace: int, total: int) -> None:
        self.per_namespace = per_namespace
        self.total = total
        self._used: dict[Namespace, set[Target]] = {}
        self._users: Counter[Target] = Counter()

    def admit(self, namespace: Namespace, target: Target, *, always: bool = False) -> Refusal | None:
        """Let a namespace use a target, which it then uses until :meth:`keep` ends the use. Returns a refusal, or None.

        With ``always``, no limit applies.
        """
        used = self._used.get(namespace, set())
        if target in used:
            return None
        if not always:
            if len(used) >= self.per_namespace:
                return Refusal.NAMESPACE
            if used and target not in self._users and len(used) >= self.total - len(self._users):
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

    def keep(self, pairs: Collection[tuple[Namespace, Target]]) -> None:
        """End the use of all targets but these, each with the namespace that uses it."""
        kept: dict[Namespace, set[Target]] = {}
        for namespace, target in pairs:
            if self.uses(namespace, target):
                kept.setdefault(namespace, set()).add(target)
        self._used = kept
        self._users = Counter(target for targets in kept.values() for target in targets)
