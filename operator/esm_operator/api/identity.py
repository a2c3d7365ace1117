"""Identity: what makes two mappings the same one at AWS.

CreateEventSourceMapping takes no client token; AWS refuses a second mapping of the same identity instead.
So a mapping whose creation was cut off is found again by its identity. Called by the planner's feeder (to
find candidates) and by the inventory (to index what a sweep saw).

| source | identity, beside the qualified function | known from |
|---|---|---|
| SQS, Kinesis, DynamoDB | source ARN | recorded on AWS |
| self-managed Kafka | topic, and any bootstrap server in common | recorded on AWS |
| MSK | source ARN, topic | public reports |
| Amazon MQ | source ARN, queue | assumed |
| DocumentDB | source ARN, database, collection | assumed |

Kafka mappings exclude each other in a second way: AWS takes one mapping in each consumer group of a cluster, whatever
its function and topic. The refusal for self-managed Kafka is known from a public report, and it names the servers and
the group. botocore documents that a group must be unique. Assumed: the same for MSK, and that groups of two clusters
are two groups.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from esm_operator.api import fields, values
from esm_operator.api.frozen_json import is_array
from esm_operator.api.sources import SourceType, observed_source_type

_DETAIL: Mapping[SourceType, tuple[tuple[str, ...], ...]] = {
    SourceType.MSK: (("Topics",),),
    SourceType.SELF_MANAGED_KAFKA: (("Topics",),),
    SourceType.MQ: (("Queues",),),
    SourceType.DOCUMENTDB: (
        ("DocumentDBEventSourceConfig", "DatabaseName"),
        ("DocumentDBEventSourceConfig", "CollectionName"),
    ),
}
_GROUP: Mapping[SourceType, tuple[str, str]] = {
    SourceType.MSK: ("AmazonManagedKafkaEventSourceConfig", "ConsumerGroupId"),
    SourceType.SELF_MANAGED_KAFKA: ("SelfManagedKafkaEventSourceConfig", "ConsumerGroupId"),
}
_SERVERS = ("SelfManagedEventSource", "Endpoints", "KAFKA_BOOTSTRAP_SERVERS")


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity of a mapping within one account and region."""

    function: str
    """``name`` or ``name:qualifier``; ``$LATEST`` is left out."""
    source: str
    """The event source ARN and what tells its mappings apart, or the topic of a self-managed cluster."""
    servers: frozenset[str] = frozenset()
    """The bootstrap servers of a self-managed cluster."""

    @property
    def key(self) -> tuple[str, str]:
        """What equal identities have in common; to look candidates up by."""
        return (self.function, self.source)

    def same_as(self, other: "Identity") -> bool:
        """Whether AWS would refuse one beside the other."""
        return self.key == other.key and (self.servers == other.servers or bool(self.servers & other.servers))


@dataclass(frozen=True, slots=True)
class ConsumerGroup:
    """A Kafka consumer group of one cluster."""

    name: str
    cluster: str
    """The ARN of the MSK cluster or VPC connection; empty for a self-managed cluster."""
    servers: frozenset[str] = frozenset()
    """The bootstrap servers of a self-managed cluster."""

    @property
    def path(self) -> str:
        """The field of the spec that names it."""
        config = "amazonManaged" if self.cluster else "selfManaged"
        return f"{config}KafkaEventSourceConfig.consumerGroupID"

    def same_as(self, other: "ConsumerGroup | None") -> bool:
        """Whether AWS takes no mapping in the one beside a mapping in the other."""
        if other is None or (self.name, self.cluster) != (other.name, other.cluster):
            return False
        return bool(self.cluster or self.servers & other.servers)


def consumer_group(mapping: Mapping[str, Any]) -> ConsumerGroup | None:
    """The consumer group of a mapping in AWS's spelling: an answer, or the parameters of a Create.

    Returns:
        None if there is none: another source, or parameters that leave it to AWS.
    """
    source = observed_source_type(mapping)
    path = _GROUP.get(source) if source else None
    name = fields.at(mapping, path) if path else None
    if not name:
        return None
    servers = frozenset[str](fields.at(mapping, _SERVERS) or ())
    return ConsumerGroup(str(name), str(mapping.get("EventSourceArn") or ""), servers)


def of_mapping(mapping: Mapping[str, Any]) -> Identity:
    """The identity of a mapping in AWS's spelling: an answer, or the parameters of a Create."""
    source = observed_source_type(mapping)
    function = values.function(mapping.get("FunctionArn") or mapping.get("FunctionName") or "")
    detail = [fields.at(mapping, path) for path in (_DETAIL.get(source, ()) if source else ())]
    flat = [",".join(part) if is_array(part) else str(part or "") for part in detail]
    return Identity(
        function=str(function),
        source="|".join([str(mapping.get("EventSourceArn") or source or ""), *flat]),
        servers=frozenset(fields.at(mapping, _SERVERS) or ()),
    )
