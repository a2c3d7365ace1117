"""The rules follow the tables: for each source, the fields that it accepts and those that it requires."""

import pytest

from esm_operator.api import limits, offline, rules
from esm_operator.api.field_rules import takers
from esm_operator.api.fields import FIELDS, Field
from esm_operator.api.rule import Rule
from esm_operator.api.sources import SourceType
from tests import specs
from tests.specs import BASES, spec
from tools.transition_rules import TRANSITION_RULES

SOURCES = {
    "sqs": SourceType.SQS,
    "kinesis": SourceType.KINESIS,
    "dynamodb": SourceType.DYNAMODB,
    "msk": SourceType.MSK,
    "self-managed": SourceType.SELF_MANAGED_KAFKA,
    "mq": SourceType.MQ,
    "documentdb": SourceType.DOCUMENTDB,
}

#: A valid value of each field.
VALUES: dict[str, object] = {
    "topics": ["orders"],
    "queues": ["orders"],
    "enabled": True,
    "batchSize": 10,
    "maximumBatchingWindowInSeconds": 1,
    "startingPosition": "LATEST",
    "startingPositionTimestamp": "2026-01-01T00:00:00Z",
    "filterCriteria": {"filters": [{"pattern": "{}"}]},
    "kmsKeyARN": f"arn:aws:kms:{specs.HERE}:key/11111111-2222-3333-4444-555555555555",
    "parallelizationFactor": 1,
    "tumblingWindowInSeconds": 0,
    "maximumRecordAgeInSeconds": 60,
    "maximumRetryAttempts": 0,
    "bisectBatchOnFunctionError": True,
    "destinationConfig.onFailure.destination": f"arn:aws:sqs:{specs.HERE}:failed",
    "functionResponseTypes": ["ReportBatchItemFailures"],
    "scalingConfig.maximumConcurrency": 2,
    "provisionedPollerConfig.minimumPollers": 2,
    "provisionedPollerConfig.maximumPollers": 2,
    "provisionedPollerConfig.pollerGroupName": "orders",
    "metricsConfig.metrics": ["EventCount"],
    "loggingConfig.systemLogLevel": "INFO",
    "sourceAccessConfigurations": specs.access("BASIC_AUTH=orders"),
    "amazonManagedKafkaEventSourceConfig.consumerGroupID": "orders",
    "amazonManagedKafkaEventSourceConfig.schemaRegistryConfig": {"eventRecordFormat": "JSON"},
    "selfManagedKafkaEventSourceConfig.consumerGroupID": "orders",
    "selfManagedKafkaEventSourceConfig.consumptionMode": "Stream",
    "selfManagedKafkaEventSourceConfig.schemaRegistryConfig": {"eventRecordFormat": "JSON"},
    "documentDBEventSourceConfig.databaseName": "orders",
    "documentDBEventSourceConfig.collectionName": "orders",
    "documentDBEventSourceConfig.fullDocument": "UpdateLookup",
}
SOURCE_FIELDS = {
    "functionName",
    "eventSourceARN",
    "selfManagedEventSource.endpoints.KAFKA_BOOTSTRAP_SERVERS",
}


def refused(base: str, edit: specs.Edit) -> set[str]:
    """The fields of all refusals."""
    return {rule.field for rule in offline.broken(rules.MAPPING_RULES, spec(base, edit))}


@pytest.mark.parametrize("base", SOURCES)
@pytest.mark.parametrize("row", [row for row in FIELDS if row.path not in SOURCE_FIELDS], ids=lambda row: row.path)
def test_a_source_refuses_fields_that_it_does_not_have(base: str, row: Field) -> None:
    edit = dict(specs.BASES[base]) | {row.path: VALUES[row.path]}
    if row.path == "startingPositionTimestamp":
        edit["startingPosition"] = "AT_TIMESTAMP"
    if row.path.endswith("schemaRegistryConfig"):
        edit["provisionedPollerConfig.minimumPollers"] = 2
    if base == "msk" and row.path == "sourceAccessConfigurations":
        edit[row.path] = specs.access("SASL_SCRAM_512_AUTH=orders")
    at_field = {field for field in refused(base, edit) if f"{row.path}.".startswith(f"{field}.")}
    assert bool(at_field) == (SOURCES[base] not in row.sources)


@pytest.mark.parametrize("row", [row for row in FIELDS if row.path not in SOURCE_FIELDS], ids=lambda row: row.path)
@pytest.mark.parametrize("base", BASES)
def test_a_source_requires_its_required_fields(base: str, row: Field) -> None:
    source = SOURCES.get(base, SourceType.SQS)
    if row.path in specs.BASES[base] or source in row.required:
        assert (row.path in refused(base, {row.path: None})) == (source in row.required)


