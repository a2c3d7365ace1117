"""What follows from AWS taking only one mapping in each Kafka consumer group of a cluster.

Pure; asked by the planner. See ``api/identity.py`` for what is known of it, and from where.
"""

from esm_operator.api.identity import ConsumerGroup
from esm_operator.planning.actions import Conflict, ListTags, Wait
from esm_operator.planning.differences import describe_source
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
        return Wait(
            "PredecessorDeleting",
            f'AWS is still deleting the mapping {holder.uuid}, which is in the consumer group "{group.name}" of the '
            "same Kafka cluster. The operator creates the new mapping after that.",
            holder.uuid,
        )
    if holder.tags is None or not holder.tags_fresh:
        return ListTags(holder.uuid)
    owner = owner_of(holder.tags)
    whose = f"belongs to {owner} (cluster/namespace/name)" if owner else "belongs to no resource"
    kept = f" This resource keeps its mapping {own} as it is." if own else ""
    return Conflict(
        holder.uuid,
        f'The mapping {holder.uuid} ({describe_source(holder)}) is in the consumer group "{group.name}" of the same '
        f"Kafka cluster and {whose}. AWS takes only one mapping in each consumer group.{kept} Set spec.{group.path} "
        "to another group, or delete the other mapping first.",
    )
