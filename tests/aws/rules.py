"""Rules about members: those that a source does not accept, and those that exclude or require each other.

The rules are one table. The first rule that a request breaks determines the answer. Each row has its origin. The table
has only rules that AWS always enforces. The server accepts a request if AWS's behaviour is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .arns import parse_arn, partition_of
from .configuration import Config, consumption_mode
from .errors import invalid_parameter
from .filters import is_pattern
from .settings import DestinationReset
from .sources import (
    ACCESS_TYPES,
    ALL,
    CONSUMER_GROUP,
    KAFKA,
    POLLERS,
    QUEUES,
    STREAMS,
    TAKEN,
    Evidence,
    Source,
)
from .validation import member_name


@dataclass(frozen=True, slots=True)
class Subject:
    """A request as the rules see it: what is asked, what the mapping would become, what it was (None: a
    Create)."""

    source: Source
    region: str
    asked: Mapping[str, Any]
    becomes: Config
    was: Config | None
    now: float
    destination_reset: DestinationReset = DestinationReset.EMPTY_TEXT

    @property
    def is_update(self) -> bool:
        return self.was is not None


# 5 is the quota, which AWS raises on request. AWS's CloudFormation schema has 20.
MOST_FILTERS = 20

Objection = Callable[[Subject], str | None]


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    evidence: Evidence
    objection: Objection
    sources: frozenset[Source] = ALL


def refuse(subject: Subject) -> None:
    """Raise the error of AWS if the request breaks a rule."""
    for rule in RULES:
        if subject.source in rule.sources and (message := rule.objection(subject)):
            raise invalid_parameter(message)


def _member_not_taken(s: Subject) -> str | None:
    for member, value in s.asked.items():
        taken = TAKEN.get(member)
        if taken and value is not None and s.source not in taken.by:
            return taken.refusal.format(member=member_name(member))
    return None


def _member_missing(s: Subject) -> str | None:
    for member, taken in TAKEN.items():
        if s.source in taken.required_by and not s.becomes.get(member):
            return f"Required '{member_name(member)}' parameter is missing."
    return None


def _no_starting_position(s: Subject) -> str | None:
    if s.becomes.get("StartingPosition") is None:
        return (
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: "
            "Member must not be null."
        )
    return None


def _at_timestamp_not_taken(s: Subject) -> str | None:
    if s.asked.get("StartingPosition") == "AT_TIMESTAMP":
        return f"Unsupported starting position for arn type: {s.asked['EventSourceArn']}"
    return None


def _timestamp(s: Subject) -> str | None:
    at = s.asked.get("StartingPositionTimestamp")
    if s.asked.get("StartingPosition") == "AT_TIMESTAMP":
        if at is None:
            return "StartingPositionTimestamp is required when StartingPosition is AT_TIMESTAMP."
        return "StartingPositionTimestamp must not be in the future." if at > s.now else None
    return None if at is None else "StartingPositionTimestamp is only valid with StartingPosition AT_TIMESTAMP."


def _fifo_batch(s: Subject) -> str | None:
    return "Batch size must not be greater than 10 for FIFO queues." if s.becomes["BatchSize"] > 10 else None


def _fifo_window(s: Subject) -> str | None:
    if s.becomes["MaximumBatchingWindowInSeconds"] > 0:
        return "Batching window is not supported for FIFO queues."
    return None


def _batch_needs_window(s: Subject) -> str | None:
    if s.becomes["BatchSize"] > 10 and s.becomes["MaximumBatchingWindowInSeconds"] < 1:
        return "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
    return None


def _on_success(s: Subject) -> str | None:
    if s.asked.get("DestinationConfig", {}).get("OnSuccess") is not None:
        return TAKEN["DestinationConfig"].refusal
    return None


def _empty_on_failure(s: Subject) -> str | None:
    asked = s.asked.get("DestinationConfig")
    if asked is None:
        return None
    on_failure = asked.get("OnFailure")
    if on_failure is None:
        refused = s.is_update and s.destination_reset is DestinationReset.REFUSED
    elif on_failure.get("Destination") == "":
        refused = s.is_update and s.destination_reset is not DestinationReset.EMPTY_TEXT
    else:
        refused = on_failure.get("Destination") is None
    return "The Destination field is required for an OnFailure configuration" if refused else None


def _destination(s: Subject) -> str | None:
    target = s.asked.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    if not target:
        return None
    if target.startswith("kafka://"):
        taken = s.source in KAFKA
    else:
        arn = parse_arn(target)
        taken = arn.service == "s3" or (arn.service in ("sqs", "sns") and bool(arn.region and arn.account))
    return None if taken else f"The provided destination config DestinationArn is invalid: {target}"


def _record_age(s: Subject) -> str | None:
    age = s.asked.get("MaximumRecordAgeInSeconds")
    if age is not None and -1 < age < 60:
        return "MaximumRecordAgeInSeconds must be -1 or between 60 and 604800."
    return None


def _queue_mode(s: Subject) -> str | None:
    if consumption_mode(s.becomes) != "Queue":
        return None
    for member in ("StartingPosition", "StartingPositionTimestamp", "MaximumBatchingWindowInSeconds"):
        if s.asked.get(member) is not None:
            return f"Unsupported '{member_name(member)}' parameter for ConsumptionMode Queue."
    if s.asked.get("MaximumRetryAttempts") == -1:
        return "MaximumRetryAttempts must not be -1 for ConsumptionMode Queue."
    return None


def _pollers_with_concurrency(s: Subject) -> str | None:
    if s.becomes.get("ScalingConfig") and s.becomes.get("ProvisionedPollerConfig"):
        return "ScalingConfig and ProvisionedPollerConfig cannot be used together."
    return None


def _pollers(s: Subject) -> str | None:
    config = s.becomes.get("ProvisionedPollerConfig")
    limits = POLLERS.get(s.source)
    if not config or limits is None:
        return None
    low, high = config["MinimumPollers"], config["MaximumPollers"]
    if low < limits.lowest:
        return f"MinimumPollers must be greater than or equal to {limits.lowest}."
    if not limits.lowest <= high <= limits.highest:
        return f"MaximumPollers must be between {limits.lowest} and {limits.highest}."
    if low > high:
        return "MinimumPollers must be less than or equal to MaximumPollers."
    if config.get("PollerGroupName") and not limits.named_group:
        return "Unsupported 'pollerGroupName' parameter for given event source mapping type."
    return None


def _metrics(s: Subject) -> str | None:
    for metric in s.asked.get("MetricsConfig", {}).get("Metrics", ()):
        if metric != "EventCount" and s.source not in KAFKA:
            return f"Unsupported metric '{metric}' for given event source mapping type."
    return None


def _schema_registry(s: Subject) -> str | None:
    # A mapping that has a registry can't go on-demand, not even by the Update that removes the registry: AWS's
    # developer guide asks to remove the registry first. The sentence is assumed.
    configs = (config.get(CONSUMER_GROUP[s.source], {}) for config in (s.becomes, s.was or {}))
    if any(config.get("SchemaRegistryConfig") for config in configs) and not s.becomes.get("ProvisionedPollerConfig"):
        return "SchemaRegistryConfig is only available for event source mappings with provisioned mode."
    return None


def _filters(s: Subject) -> str | None:
    filters = s.asked.get("FilterCriteria", {}).get("Filters", ())
    if len(filters) > MOST_FILTERS:
        return "Exceeded the maximum number of filters for an event source mapping."
    patterns = (entry["Pattern"] for entry in filters if entry.get("Pattern") is not None)
    return None if all(map(is_pattern, patterns)) else "Invalid filter pattern definition."


def _entries(s: Subject) -> list[dict[str, str]]:
    return s.asked.get("SourceAccessConfigurations", [])


def _access_objections(s: Subject) -> Iterator[str]:
    entries = _entries(s)
    types = {entry.get("Type", "") for entry in entries}
    for entry in entries:
        kind = entry.get("Type")
        if kind is None or s.source not in ACCESS_TYPES[kind]:
            yield f"Unsupported source access configuration type {kind} for given event source mapping type."
        elif kind in ("IAM_AUTH", "IAM_OAUTHBEARER_AUTH"):
            if entry.get("URI") is not None:
                yield f"URI must not be specified for source access configuration type {kind}."
        elif entry.get("URI") is None:
            yield f"URI is required for source access configuration type {kind}."
    for kind in ("OAUTHBEARER_SCOPE", "OAUTHBEARER_LOGICAL_CLUSTER", "OAUTHBEARER_IDENTITY_POOL"):
        if kind in types and "IAM_OAUTHBEARER_AUTH" in types:
            yield f"{kind} cannot be used with IAM_OAUTHBEARER_AUTH."
        elif kind in types and "OAUTHBEARER_AUTH" not in types:
            yield f"{kind} requires OAUTHBEARER_AUTH."
    if "OAUTHBEARER_AUDIENCE" in types and not types & {"OAUTHBEARER_AUTH", "IAM_OAUTHBEARER_AUTH"}:
        yield "OAUTHBEARER_AUDIENCE requires OAUTHBEARER_AUTH or IAM_OAUTHBEARER_AUTH."
    if "IAM_OAUTHBEARER_AUTH" in types and "OAUTHBEARER_AUDIENCE" not in types:
        yield "IAM_OAUTHBEARER_AUTH requires OAUTHBEARER_AUDIENCE."
    if {"IAM_OAUTHBEARER_AUTH", "OAUTHBEARER_AUTH"} <= types:
        yield "OAUTHBEARER_AUTH cannot be used with IAM_OAUTHBEARER_AUTH."


def _access(s: Subject) -> str | None:
    return next(_access_objections(s), None)


def _virtual_host(s: Subject) -> str | None:
    if s.is_update and any(entry.get("Type") == "VIRTUAL_HOST" for entry in _entries(s)):
        return "VIRTUAL_HOST cannot be specified in an UpdateEventSourceMapping API call."
    return None


def _immutable(s: Subject) -> str | None:
    if s.was is None:
        return None
    config = CONSUMER_GROUP[s.source]
    for member, missing in (("ConsumerGroupId", None), ("ConsumptionMode", "Stream")):
        before = s.was.get(config, {}).get(member, missing)
        after = s.becomes.get(config, {}).get(member, missing)
        if before != after:
            return f"{member} cannot be updated after the event source mapping is created."
    return None


def _database(s: Subject) -> str | None:
    if s.was is None:
        return None
    sent = s.asked.get("DocumentDBEventSourceConfig", {})
    refused = sorted(member_name(name) for name in ("CollectionName", "DatabaseName") if sent.get(name) is not None)
    return f"Invalid parameters: {', '.join(refused)}" if refused else None


def _no_database(s: Subject) -> str | None:
    if not s.becomes.get("DocumentDBEventSourceConfig", {}).get("DatabaseName"):
        return "Required 'databaseName' parameter is missing."
    return None


def _no_servers(s: Subject) -> str | None:
    if not s.becomes.get("SelfManagedEventSource", {}).get("Endpoints"):
        return "Required 'endpoints' parameter is missing."
    return None


def _other_region(s: Subject) -> str | None:
    arn = s.asked.get("EventSourceArn")
    if arn is None:
        return None
    source = parse_arn(arn)
    if source.region == s.region and source.partition == partition_of(s.region):
        return None
    return f"The event source must be in the same region as the event source mapping: {arn}"


# fmt: off
RULES: tuple[Rule, ...] = (
    Rule("no AT_TIMESTAMP", Evidence.RECORDED, _at_timestamp_not_taken, frozenset({Source.DYNAMODB})),
    Rule("the source takes each member", Evidence.DOCUMENTED, _member_not_taken),
    Rule("OnSuccess is refused", Evidence.RECORDED, _on_success),
    Rule("required members are there", Evidence.RECORDED, _member_missing),
    Rule("a stream has a starting position", Evidence.RECORDED, _no_starting_position, STREAMS),
    Rule("AT_TIMESTAMP and a past timestamp go together", Evidence.DOCUMENTED, _timestamp, ALL - {Source.MQ}),
    Rule("a FIFO queue has batches of 10", Evidence.DOCUMENTED, _fifo_batch, frozenset({Source.SQS_FIFO})),
    Rule("a FIFO queue has no window", Evidence.DOCUMENTED, _fifo_window, frozenset({Source.SQS_FIFO})),
    Rule("batches over 10 have a window", Evidence.RECORDED, _batch_needs_window, frozenset({Source.SQS})),
    Rule("OnFailure has a destination", Evidence.REPORTED, _empty_on_failure),
    Rule("a destination is a queue, a topic or a bucket", Evidence.DOCUMENTED, _destination),
    Rule("a record age is -1 or at least 60", Evidence.DOCUMENTED, _record_age),
    Rule("what Queue mode takes", Evidence.DOCUMENTED, _queue_mode, frozenset({Source.SELF_MANAGED_KAFKA})),
    Rule("concurrency or pollers", Evidence.REPORTED, _pollers_with_concurrency, QUEUES),
    Rule("numbers of pollers", Evidence.DOCUMENTED, _pollers, QUEUES | KAFKA),
    Rule("metrics of Kafka", Evidence.DOCUMENTED, _metrics),
    Rule("a schema registry needs pollers", Evidence.DOCUMENTED, _schema_registry, KAFKA),
    Rule("a virtual host stays", Evidence.DOCUMENTED, _virtual_host, frozenset({Source.MQ})),
    Rule("source access types", Evidence.DOCUMENTED, _access),
    Rule("consumer group and mode stay", Evidence.DOCUMENTED, _immutable, KAFKA),
    Rule("database and collection are not sent again", Evidence.REPORTED, _database, frozenset({Source.DOCUMENTDB})),
    Rule("a database", Evidence.DOCUMENTED, _no_database, frozenset({Source.DOCUMENTDB})),
    Rule("bootstrap servers", Evidence.DOCUMENTED, _no_servers, frozenset({Source.SELF_MANAGED_KAFKA})),
    Rule("filter patterns", Evidence.RECORDED, _filters),
    Rule("the source's region", Evidence.ASSUMED, _other_region),
)
# fmt: on