@pytest.mark.parametrize("row", limits.RANGES, ids=lambda row: f"{row.path} {row}")
def test_the_limits_of_a_range_are_accepted_and_values_beyond_are_refused(row: limits.Range) -> None:
    base = next(base for base, source in SOURCES.items() if source in row.sources & takers(row.path))
    inside = [row.low, *([row.high] if row.high is not None else [])]
    outside = [row.low - 1, *([row.high + 1] if row.high is not None else [])]
    more = {"maximumBatchingWindowInSeconds": 1} if row.path == "batchSize" else {}
    for value in inside:
        assert row.path not in refused(base, {row.path: value, **more})
    for value in outside:
        assert row.path in refused(base, {row.path: value, **more})


def test_a_message_of_one_source_is_plain_text() -> None:
    rule = next(rule for rule in rules.MAPPING_RULES if rule.words.startswith("FIFO queues of {source} take no"))
    assert rule.message == (
        "FIFO queues of Amazon SQS take no maximumBatchingWindowInSeconds. Remove maximumBatchingWindowInSeconds."
    )
    assert rule.message_expression == ""


@pytest.mark.parametrize("rule", rules.MAPPING_RULES + TRANSITION_RULES, ids=lambda rule: rule.field)
def test_a_message_is_a_sentence_on_one_line(rule: Rule) -> None:
    assert rule.words.endswith(".")
    assert "\n" not in rule.words
    assert bool(rule.message) != bool(rule.message_expression)


def test_partitions_other_than_aws_are_known() -> None:
    for partition, region in (
        ("aws-cn", "cn-north-1"),
        ("aws-us-gov", "us-gov-west-1"),
        ("aws-eusc", "eusc-de-east-1"),
    ):
        arn = f"arn:{partition}:sqs:{region}:123456789012:orders"
        assert refused("sqs", {"eventSourceARN": arn, "region": region}) == set()
        assert "startingPosition" in refused("sqs", {"eventSourceARN": arn, "startingPosition": "LATEST"})


@pytest.mark.parametrize(
    ("provider", "field"),
    [
        ({"region": "Ireland"}, "region"),
        ({"region": "eu-west-1", "allowedRegions": ["eu-west-2"]}, "region"),
        ({"allowedRegions": ["Ireland"]}, "allowedRegions"),
        ({"roleARN": "esm-operator"}, "roleARN"),
        ({"externalID": "x"}, "externalID"),
        ({"endpointURL": "localhost:4566"}, "endpointURL"),
        ({"endpointURL": "http://user:S3CRET@aws.example.com"}, "endpointURL"),
        ({"endpointURL": "https://aws.example.com/path?token=S3CRET"}, "endpointURL"),
        ({"endpointURL": "https://aws.example.com#S3CRET"}, "endpointURL"),
        ({"endpointURL": "https://aws.example.com/a\x1b[2J"}, "endpointURL"),
        ({"endpointURL": "https://aws.example.com\n"}, "endpointURL"),
        ({"endpointURL": "https://aws.example.com:port"}, "endpointURL"),
        ({"defaultTags": {"aws:x": "y"}}, "defaultTags"),
        ({"defaultTags": {"AWS:x": "y"}}, "defaultTags"),
        ({"defaultTags": {"a#b": "y"}}, "defaultTags"),
        ({"defaultTags": {"a": "v*"}}, "defaultTags"),
        ({"ownership": "Resource"}, "ownership"),
        ({"ownership": "ResourceOnly", "defaultTags": {"team": "orders"}}, "defaultTags"),
        (
            {"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "Is"}]}},
            "namespaceSelector.matchExpressions",
        ),
        (
            {"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}},
            "namespaceSelector.matchExpressions",
        ),
    ],
)
def test_a_provider_config_is_refused(provider: specs.Spec, field: str) -> None:
    assert field in {rule.field for rule in offline.broken(rules.PROVIDER_CONFIG_RULES, provider)}


def test_a_provider_config_passes() -> None:
    good = {
        "region": "eu-west-1",
        "allowedRegions": ["eu-west-1"],
        "roleARN": "arn:aws:iam::123456789012:role/path/esm-operator",
        "externalID": "x",
        "endpointURL": "http://127.0.0.1:4566",
        "defaultTags": {"team": "orders", "AWS/x": "Größe @1"},
        "ownership": "Tags",
        "namespaceSelector": {
            "matchLabels": {"team": "orders"},
            "matchExpressions": [
                {"key": "a", "operator": "In", "values": ["b"]},
                {"key": "c", "operator": "Exists"},
            ],
        },
    }
    assert offline.check(rules.PROVIDER_CONFIG_RULES, good) == []
    for url in ("https://aws.example.com/a-path/b_c.d~e/", "http://[fd00::1]:4566", "https://AWS.example.com:8443"):
        assert offline.check(rules.PROVIDER_CONFIG_RULES, {"endpointURL": url}) == []
    assert offline.check(rules.PROVIDER_CONFIG_RULES, {"ownership": "ResourceOnly", "defaultTags": {}}) == []
