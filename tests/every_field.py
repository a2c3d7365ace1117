"""A table with a row for each field of each source: values to set, and the value in AWS after the field is removed.

The table is independent of the operator's own table. It uses the names of AWS. Its sources are the AWS documentation
and recorded responses. ``test_every_field`` tests all rows end to end, and fails if the operator has a field of a
source without a row here. ``python -m tests.every_field`` prints the number of pairs of source and field.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from tests.specs import BASES, HERE, SECRET, Edit, Spec, access

OTHER_SECRET = f"arn:aws:secretsmanager:{HERE}:secret:returns"
_REGISTRY = f"arn:aws:glue:{HERE}:registry/orders"
_KEY = f"arn:aws:kms:{HERE}:key"

#: The sources. Some appear again in a mode in which a field has other values or another meaning.
SOURCES: Mapping[str, Spec] = {
    **BASES,
    "self-managed-queue": {
        **BASES["self-managed"],
        "selfManagedKafkaEventSourceConfig": {"consumptionMode": "Queue"},
    },
}
QUEUES = ("sqs", "fifo")
STREAMS = ("kinesis", "dynamodb")
SELF_MANAGED = ("self-managed", "self-managed-queue")
KAFKA = ("msk", *SELF_MANAGED)
RETRYING = (*STREAMS, *KAFKA)
ALL = tuple(SOURCES)


class Removed(Enum):
    """Special results of removing a field from the spec."""

    KEPT = "AWS keeps its last value, and the condition Synced shows it"
    REQUIRED = "the source can't do without it"


KEPT, REQUIRED = Removed.KEPT, Removed.REQUIRED


@dataclass(frozen=True, slots=True)
class Value:
    """A value as a spec has it, and as AWS returns it."""

    spec: Any
    answer: Any


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """One field of one source."""

    source: str
    path: str
    """Its path in the spec."""
    member: str
    """Its path in the answer of AWS. See :func:`answered`."""
    values: tuple[Value, Value]
    removed: Any
    """The value that AWS returns after the field is removed. None: no value."""
    beside: Edit
    """Other fields that it needs. They stay set."""


@dataclass(frozen=True, slots=True)
class Row:
    """One field of several sources."""

    path: str
    member: str
    first: Any
    second: Any
    removed: Mapping[str, Any]
    """The value that AWS returns after the field is removed, by source."""
    beside: Edit = field(default_factory=dict[str, Any])

    def pairs(self) -> Iterable[Pair]:
        """One field for each source of the row."""
        values = tuple(one if isinstance(one, Value) else Value(one, one) for one in (self.first, self.second))
        for source, removed in self.removed.items():
            yield Pair(source, self.path, self.member, (values[0], values[1]), removed, self.beside)


def on(sources: Iterable[str], removed: Any) -> dict[str, Any]:
    """A row with the same values for several sources."""
    return dict.fromkeys(sources, removed)


def _filters(*patterns: str) -> Value:
    return Value(
        {"filters": [{"pattern": pattern} for pattern in patterns]},
        {"Filters": [{"Pattern": pattern} for pattern in patterns]},
    )


def _access(*entries: str) -> Value:
    listed = access(*entries)
    return Value(
        listed,
        [{"Type": one["type"], **({"URI": one["uri"]} if "uri" in one else {})} for one in listed],
    )


_GLUE = Value(
    {
        "schemaRegistryURI": _REGISTRY,
        "eventRecordFormat": "JSON",
        "schemaValidationConfigs": [{"attribute": "KEY"}],
    },
    {
        "SchemaRegistryURI": _REGISTRY,
        "EventRecordFormat": "JSON",
        "SchemaValidationConfigs": [{"Attribute": "KEY"}],
    },
)
_CONFLUENT = Value(
    {
        "schemaRegistryURI": "https://registry.example.com",
        "eventRecordFormat": "SOURCE",
        "accessConfigs": [{"type": "BASIC_AUTH", "uri": SECRET}],
        "schemaValidationConfigs": [{"attribute": "KEY"}, {"attribute": "VALUE"}],
    },
    {
        "SchemaRegistryURI": "https://registry.example.com",
        "EventRecordFormat": "SOURCE",
        "AccessConfigs": [{"Type": "BASIC_AUTH", "URI": SECRET}],
        "SchemaValidationConfigs": [{"Attribute": "KEY"}, {"Attribute": "VALUE"}],
    },
)
_NEW, _OLD = '{"body": {"kind": ["new"]}}', '{ "body": {"kind": ["old"],\n "size": [{"numeric": [">", 3]}]} }'
_POLLERS = "provisionedPollerConfig"
_WINDOW = "maximumBatchingWindowInSeconds"
_DESTINATION = ("destinationConfig.onFailure.destination", "DestinationConfig.OnFailure.Destination")
_PROVISIONED = {f"{_POLLERS}.minimumPollers": 1, f"{_POLLERS}.maximumPollers": 3}

ROWS: tuple[Row, ...] = (
    Row("functionName", "FunctionName", "{name}:live", "{name}:next", on(ALL, REQUIRED)),
    Row("enabled", "Enabled", False, True, on(ALL, True)),
    Row("enabled", "Enabled", True, False, on(ALL, True)),
    Row("batchSize", "BatchSize", 5, 7, on(QUEUES, 10) | on((*RETRYING, "mq", "documentdb"), 100)),
    Row("batchSize", "BatchSize", 50, 5000, on(["sqs"], 10), {_WINDOW: 5}),
    Row(
        _WINDOW,
        "MaximumBatchingWindowInSeconds",
        20,
        30,
        on(["sqs", *STREAMS], 0) | on(["msk", "self-managed", "mq", "documentdb"], KEPT),
    ),
    Row("filterCriteria", "FilterCriteria", _filters(_NEW), _filters(_OLD, _NEW), on(ALL, None)),
    Row(
        "filterCriteria",
        "FilterCriteria",
        _filters(_NEW),
        _filters(_OLD, _NEW),
        on(ALL, None),
        {"kmsKeyARN": f"{_KEY}/one"},
    ),
    Row("kmsKeyARN", "KMSKeyArn", f"{_KEY}/one", f"{_KEY}/two", on(ALL, None)),
    Row("tags", "Tags", {"team": "shop"}, {"team": "orders", "stage": "test"}, on(ALL, None)),
    Row("parallelizationFactor", "ParallelizationFactor", 2, 3, on(STREAMS, 1)),
    Row("tumblingWindowInSeconds", "TumblingWindowInSeconds", 30, 60, on(STREAMS, 0)),
    Row("maximumRecordAgeInSeconds", "MaximumRecordAgeInSeconds", 60, 3600, on(RETRYING, -1)),
    Row(
        "maximumRetryAttempts",
        "MaximumRetryAttempts",
        3,
        5,
        on(RETRYING, -1) | {"self-managed-queue": 0},
    ),
    Row("bisectBatchOnFunctionError", "BisectBatchOnFunctionError", False, True, on(RETRYING, False)),
    Row("bisectBatchOnFunctionError", "BisectBatchOnFunctionError", True, False, on(RETRYING, False)),
    Row(*_DESTINATION, f"arn:aws:sqs:{HERE}:failed", "arn:aws:s3:::failed", on(RETRYING, None)),
    Row(*_DESTINATION, "kafka://failed", f"arn:aws:sns:{HERE}:failed", on(KAFKA, None)),
    Row(
        "functionResponseTypes",
        "FunctionResponseTypes",
        ["ReportBatchItemFailures"],
        [],
        on((*QUEUES, *RETRYING), None),
    ),
    Row(
        "functionResponseTypes",
        "FunctionResponseTypes",
        [],
        ["ReportBatchItemFailures"],
        on((*QUEUES, *RETRYING), None),
    ),
    Row("scalingConfig.maximumConcurrency", "ScalingConfig.MaximumConcurrency", 5, 2000, on(QUEUES, None)),
    Row(
        f"{_POLLERS}.minimumPollers",
        "ProvisionedPollerConfig.MinimumPollers",
        3,
        5,
        on(KAFKA, 1) | on(QUEUES, 2),
        {f"{_POLLERS}.maximumPollers": 50},
    ),
    Row(
        f"{_POLLERS}.maximumPollers",
        "ProvisionedPollerConfig.MaximumPollers",
        50,
        60,
        on((*KAFKA, *QUEUES), 200),
        {f"{_POLLERS}.minimumPollers": 3},
    ),
    Row(
        f"{_POLLERS}.pollerGroupName",
        "ProvisionedPollerConfig.PollerGroupName",
        "one",
        "two",
        on(KAFKA, None),
        {f"{_POLLERS}.minimumPollers": 3},
    ),
    Row(
        _POLLERS,
        "ProvisionedPollerConfig",
        Value({"minimumPollers": 3, "maximumPollers": 50}, {"MinimumPollers": 3, "MaximumPollers": 50}),
        Value({"minimumPollers": 5, "maximumPollers": 60}, {"MinimumPollers": 5, "MaximumPollers": 60}),
        on((*KAFKA, *QUEUES), None),
    ),
    Row("metricsConfig.metrics", "MetricsConfig.Metrics", ["EventCount"], [], on(ALL, None)),
    Row(
        "metricsConfig.metrics",
        "MetricsConfig.Metrics",
        ["ErrorCount", "KafkaMetrics"],
        ["EventCount", "ErrorCount"],
        on(KAFKA, None),
    ),
    Row("loggingConfig.systemLogLevel", "LoggingConfig.SystemLogLevel", "DEBUG", "WARN", on(KAFKA, KEPT)),
    Row(
        "sourceAccessConfigurations",
        "SourceAccessConfigurations",
        _access(f"SASL_SCRAM_512_AUTH={SECRET}"),
        _access(f"CLIENT_CERTIFICATE_TLS_AUTH={OTHER_SECRET}"),
        {"msk": None} | on(SELF_MANAGED, REQUIRED),
    ),
    Row(
        "sourceAccessConfigurations",
        "SourceAccessConfigurations",
        _access(f"BASIC_AUTH={SECRET}"),
        _access(f"BASIC_AUTH={OTHER_SECRET}"),
        on(["mq", "documentdb"], REQUIRED),
    ),
    Row(
        "sourceAccessConfigurations",
        "SourceAccessConfigurations",
        _access(f"BASIC_AUTH={SECRET}", "VIRTUAL_HOST=/orders"),
        _access("VIRTUAL_HOST=/orders", f"BASIC_AUTH={OTHER_SECRET}"),
        on(["mq"], REQUIRED),
    ),
    Row(
        "amazonManagedKafkaEventSourceConfig.schemaRegistryConfig",
        "AmazonManagedKafkaEventSourceConfig.SchemaRegistryConfig",
        _GLUE,
        _CONFLUENT,
        on(["msk"], KEPT),
        _PROVISIONED,
    ),
    Row(
        "selfManagedKafkaEventSourceConfig.schemaRegistryConfig",
        "SelfManagedKafkaEventSourceConfig.SchemaRegistryConfig",
        _GLUE,
        _CONFLUENT,
        on(SELF_MANAGED, KEPT),
        _PROVISIONED,
    ),
    Row(
        "documentDBEventSourceConfig.fullDocument",
        "DocumentDBEventSourceConfig.FullDocument",
        "UpdateLookup",
        "Default",
        on(["documentdb"], "Default"),
    ),
    Row(
        "documentDBEventSourceConfig.fullDocument",
        "DocumentDBEventSourceConfig.FullDocument",
        "Default",
        "UpdateLookup",
        on(["documentdb"], "Default"),
    ),
)

#: Mutable fields that a source takes, but not in this mode.
NOT_IN_THIS_MODE = frozenset({("fifo", _WINDOW), ("self-managed-queue", _WINDOW)})

PAIRS: tuple[Pair, ...] = tuple(pair for row in ROWS for pair in row.pairs())


def pairs_of(source: str) -> list[Pair]:
    """The fields of one source. Some appear twice, with other values."""
    return [pair for pair in PAIRS if pair.source == source]


def distinct() -> frozenset[tuple[str, str]]:
    """Source and field, each once."""
    return frozenset((pair.source, pair.path) for pair in PAIRS)


def answered(mapping: Mapping[str, Any], member: str) -> Any:
    """The value of a member in an answer of AWS, normalized so that equal meanings compare equal. None: no value.

    No answer carries Enabled and FunctionName: they are read from State and FunctionArn. Owner tags are left out.
    """
    if member == "Enabled":
        return {"Enabled": True, "Disabled": False}.get(str(mapping["State"]), mapping["State"])
    if member == "FunctionName":
        return str(mapping["FunctionArn"]).partition(":function:")[2]
    value: Any = mapping
    for name in member.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    if member == "Tags":
        value = {key: text for key, text in value.items() if not key.startswith("esm-operator.io/")}
    return meaning(value)


def meaning(value: Any) -> Any:
    """A value with sorted lists and parsed filter patterns, in which empty values are None."""
    if isinstance(value, Mapping):
        parts = {
            name: json.loads(part) if name == "Pattern" else meaning(part)
            for name, part in value.items()
            if part is not None
        }
        return parts or None
    if isinstance(value, list):
        return sorted((meaning(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True)) or None
    return None if value == "" else value


if __name__ == "__main__":
    print(f"{len(distinct())} pairs of source and field, with {len(PAIRS)} sequences of values")
