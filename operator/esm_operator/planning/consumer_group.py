"""What follows from AWS taking only one mapping in each Kafka consumer group of a cluster.

Pure; asked by the planner. See ``api/identity.py`` for what is known of it, and from where.
"""

from esm_operator.api.identity import ConsumerGroup
from esm_operator.planning.actions import Conflict, ListTags, Wait
from esm_operator.planning.ownership import owner_of
from esm_operator.planning.state import Desired, Observed


def joined_again(desired: Desired, found: Observed) -> str:
    """The name of the group that the spec names, if the mapping is in the same group; else empty.

    AWS then takes no successor beside this mapping, whatever differs between them.
    """
    group = desired.consumer_group
    return group.name if group is not None and group.same_as(found.consumer_group) else ""


def plan_held(group: ConsumerGroup, holder: Observed, *, own: str) -> Wait | ListTags | Conflict:
    """What is to be done while another mapping is in the group that a Create would name.

    That mapping is of another function or topic, so it is neither taken up nor adopted.

    Args:
        group: the group that the spec names.
        holder: the other mapping.
        own: the UUID of the resource's own mapping, which it keeps; empty if it has none.
    """
    if holder.state == "Deleting":
        return Wait("PredecessorDeleting", "ConsumerGroup", {"uuid": holder.uuid, "group": group.name}, holder.uuid)
    if holder.tags is None or not holder.tags_fresh:
        return ListTags(holder.uuid)
    owner = owner_of(holder.tags)
    values = {"uuid": holder.uuid, "source": holder, "group": group, "whose": owner, "kept": own}
    return Conflict("Conflict", "ConsumerGroup", values, holder.uuid)
