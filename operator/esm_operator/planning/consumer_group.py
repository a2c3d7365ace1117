"""AWS accepts one mapping in each Kafka consumer group of a cluster; see ``api/identity.py`` for the sources."""

from esm_operator.api.identity import ConsumerGroup
from esm_operator.planning.actions import Conflict, ListTags, Wait
from esm_operator.planning.ownership import owner_of
from esm_operator.planning.state import Desired, Observed


def joined_again(desired: Desired, found: Observed) -> str:
    """The consumer group of the spec if the mapping is in it, so that its successor can't be created beside it."""
    group = desired.consumer_group
    return group.name if group is not None and group.same_as(found.consumer_group) else ""


def plan_held(group: ConsumerGroup, holder: Observed, *, own: str) -> Wait | ListTags | Conflict:
    """What to do while ``holder``, a mapping of another function or topic, is in the consumer group of the spec.

    ``own`` is the UUID of the resource's own mapping, which it keeps; empty if it has none.
    """
    if holder.state == "Deleting":
        return Wait("PredecessorDeleting", "ConsumerGroup", {"uuid": holder.uuid, "group": group.name}, holder.uuid)
    if holder.tags is None or not holder.tags_fresh:
        return ListTags(holder.uuid)
    owner = owner_of(holder.tags)
    values = {"uuid": holder.uuid, "source": holder, "group": group, "whose": owner, "kept": own}
    return Conflict("Conflict", "ConsumerGroup", values, holder.uuid)
