"""Conflicts: when AWS refuses a mapping because another one exists, and the message of the refusal.

Recorded: queues, streams (function and source ARN), self-managed Kafka (function, topic, any shared bootstrap
server). Reported: MSK (with the topic). Assumed: MQ (with the queue), DocumentDB (with database and
collection), and the qualifier behind a name in the sentences of queues and streams.

AWS also refuses the second Kafka mapping in one consumer group of one cluster, whatever its topic. Reported: the
message for self-managed Kafka, after a change of the topic. Documented by botocore: the group must be unique. Assumed:
the function does not matter and the cluster does, because the message names the event source and no function; the
message for MSK; a mapping that is being deleted still holds its group.
"""

from __future__ import annotations

from collections.abc import Mapping as Map
from typing import Any

from .arns import Function
from .configuration import Config
from .errors import AwsError
from .mappings import Mapping, Mappings
from .sources import CONSUMER_GROUP, QUEUES, STREAMS, Source
from .validation import member_name


def refuse_twin(
    mappings: Mappings,
    source: Source,
    function: Function,
    config: Config,
    asked: Map[str, Any],
    *,
    but: Mapping | None = None,
) -> None:
    """Raise AWS's conflict if a mapping with this identity exists. `but` is the mapping that is updated."""
    for other in mappings.of_source(config.get("EventSourceArn")):
        if other is not but and other.function.identity == function.identity and _same(source, other.config, config):
            raise _exists(_sentence(source, function, config, asked), other)


def refuse_consumer_group(mappings: Mappings, source: Source, config: Config, asked: Map[str, Any]) -> None:
    """Raise AWS's conflict if another mapping is in the consumer group that a Create names."""
    member = CONSUMER_GROUP.get(source, "")
    group = asked.get(member, {}).get("ConsumerGroupId")
    if group is None:
        return
    for other in mappings.of_source(config.get("EventSourceArn")):
        same_cluster = source is not Source.SELF_MANAGED_KAFKA or bool(_servers(other.config) & _servers(config))
        if same_cluster and other.config.get(member, {}).get("ConsumerGroupId") == group:
            event_source = f'arn ("{config["EventSourceArn"]}")' if source is Source.MSK else f'("{_asked(asked)}")'
            named = f'{member_name(member)}.consumerGroupId ("{group}")'
            raise _exists(f"An event source mapping with event source {event_source}, {named}", other)


def _exists(sentence: str, other: Mapping) -> AwsError:
    advice = f"Please update or delete the existing mapping with UUID {other.uuid}"
    return AwsError("ResourceConflictException", f"{sentence} already exists. {advice}")


def _same(source: Source, one: Config, other: Config) -> bool:
    if source is Source.SELF_MANAGED_KAFKA:
        return one.get("Topics") == other.get("Topics") and bool(_servers(one) & _servers(other))
    return all(one.get(member) == other.get(member) for member in ("Topics", "Queues")) and (
        _collection(one) == _collection(other)
    )


def _servers(config: Config) -> frozenset[str]:
    return frozenset(config["SelfManagedEventSource"]["Endpoints"].get("KAFKA_BOOTSTRAP_SERVERS", ()))


def _asked(asked: Map[str, Any]) -> str:
    """The bootstrap servers of a request, in their order."""
    return ",".join(asked["SelfManagedEventSource"]["Endpoints"]["KAFKA_BOOTSTRAP_SERVERS"])


def _collection(config: Config) -> tuple[Any, Any]:
    document_db = config.get("DocumentDBEventSourceConfig", {})
    return document_db.get("DatabaseName"), document_db.get("CollectionName")


def _sentence(source: Source, function: Function, config: Config, asked: Map[str, Any]) -> str:
    if source in QUEUES:
        return _with_spaces("An event source mapping with SQS arn", config, function)
    if source in STREAMS:
        return _with_spaces("The event source arn", config, function) + " provided mapping"
    if source is Source.SELF_MANAGED_KAFKA:
        servers = _asked({"SelfManagedEventSource": config["SelfManagedEventSource"], **asked})
        return (
            f'An event source mapping with event source ("{servers}"), function ("{function.arn}"), '
            f'topics ("{config["Topics"][0]}")'
        )
    what = _what(source, config)
    return (
        f'An event source mapping with event source arn ("{config["EventSourceArn"]}"), '
        f'function ("{function.arn}") and {what}'
    )


def _with_spaces(start: str, config: Config, function: Function) -> str:
    name = f"{function.name}:{function.qualifier}" if function.qualifier else function.name
    return f'{start} (" {config["EventSourceArn"]} ") and function (" {name} ")'


def _what(source: Source, config: Config) -> str:
    if source is Source.MSK:
        return f'topics ("{config["Topics"][0]}")'
    if source is Source.MQ:
        return f'queues ("{config["Queues"][0]}")'
    database, collection = _collection(config)
    return f'database ("{database}")' + (f', collection ("{collection}")' if collection else "")
