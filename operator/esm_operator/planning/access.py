"""Access to mappings of other owners: which mappings a resource may take over, observe, and see in its messages.

Only the owner tags of a mapping decide. A resource has access to a mapping of its own namespace. A mapping of another
namespace of the cluster needs the consent of its owner, which is an annotation on the resource that has the mapping. A
mapping of another cluster needs a setting of the operator.
"""

from collections.abc import Mapping

from esm_operator.planning.finding import Finding
from esm_operator.planning.inputs import Desired, ObservedMapping
from esm_operator.planning.ownership import Owner, owner_of

#: An owner whose name a message does not show.
ANOTHER_OWNER = Owner("", "", "")


def may_use(desired: Desired, mapping: ObservedMapping, tags: Mapping[str, str]) -> bool:
    """Whether a resource has access to a mapping with these tags.

    Without access, the operator neither takes the mapping over nor shows anything of it. Each resource whose
    ProviderConfig leads to the account may use a mapping without an owner, if the ProviderConfig allows the function,
    the source and the destination of the mapping.
    """
    other = owner_of(tags)
    return not_allowed(desired, mapping, tags) is None if other is None else knows(desired, other)


def not_allowed(desired: Desired, mapping: ObservedMapping, tags: Mapping[str, str]) -> Finding | None:
    """Why a resource has no access to a mapping without an owner. None: it has, or the mapping has an owner."""
    if owner_of(tags) is not None:
        return None
    return desired.scope.refusal(mapping.values, uuid=mapping.uuid)


def knows(desired: Desired, other: Owner) -> bool:
    """Whether a resource has access to the mappings of an owner, and may know its name."""
    own = desired.owner
    if other.cluster != own.cluster:
        return other.cluster in desired.takeover_clusters
    return other.namespace == own.namespace or (other.namespace, other.name) in desired.consenting


def shown_owner(desired: Desired, other: Owner | None) -> Owner | None:
    """The owner as messages may name it: :data:`ANOTHER_OWNER` if the resource may not know its name."""
    return other if other is None or knows(desired, other) else ANOTHER_OWNER
