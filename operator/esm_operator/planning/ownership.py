"""Ownership: the tags that name the resource that a mapping belongs to.

The owner is (cluster, namespace, name). The UID is not part of it, so that a cluster that is restored from a backup
owns its mappings again.
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
    """The owner of a mapping, from the view of one resource."""

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
    """Whether a mapping with these tags (None: not known) belongs to ``owner``; with ``incarnation``, to its UID."""
    if tags is None:
        return Ownership.UNKNOWN
    other = owner_of(tags)
    if other is None:  # a UID is unique, so it suffices if somebody has damaged the other tags
        return Ownership.OURS if owner.uid and tags.get(UID) == owner.uid else Ownership.NOBODYS
    same = (other.cluster, other.namespace, other.name) == (owner.cluster, owner.namespace, owner.name)
    return Ownership.OURS if same and not (incarnation and other.uid != owner.uid) else Ownership.FOREIGN
