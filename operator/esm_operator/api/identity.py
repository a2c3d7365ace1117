"""The identity of a mapping. AWS refuses a second mapping with the identity of another.

CreateEventSourceMapping has no client token, so the operator finds a mapping again by its identity after an interrupted
Create. The inventory is indexed by it.

| source | identity, in addition to the qualified function | known from |
|---|---|---|
| SQS, Kinesis, DynamoDB | source ARN | recorded on AWS |
| self-managed Kafka | topic, and any bootstrap server in common | recorded on AWS |
| MSK | source ARN, topic | public reports |
| Amazon MQ | source ARN, queue | assumed |
| DocumentDB | source ARN, database, collection | assumed |

AWS also takes only one mapping in each consumer group of a Kafka cluster, whatever its function and topic. A public
report has the refusal for self-managed Kafka, which names the servers and the group. botocore documents that a group
must be unique. Assumed: the same for MSK, and that groups of two clusters are two groups.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from esm_operator.api import fields, values
from esm_operator.api.frozen_json import is_array
from esm_operator.api.sources import SourceType, observed_source_type

_DETAIL: Mapping[SourceType | None, tuple[tuple[str, ...], ...]] = {
    SourceType.MSK: (("Topics",),),
    SourceType.SELF_MANAGED_KAFKA: (("Topics",),),
    SourceType.MQ: (("Queues",),),
    SourceType.DOCUMENTDB: (
        ("DocumentDBEventSourceConfig", "DatabaseName"),
        ("DocumentDBEventSourceConfig", "CollectionName"),
    ),
}
_GROUP: Mapping[SourceType | None, tuple[str, str]] = {
    SourceType.MSK: ("AmazonManagedKafkaEventSourceConfig", "ConsumerGroupId"),
    SourceType.SELF_MANAGED_KAFKA: ("SelfManagedKafkaEventSourceConfig", "ConsumerGroupId"),
}


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity of a mapping within one account and region."""

    function: str
    """``name`` or ``name:qualifier``; ``$LATEST`` is left out."""
    source: str
    """The event source ARN with the topic, queue, or database and collection; for a self-managed cluster its topic."""
    servers: frozenset[str] = frozenset()
    """The bootstrap servers of a self-managed cluster."""

    @property
    def key(self) -> tuple[str, str]:
        """The key of an index. Equal identities have equal keys."""
        return (self.function, self.source)

    @property
    def keys(self) -> list[tuple[str, str, str]]:
        """Index keys. Two identities share a key if AWS refuses one mapping while the other exists."""
        return [(*self.key, server) for server in self.servers or ("",)]

    def same_as(self, other: "Identity") -> bool:
        """Whether AWS would refuse one if the other exists."""
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
    def keys(self) -> list[tuple[str, str, str]]:
        """Index keys. Two groups share a key if AWS refuses a mapping in one while the other has a mapping."""
        return [(self.name, self.cluster, server) for server in (("",) if self.cluster else self.servers)]

    @property
    def path(self) -> str:
        """The field of the spec that names it."""
        config = "amazonManaged" if self.cluster else "selfManaged"
        return f"{config}KafkaEventSourceConfig.consumerGroupID"

    def same_as(self, other: "ConsumerGroup | None") -> bool:
        """Whether AWS would refuse a mapping in one if a mapping in the other exists."""
        if other is None or (self.name, self.cluster) != (other.name, other.cluster):
            return False
        return bool(self.cluster or self.servers & other.servers)


def consumer_group(mapping: Mapping[str, Any]) -> ConsumerGroup | None:
    """The consumer group of a mapping in AWS's spelling: an answer, or the parameters of a Create; None: none."""
    path = _GROUP.get(observed_source_type(mapping))
    name = fields.at(mapping, path) if path else None
    if not name:
        return None
    return ConsumerGroup(str(name), str(mapping.get("EventSourceArn") or ""), _servers(mapping))


def digests(identity: Identity, group: ConsumerGroup | None) -> frozenset[int]:
    """Hashes of the index keys, valid in this process only. Two mappings that conflict in AWS share a hash."""
    return frozenset(map(hash, [*identity.keys, *(group.keys if group is not None else ())]))


def of_mapping(mapping: Mapping[str, Any]) -> Identity:
    """The identity of a mapping in AWS's spelling: an answer, or the parameters of a Create."""
    source = observed_source_type(mapping)
    function = values.function(mapping.get("FunctionArn") or mapping.get("FunctionName") or "")
    detail = [fields.at(mapping, path) for path in _DETAIL.get(source, ())]
    flat = [",".join(part) if is_array(part) else str(part or "") for part in detail]
    return Identity(
        function=str(function),
        source="|".join([str(mapping.get("EventSourceArn") or source or ""), *flat]),
        servers=_servers(mapping),
    )


def _servers(mapping: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(fields.at(mapping, ("SelfManagedEventSource", "Endpoints", "KAFKA_BOOTSTRAP_SERVERS")) or ())
