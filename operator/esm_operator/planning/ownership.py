"""Ownership: the tags that say which resource a mapping belongs to.

Every mapping is created with four tags. The owner is (cluster, namespace, name); the uid only tells
incarnations of one resource apart, so that a cluster restored from a backup takes its mappings up again.
Pure; called by the planner and by what builds requests.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

PREFIX = "esm-operator.io/"
CLUSTER, NAMESPACE, NAME, UID = (PREFIX + part for part in ("cluster", "namespace", "name", "uid"))
OWNER_TAGS = frozenset({CLUSTER, NAMESPACE, NAME, UID})


@dataclass(frozen=True, slots=True)
class Owner:
    """The resource that a mapping belongs to."""

    cluster: str
    namespace: str
    name: str
    uid: str = ""

    def __str__(self) -> str:
        return f"{self.cluster}/{self.namespace}/{self.name}"

    def tags(self) -> dict[str, str]:
        """The four owner tags."""
        return {CLUSTER: self.cluster, NAMESPACE: self.namespace, NAME: self.name, UID: self.uid}


class Ownership(StrEnum):
    """Whose a mapping is, seen from one resource."""

    OURS = "ours"
    FOREIGN = "foreign"
    NOBODYS = "nobody's"
    UNKNOWN = "unknown"


def owner_of(tags: Mapping[str, str]) -> Owner | None:
    """The owner that a mapping's tags name, or None."""
    if not all(tag in tags for tag in (CLUSTER, NAMESPACE, NAME)):
        return None
    return Owner(tags[CLUSTER], tags[NAMESPACE], tags[NAME], tags.get(UID, ""))


def ownership(owner: Owner, tags: Mapping[str, str] | None, *, incarnation: bool = False) -> Ownership:
    """Whose a mapping with these tags is.

    Args:
        owner: the resource that asks.
        tags: the mapping's; None: they have not been seen.
        incarnation: whether a mapping of another incarnation of the resource is not its own.
    """
    if tags is None:
        return Ownership.UNKNOWN
    other = owner_of(tags)
    if other is None:  # a uid is never given twice: what is left of tags that somebody spoilt still proves it
        return Ownership.OURS if owner.uid and tags.get(UID) == owner.uid else Ownership.NOBODYS
    same = (other.cluster, other.namespace, other.name) == (owner.cluster, owner.namespace, owner.name)
    return Ownership.OURS if same and not (incarnation and other.uid != owner.uid) else Ownership.FOREIGN
