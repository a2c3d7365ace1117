"""Cases of refused specs: a valid spec, the edit that makes it invalid, the expected message, and a valid counterpart.

The end-to-end tests send each case to the real API server. The unit tests pass each case to the offline check. Both
must give the same result.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.specs import (
    ACCESS,
    ARN,
    AT,
    BASES,
    BASIC_AUTH,
    BATCH,
    DOCUMENTDB,
    DYNAMODB,
    HERE,
    KAFKA_REGISTRY,
    KINESIS,
    MODE,
    MQ,
    MSK,
    MSK_REGISTRY,
    POLLERS,
    SELF_MANAGED,
    SQS,
    STAMP,
    WINDOW,
    Edit,
    Spec,
    access,
    filters,
    registry_access,
    spec,
    tags,
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """One case."""

    name: str
    base: str
    bad: Edit
    """Values of fields, by path. None removes a field."""
    good: Edit
    """The counterpart, which must be accepted."""
    says: tuple[str, ...]
    """Texts of the message: the field, the source type and the remedy."""
    also: Edit = field(default_factory=dict[str, Any])
    """Fields that the refused spec and its counterpart have."""

    @property
    def spec(self) -> Spec:
        return spec(self.base, {**self.also, **self.bad})

    @property
    def opposite(self) -> Spec:
        return spec(self.base, {**self.also, **self.good})


REFUSALS: tuple[Refusal, ...] = (
    Refusal(
        "a position on SQS",
        "sqs",
        {"startingPosition": "LATEST"},
        {},
        ("startingPosition", SQS, "Remove startingPosition"),
    ),
    Refusal(
        "no position on Kinesis",
        "kinesis",
        {"startingPosition": None},
        {},
        ("startingPosition", KINESIS, "LATEST"),
    ),
    Refusal(
        "no position on DynamoDB",
        "dynamodb",
        {"startingPosition": None},
        {},
        ("startingPosition", DYNAMODB, "LATEST"),
    ),
    Refusal(
        "AT_TIMESTAMP without timestamp",
        "kinesis",
        {"startingPosition": AT},
        {"startingPosition": AT, "startingPositionTimestamp": STAMP},
        ("startingPositionTimestamp", KINESIS, "Set startingPositionTimestamp"),
    ),
    Refusal(
        "a timestamp without AT_TIMESTAMP",
        "kinesis",
        {"startingPositionTimestamp": STAMP},
        {},
        ("startingPositionTimestamp", KINESIS, "remove startingPositionTimestamp"),
    ),
    Refusal(
        "AT_TIMESTAMP on DynamoDB",
        "dynamodb",
        {"startingPosition": AT},
        {"startingPosition": "TRIM_HORIZON"},
        ("startingPosition", DYNAMODB, "TRIM_HORIZON or LATEST"),
    ),
    Refusal(
        "two topics",
        "msk",
        {"topics": ["orders", "returns"]},
        {},
        ("topics", MSK, "exactly 1", "another resource"),
    ),
    Refusal("no topic on MSK", "msk", {"topics": None}, {}, ("topics", MSK, "Name the topic")),
    Refusal(
        "no topic on Kafka",
        "self-managed",
        {"topics": None},
        {},
        ("topics", SELF_MANAGED, "Name the topic"),
    ),
    Refusal("two queues", "mq", {"queues": ["orders", "returns"]}, {}, ("queues", MQ, "exactly 1")),
    Refusal("no queue", "mq", {"queues": None}, {}, ("queues", MQ, "Name the queue")),
    Refusal(
        "queues on Kinesis",
        "kinesis",
        {"queues": ["orders"]},
        {},
        ("queues", KINESIS, MQ, "Remove queues"),
    ),
    Refusal("no source", "sqs", {ARN: None}, {}, (ARN, "The spec has no source", "Set eventSourceARN")),
    Refusal(
        "two sources",
        "self-managed",
        {ARN: BASES["msk"][ARN]},
        {},
        ("selfManagedEventSource", MSK, "Remove one of the two"),
    ),
    Refusal(
        "both Kafka configs",
        "msk",
        {"selfManagedKafkaEventSourceConfig.consumerGroupID": "orders"},
        {},
        ("selfManagedKafkaEventSourceConfig", MSK, "Remove selfManagedKafkaEventSourceConfig"),
        {"amazonManagedKafkaEventSourceConfig.consumerGroupID": "orders"},
    ),
    Refusal(
        "the MSK config on Kafka",
        "self-managed",
        {"amazonManagedKafkaEventSourceConfig.consumerGroupID": "orders"},
        {"selfManagedKafkaEventSourceConfig.consumerGroupID": "orders"},
        (
            "amazonManagedKafkaEventSourceConfig",
            SELF_MANAGED,
            "Remove amazonManagedKafkaEventSourceConfig",
        ),
    ),
    Refusal(
        "scalingConfig on Kinesis",
        "kinesis",
        {"scalingConfig.maximumConcurrency": 5},
        {},
        ("scalingConfig", KINESIS, SQS, "Remove scalingConfig"),
    ),
    Refusal(
        "maximumConcurrency 1",
        "sqs",
        {"scalingConfig.maximumConcurrency": 1},
        {"scalingConfig.maximumConcurrency": 1_001},
        ("scalingConfig.maximumConcurrency", SQS, "at least 2"),
    ),
    Refusal(
        "scaling with pollers",
        "sqs",
        {"scalingConfig.maximumConcurrency": 5},
        {},
        ("scalingConfig", SQS, POLLERS, "Remove one of the two"),
        {f"{POLLERS}.minimumPollers": 2},
    ),
    Refusal(
        "pollers on DynamoDB",
        "dynamodb",
        {f"{POLLERS}.minimumPollers": 2},
        {},
        (POLLERS, DYNAMODB, f"Remove {POLLERS}"),
    ),
    Refusal(
        "min > max pollers",
        "msk",
        {f"{POLLERS}.minimumPollers": 6},
        {f"{POLLERS}.minimumPollers": 5},
        (POLLERS, MSK, "Lower minimumPollers, or raise maximumPollers"),
        {f"{POLLERS}.maximumPollers": 5},
    ),
    Refusal(
        "one poller on SQS",
        "sqs",
        {f"{POLLERS}.minimumPollers": 1},
        {f"{POLLERS}.minimumPollers": 2},
        (f"{POLLERS}.minimumPollers", SQS, "from 2 to 200"),
    ),
    Refusal(
        "2,001 pollers on MSK",
        "msk",
        {f"{POLLERS}.maximumPollers": 2_001},
        {f"{POLLERS}.maximumPollers": 2_000},
        (f"{POLLERS}.maximumPollers", MSK, "from 1 to 2,000"),
    ),
    Refusal(
        "a poller group on SQS",
        "sqs",
        {f"{POLLERS}.pollerGroupName": "orders"},
        {},
        (f"{POLLERS}.pollerGroupName", SQS, f"Remove {POLLERS}.pollerGroupName"),
        {f"{POLLERS}.minimumPollers": 2},
    ),
    Refusal("batch 0", "kinesis", {BATCH: 0}, {BATCH: 1}, (BATCH, KINESIS, "from 1 to 10,000")),
    Refusal("batch 10,001", "msk", {BATCH: 10_001}, {BATCH: 10_000}, (BATCH, MSK, "from 1 to 10,000")),
    Refusal("batch 11 on FIFO", "fifo", {BATCH: 11}, {BATCH: 10}, (BATCH, "FIFO", SQS, "at most 10")),
    Refusal(
        "batch 11 on SQS without window",
        "sqs",
        {BATCH: 11},
        {BATCH: 11, WINDOW: 1},
        (WINDOW, SQS, "at least 1", "batchSize"),
    ),
    Refusal("window 301", "kinesis", {WINDOW: 301}, {WINDOW: 300}, (WINDOW, KINESIS, "from 0 to 300")),
    Refusal("a window on FIFO", "fifo", {WINDOW: 1}, {}, (WINDOW, "FIFO", SQS, f"Remove {WINDOW}")),
    Refusal(
        "a window in Queue mode",
        "self-managed",
        {WINDOW: 1},
        {},
        (WINDOW, SELF_MANAGED, "consumptionMode Queue", f"Remove {WINDOW}"),
        {MODE: "Queue"},
    ),
    Refusal(
        "a position in Queue mode",
        "self-managed",
        {"startingPosition": "LATEST"},
        {},
        ("startingPosition", SELF_MANAGED, "consumptionMode Queue", "Remove startingPosition"),
        {MODE: "Queue"},
    ),
    Refusal(
        "endless retries in Queue mode",
        "self-managed",
        {"maximumRetryAttempts": -1},
        {"maximumRetryAttempts": 0},
        ("maximumRetryAttempts", SELF_MANAGED, "consumptionMode Queue", "0 or more"),
        {MODE: "Queue"},
    ),
    Refusal(
        "factor 11",
        "kinesis",
        {"parallelizationFactor": 11},
        {"parallelizationFactor": 10},
        ("parallelizationFactor", KINESIS, "from 1 to 10"),
    ),
    Refusal(
        "a factor on SQS",
        "sqs",
        {"parallelizationFactor": 2},
        {},
        ("parallelizationFactor", SQS, "Remove parallelizationFactor"),
    ),
    Refusal(
        "record age 30",
        "dynamodb",
        {"maximumRecordAgeInSeconds": 30},
        {"maximumRecordAgeInSeconds": -1},
        ("maximumRecordAgeInSeconds", DYNAMODB, "-1 or from 60 to 604,800"),
    ),
    Refusal(
        "retries -2",
        "kinesis",
        {"maximumRetryAttempts": -2},
        {"maximumRetryAttempts": -1},
        ("maximumRetryAttempts", KINESIS, "from -1 to 10,000"),
    ),
    Refusal(
        "a tumbling window of 901",
        "kinesis",
        {"tumblingWindowInSeconds": 901},
        {"tumblingWindowInSeconds": 900},
        ("tumblingWindowInSeconds", KINESIS, "from 0 to 900"),
    ),
    Refusal(
        "a tumbling window on MSK",
        "msk",
        {"tumblingWindowInSeconds": 60},
        {},
        ("tumblingWindowInSeconds", MSK, "Remove tumblingWindowInSeconds"),
    ),
    Refusal(
        "21 filters",
        "sqs",
        {"filterCriteria.filters": filters(21)},
        {"filterCriteria.filters": filters(20)},
        ("filters", SQS, "at most 20", "Remove some"),
    ),
    Refusal(
        "a long pattern",
        "sqs",
        {"filterCriteria.filters": [{"pattern": '{"body": ["' + "x" * 4_084 + '"]}'}]},
        {"filterCriteria.filters": [{"pattern": '{"body": ["' + "x" * 4_082 + '"]}'}]},
        ("filterCriteria.filters", SQS, "4,096 characters", "Shorten the pattern"),
    ),
    Refusal(
        "a metric of Kafka on SQS",
        "sqs",
        {"metricsConfig.metrics": ["EventCount", "KafkaMetrics"]},
        {"metricsConfig.metrics": ["EventCount"]},
        ("metricsConfig.metrics", SQS, "KafkaMetrics", "Remove ErrorCount and KafkaMetrics"),
    ),
    Refusal(
        "logging on SQS",
        "sqs",
        {"loggingConfig.systemLogLevel": "INFO"},
        {},
        ("loggingConfig", SQS, "Remove loggingConfig"),
    ),
    Refusal(
        "no database",
        "documentdb",
        {"documentDBEventSourceConfig": {"collectionName": "orders"}},
        {},
        ("documentDBEventSourceConfig.databaseName", DOCUMENTDB, "Name the database"),
    ),
    Refusal(
        "a database on SQS",
        "sqs",
        {"documentDBEventSourceConfig.databaseName": "orders"},
        {},
        ("documentDBEventSourceConfig", SQS, "Remove documentDBEventSourceConfig"),
    ),
    Refusal("an invalid ARN", "sqs", {ARN: "orders"}, {}, (ARN, "must be an ARN such as")),
    Refusal(
        "the ARN of another service",
        "sqs",
        {ARN: f"arn:aws:sns:{HERE}:orders"},
        {},
        (ARN, "cannot read from", SQS),
    ),
    Refusal(
        "the ARN of a table",
        "dynamodb",
        {ARN: f"arn:aws:dynamodb:{HERE}:table/orders"},
        {},
        (ARN, DYNAMODB, "/stream/"),
    ),
    Refusal(
        "the ARN of a queue without an account",
        "sqs",
        {ARN: "arn:aws:sqs:eu-west-1::orders"},
        {ARN: f"arn:aws:sqs:{HERE}:orders"},
        (ARN, SQS, "needs the ARN of a queue", f"arn:aws:sqs:{HERE}:my-queue"),
    ),
    Refusal(
        "the ARN of a queue without a region",
        "fifo",
        {ARN: "arn:aws:sqs::123456789012:orders.fifo"},
        {ARN: f"arn:aws:sqs:{HERE}:orders.fifo"},
        (ARN, SQS, "needs the ARN of a queue", f"arn:aws:sqs:{HERE}:my-queue"),
    ),
    Refusal(
        "the ARN of a stream without stream/",
        "kinesis",
        {ARN: f"arn:aws:kinesis:{HERE}:orders"},
        {ARN: f"arn:aws:kinesis:{HERE}:stream/orders/consumer/me:1"},
        (ARN, KINESIS, "needs the ARN of a stream", "stream/my-stream"),
    ),
    Refusal(
        "the ARN of a table index",
        "dynamodb",
        {ARN: f"arn:aws:dynamodb:{HERE}:table/orders/index/by-date"},
        {ARN: f"arn:aws:dynamodb:{HERE}:table/orders/stream/2026-01-01T00:00:00.000"},
        (ARN, DYNAMODB, "LatestStreamArn"),
    ),
    Refusal(
        "the ARN of an MSK topic",
        "msk",
        {ARN: f"arn:aws:kafka:{HERE}:topic/orders/1-2/orders"},
        {ARN: f"arn:aws:kafka:{HERE}:vpc-connection/123456789012/orders/1-2"},
        (ARN, MSK, "needs the ARN of a cluster", "cluster/my-cluster"),
    ),
    Refusal(
        "the ARN of a broker configuration",
        "mq",
        {ARN: f"arn:aws:mq:{HERE}:configuration:c-1"},
        {ARN: f"arn:aws:mq:{HERE}:broker:orders:b-1"},
        (ARN, MQ, "needs the ARN of a broker", "broker:my-broker"),
    ),
    Refusal(
        "the ARN of an instance of a database",
        "documentdb",
        {ARN: f"arn:aws:rds:{HERE}:db:orders"},
        {ARN: f"arn:aws:rds:{HERE}:cluster:orders"},
        (ARN, DOCUMENTDB, "needs the ARN of a cluster", "cluster:my-cluster"),
    ),
    Refusal(
        "another region than the ARN's",
        "sqs",
        {"region": "us-east-1"},
        {"region": "eu-west-1"},
        ("region", "us-east-1", SQS, "eu-west-1", "Correct or remove region"),
    ),
    Refusal(
        "an invalid function name",
        "sqs",
        {"functionName": "my function"},
        {"functionName": f"arn:aws:lambda:{HERE}:function:orders:$LATEST"},
        ("functionName", SQS, "my-function:live"),
    ),
    Refusal(
        "a destination of another service",
        "kinesis",
        {"destinationConfig.onFailure.destination": f"arn:aws:lambda:{HERE}:function:orders"},
        {"destinationConfig.onFailure.destination": "arn:aws:s3:::orders"},
        ("destinationConfig.onFailure.destination", KINESIS, "an SQS queue, an SNS topic or an S3 bucket"),
    ),
    Refusal(
        "a destination without an account",
        "kinesis",
        {"destinationConfig.onFailure.destination": "arn:aws:sns:eu-west-1::failed"},
        {"destinationConfig.onFailure.destination": f"arn:aws:sns:{HERE}:failed"},
        ("destinationConfig.onFailure.destination", KINESIS, "an SQS queue, an SNS topic or an S3 bucket"),
    ),
    Refusal(
        "a Kafka topic as destination on Kinesis",
        "kinesis",
        {"destinationConfig.onFailure.destination": "kafka://failed"},
        {"destinationConfig.onFailure.destination": f"arn:aws:sns:{HERE}:failed"},
        ("destinationConfig.onFailure.destination", KINESIS, "Set the ARN"),
    ),
    Refusal(
        "the operator's tags",
        "sqs",
        {"tags": {"esm-operator.io/name": "orders"}},
        {"tags": {"name": "orders"}},
        ("tags", SQS, "reserved", "another name"),
    ),
    Refusal(
        "the operator's tags in mixed letters",
        "sqs",
        {"tags": {"ESM-Operator.io/cluster": "green"}},
        {"tags": {"ESM-Operator.io": "green"}},
        ("tags", SQS, "reserved", "another name"),
    ),
    Refusal(
        "AWS's tags",
        "kinesis",
        {"tags": {"aws:name": "orders"}},
        {"tags": {"awsome": "orders"}},
        ("tags", KINESIS, "reserved", "another name"),
    ),
    Refusal(
        "AWS's tags in capital letters",
        "sqs",
        {"tags": {"AWS:x": "v"}},
        {"tags": {"AWS/x": "aws:y"}},
        ("tags", SQS, "reserved", "another name"),
    ),
    Refusal(
        "AWS's tags in mixed letters",
        "sqs",
        {"tags": {"aWs:": "v"}},
        {"tags": {"x:aWs:": "v", "x/ESM-operator.io/": "z"}},
        ("tags", SQS, "reserved", "another name"),
    ),
    Refusal(
        "a tag key with a character that AWS does not accept",
        "sqs",
        {"tags": {"team": "shop", "a#b": "v"}},
        {"tags": {"team": "shop", "Schlüssel /:_.=+-@": "v"}},
        ("tags", SQS, "a#b", "Use only letters"),
    ),
    Refusal(
        "a tag value with a character that AWS does not accept",
        "kinesis",
        {"tags": {"team": "shop", "ab": "v*"}},
        {"tags": {"team": "", "ab": "Größe\u3000½ Ⅳ १ 北_.:/=+-@"}},
        ("tags", KINESIS, "ab", "Use only letters"),
    ),
    Refusal(
        "a tag value with a line break",
        "sqs",
        {"tags": {"team": "shop\nblue"}},
        {"tags": {"team": "shop\u2028blue"}},
        ("tags", SQS, "team", "Use only letters"),
    ),
    Refusal(
        "a long tag key",
        "sqs",
        {"tags": {"k" * 129: "value"}},
        {"tags": {"k" * 128: "value"}},
        ("tags", SQS, "128 characters", "Correct the key"),
    ),
    Refusal(
        "a long tag value",
        "sqs",
        {"tags": {"key": "ü" * 257}},
        {"tags": {"key": "ü" * 256}},
        ("tags", SQS, "256 characters", "Shorten the value"),
    ),
    Refusal("47 tags", "sqs", {"tags": tags(47)}, {"tags": tags(46)}, ("46 tags", SQS, "Remove some")),
    Refusal(
        "an access configuration without uri",
        "mq",
        {ACCESS: access("BASIC_AUTH")},
        {},
        (ACCESS, MQ, "no uri", "Add uri or uriRef"),
    ),
    Refusal(
        "IAM_AUTH with uri",
        "self-managed",
        {ACCESS: access("IAM_AUTH=orders")},
        {ACCESS: access("IAM_AUTH")},
        (ACCESS, SELF_MANAGED, "IAM_AUTH", "Remove uri or uriRef"),
    ),
    Refusal(
        "an access type of another source",
        "mq",
        {ACCESS: access("SASL_SCRAM_512_AUTH=orders")},
        {ACCESS: access("BASIC_AUTH=orders", "VIRTUAL_HOST=/orders")},
        (ACCESS, MQ, "BASIC_AUTH and VIRTUAL_HOST", "Remove the entries"),
    ),
    Refusal("no access configuration on MQ", "mq", {ACCESS: None}, {}, (ACCESS, MQ, "login configuration")),
    Refusal(
        "an access configuration on SQS",
        "sqs",
        {ACCESS: [BASIC_AUTH]},
        {},
        (ACCESS, SQS, f"Remove {ACCESS}"),
    ),
    Refusal(
        "30 access configurations",
        "self-managed",
        {ACCESS: access(*(f"VPC_SUBNET=subnet:subnet-{number}" for number in range(30)))},
        {ACCESS: access(*(f"VPC_SUBNET=subnet:subnet-{number}" for number in range(29)))},
        (ACCESS, SELF_MANAGED, "at most 29", "Remove some"),
    ),
    Refusal(
        "three access configurations of a registry of MSK",
        "msk",
        {f"{MSK_REGISTRY}.accessConfigs": registry_access(3)},
        {f"{MSK_REGISTRY}.accessConfigs": registry_access(2)},
        (f"{MSK_REGISTRY}.accessConfigs", MSK, "at most 2", "Remove some"),
        {f"{POLLERS}.minimumPollers": 1},
    ),
    Refusal(
        "three access configurations of a registry of Kafka",
        "self-managed",
        {f"{KAFKA_REGISTRY}.accessConfigs": registry_access(3)},
        {f"{KAFKA_REGISTRY}.accessConfigs": registry_access(2)},
        (f"{KAFKA_REGISTRY}.accessConfigs", SELF_MANAGED, "at most 2", "Remove some"),
        {f"{POLLERS}.minimumPollers": 1},
    ),
    Refusal(
        "a scope without OAuth",
        "self-managed",
        {ACCESS: access("OAUTHBEARER_SCOPE=orders")},
        {ACCESS: access("OAUTHBEARER_AUTH=orders", "OAUTHBEARER_SCOPE=orders")},
        (ACCESS, SELF_MANAGED, "OAUTHBEARER_SCOPE", "needs an entry OAUTHBEARER_AUTH", "Add that entry"),
    ),
    Refusal(
        "IAM OAuth without audience",
        "self-managed",
        {ACCESS: access("IAM_OAUTHBEARER_AUTH")},
        {ACCESS: access("IAM_OAUTHBEARER_AUTH", "OAUTHBEARER_AUDIENCE=orders")},
        (ACCESS, SELF_MANAGED, "needs an entry OAUTHBEARER_AUDIENCE"),
    ),
    Refusal(
        "IAM OAuth with a scope",
        "self-managed",
        {
            ACCESS: access(
                "IAM_OAUTHBEARER_AUTH",
                "OAUTHBEARER_AUTH=a",
                "OAUTHBEARER_AUDIENCE=orders",
                "OAUTHBEARER_SCOPE=orders",
            )
        },
        {ACCESS: access("IAM_OAUTHBEARER_AUTH", "OAUTHBEARER_AUDIENCE=orders")},
        (ACCESS, SELF_MANAGED, "cannot be combined", "Remove one of them"),
    ),
    Refusal(
        "a schema registry without pollers",
        "msk",
        {},
        {f"{POLLERS}.minimumPollers": 1},
        (POLLERS, MSK, f"Add {POLLERS}"),
        {
            MSK_REGISTRY: {
                "schemaRegistryURI": "https://registry.example.com",
                "eventRecordFormat": "JSON",
                "accessConfigs": [BASIC_AUTH],
                "schemaValidationConfigs": [{"attribute": "KEY"}],
            }
        },
    ),
    Refusal(
        "a server without port",
        "self-managed",
        {"selfManagedEventSource.endpoints.KAFKA_BOOTSTRAP_SERVERS": ["kafka-1.example.com"]},
        {},
        ("KAFKA_BOOTSTRAP_SERVERS", SELF_MANAGED, "kafka-1.example.com:9092"),
    ),
    Refusal(
        "a system collection",
        "documentdb",
        {"documentDBEventSourceConfig.collectionName": "system.users"},
        {"documentDBEventSourceConfig.collectionName": "systems"},
        ("documentDBEventSourceConfig.collectionName", DOCUMENTDB, "Name another"),
    ),
    Refusal(
        "another owner's mapping, and the policy Never",
        "sqs",
        {"adoption": {"takeOverFrom": "a/b/c"}},
        {"adoption": {"policy": "Required", "takeOverFrom": "a/b/c"}},
        ("adoption.policy", "IfExists or Required"),
    ),
    Refusal(
        "an owner without its namespace",
        "sqs",
        {"adoption": {"policy": "IfExists", "takeOverFrom": "old-orders"}},
        {"adoption": {"policy": "IfExists", "takeOverFrom": "shop/old-orders"}},
        ("adoption.takeOverFrom", "NAMESPACE/NAME"),
    ),
    Refusal(
        "a ConfigMap whose name is a path",
        "sqs",
        {"outputs": {"configMapName": "../secrets/orders"}},
        {"outputs": {"configMapName": "orders.mapping-1"}},
        ("outputs.configMapName", "the name of a ConfigMap", "orders-mapping"),
    ),
    Refusal(
        "a UUID to adopt, and the policy Never",
        "sqs",
        {"adoption": {"uuid": "11111111-2222-3333-4444-555555555555"}},
        {"adoption": {"policy": "IfExists", "uuid": "11111111-2222-3333-4444-555555555555"}},
        ("adoption.policy", "IfExists or Required"),
    ),
    Refusal(
        "a misspelt ignored field",
        "sqs",
        {"ignoreChanges": ["enabled", "batchsize"]},
        {"ignoreChanges": ["enabled", "batchSize"]},
        ("batchsize in ignoreChanges", "Write the path of a field", "batchSize"),
    ),
    Refusal(
        "an ignored field with its parent as in AWS",
        "msk",
        {"ignoreChanges": ["ProvisionedPollerConfig.MaximumPollers"]},
        {"ignoreChanges": ["provisionedPollerConfig.maximumPollers", "provisionedPollerConfig"]},
        ("ProvisionedPollerConfig.MaximumPollers in ignoreChanges", "provisionedPollerConfig.maximumPollers"),
    ),
    Refusal(
        "an ignored tag without a key",
        "sqs",
        {"ignoreChanges": ["tags."]},
        {"ignoreChanges": ["tags", "tags.team", "tags.app.kubernetes.io/name"]},
        ("tags. in ignoreChanges", "tags.KEY"),
    ),
    Refusal(
        "an ignored function",
        "sqs",
        {"ignoreChanges": ["functionName"]},
        {},
        ("functionName cannot be in ignoreChanges", "finds the mapping by it", "Remove the entry"),
    ),
    Refusal(
        "a structure with the collection ignored",
        "documentdb",
        {"ignoreChanges": ["documentDBEventSourceConfig"]},
        {"ignoreChanges": ["documentDBEventSourceConfig.fullDocument"]},
        ("documentDBEventSourceConfig cannot be in ignoreChanges",),
    ),
    Refusal(
        "an ignored owner tag",
        "sqs",
        {"ignoreChanges": ["tags.esm-operator.io/name"]},
        {"ignoreChanges": ["tags.name"]},
        ("tags.esm-operator.io/name in ignoreChanges is a reserved tag", "Remove the entry"),
    ),
)

_ACK, _STRIMZI = "services.k8s.aws/v1alpha1", "kafka.strimzi.io/v1"
_QUEUE = {"apiVersion": f"sqs.{_ACK}", "kind": "Queue", "name": "orders"}
_STREAM = {"apiVersion": "kinesis.aws.m.upbound.io/v1beta1", "kind": "Stream", "name": "orders"}
_BROKER = {"apiVersion": f"mq.{_ACK}", "kind": "Broker", "name": "orders"}
_CLUSTER = {"apiVersion": f"kafka.{_ACK}", "kind": "Cluster", "name": "orders"}
_DATABASE = {"apiVersion": "docdb.aws.upbound.io/v1beta1", "kind": "Cluster", "name": "orders"}
_CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "name": "orders", "key": "value"}
_OTHER = {"apiVersion": "example.com/v1", "kind": "App", "name": "orders", "fieldPath": "status.value"}

#: By reference field: a base, the fields that it replaces, the field to set, and how it holds a reference ("@").
_REFERENCE_PLACES: Mapping[str, tuple[str, Edit, str, Any]] = {
    "functionRef": ("sqs", {"functionName": None}, "functionRef", "@"),
    "eventSourceRef": ("sqs", {ARN: None}, "eventSourceRef", "@"),
    "selfManagedEventSource.bootstrapServersRef": (
        "self-managed",
        {},
        "selfManagedEventSource",
        {"bootstrapServersRef": "@"},
    ),
    "topicRef": ("msk", {"topics": None}, "topicRef", "@"),
    "kmsKeyRef": ("sqs", {}, "kmsKeyRef", "@"),
    "destinationConfig.onFailure.destinationRef": (
        "kinesis",
        {},
        "destinationConfig",
        {"onFailure": {"destinationRef": "@"}},
    ),
    "sourceAccessConfigurations.uriRef": ("mq", {}, ACCESS, [{"type": "BASIC_AUTH", "uriRef": "@"}]),
}
#: Wrong references to a ConfigMap or an App, and their counterparts.
_WRONG_REFERENCES: Mapping[str, tuple[Spec, Spec, tuple[str, ...]]] = {
    "a name": ({**_CONFIG, "name": "Orders"}, _CONFIG, ("not a valid reference", "Correct apiVersion")),
    "an apiVersion": (
        {**_OTHER, "apiVersion": "example.com"},
        _OTHER,
        ("not a valid reference", "Correct apiVersion"),
    ),
    "a namespace": ({**_CONFIG, "namespace": "a.b"}, {**_CONFIG, "namespace": "a-b"}, ("not a valid reference",)),
    "a Secret": ({**_CONFIG, "kind": "Secret", "fieldPath": "data.a"}, _CONFIG, ("names a Secret", "another object")),
    "an own kind": (
        {**_OTHER, "apiVersion": "lambda.esm-operator.io/v1", "kind": "EventSourceMapping"},
        _OTHER,
        ("a resource of this operator", "another object"),
    ),
    "no fieldPath": (
        {name: value for name, value in _OTHER.items() if name != "fieldPath"},
        _OTHER,
        ("needs fieldPath", "ConfigMap do not need it", "Add fieldPath"),
    ),
    "a fieldPath": ({**_OTHER, "fieldPath": "status..value"}, _OTHER, ("fieldPath in", "Correct fieldPath")),
    "no key": ({name: value for name, value in _CONFIG.items() if name != "key"}, _CONFIG, ("needs key", "Add or")),
    "a needless key": ({**_OTHER, "key": "a"}, _OTHER, ("cannot have key", "remove key")),
}


def _with_reference(place: Any, reference: Spec) -> Any:
    """A value with a reference in place of "@"."""
    if isinstance(place, dict):
        return {name: _with_reference(part, reference) for name, part in place.items()}  # pyright: ignore
    if isinstance(place, list):
        return [_with_reference(part, reference) for part in place]  # pyright: ignore
    return reference if place == "@" else place


def _reference_refusals() -> Iterator[Refusal]:
    for name, (base, replaced, path, place) in _REFERENCE_PLACES.items():
        for what, (bad, good, says) in _WRONG_REFERENCES.items():
            yield Refusal(
                f"{what} in {name}",
                base,
                {path: _with_reference(place, bad)},
                {path: _with_reference(place, good)},
                (name, *says),
                replaced,
            )
        yield Refusal(
            f"the ConfigMap of outputs in {name}",
            base,
            {path: _with_reference(place, _CONFIG)},
            {path: _with_reference(place, {**_CONFIG, "namespace": "other"})},
            ("outputs.configMapName", "another ConfigMap"),
            {**replaced, "outputs": {"configMapName": _CONFIG["name"]}},
        )


#: By the reference of a source: fields that the source does not take, with a value.
_NOT_TAKEN: tuple[tuple[Spec, Edit], ...] = (
    (
        _QUEUE,
        {
            "topics": ["orders"],
            "topicRef": {"apiVersion": _STRIMZI, "kind": "KafkaTopic", "name": "orders"},
            "queues": ["orders"],
            "startingPosition": "LATEST",
            "startingPositionTimestamp": STAMP,
            "parallelizationFactor": 1,
            "tumblingWindowInSeconds": 0,
            "maximumRecordAgeInSeconds": 60,
            "maximumRetryAttempts": 0,
            "bisectBatchOnFunctionError": True,
            "destinationConfig": {"onFailure": {"destinationRef": _QUEUE}},
            "loggingConfig": {"systemLogLevel": "INFO"},
            ACCESS: [BASIC_AUTH],
            "amazonManagedKafkaEventSourceConfig": {"consumerGroupID": "orders"},
            "selfManagedKafkaEventSourceConfig": {"consumerGroupID": "orders"},
            "documentDBEventSourceConfig": {"databaseName": "orders"},
        },
    ),
    (_STREAM, {"scalingConfig": {"maximumConcurrency": 2}, POLLERS: {"minimumPollers": 2}}),
    (_BROKER, {"functionResponseTypes": ["ReportBatchItemFailures"]}),
)
#: By the reference of a source: the fields that the source needs.
_NEEDED: tuple[tuple[Spec, Edit], ...] = (
    (_STREAM, {"startingPosition": "LATEST"}),
    (_CLUSTER, {"topics": ["orders"]}),
    (_BROKER, {"queues": ["orders"], ACCESS: [BASIC_AUTH]}),
    (_DATABASE, {"documentDBEventSourceConfig": {"databaseName": "orders"}, ACCESS: [BASIC_AUTH]}),
)


def _refusals_by_kind() -> Iterator[Refusal]:
    needed: dict[str, Edit] = {source["kind"]: fields for source, fields in _NEEDED}
    for source, fields in _NOT_TAKEN:
        also = {ARN: None, "eventSourceRef": source, **needed.get(source["kind"], {})}
        for name, value in fields.items():
            says = ("eventSourceRef", source["kind"], f"does not take {name}", f"Remove {name}")
            yield Refusal(f"{name} with a {source['kind']}", "sqs", {name: value}, {}, says, also)
    for source, fields in _NEEDED:
        also = {ARN: None, "eventSourceRef": source, **fields}
        for name in fields:
            says = ("eventSourceRef", source["kind"], f"needs {name}", f"Add {name}")
            yield Refusal(f"no {name} with {source['apiVersion']}", "sqs", {name: None}, {}, says, also)


#: Cases about references to other objects.
REFERENCE_REFUSALS: tuple[Refusal, ...] = (
    Refusal("no function", "sqs", {"functionName": None}, {}, ("functionName or functionRef", "Set either")),
    Refusal(
        "function and reference",
        "sqs",
        {"functionRef": _OTHER},
        {},
        ("functionName or functionRef", "remove the other"),
    ),
    Refusal("source and reference", "sqs", {"eventSourceRef": _QUEUE}, {}, ("eventSourceRef", "Remove one of them")),
    Refusal(
        "a cluster and a reference to a source",
        "self-managed",
        {"eventSourceRef": _OTHER},
        {},
        ("eventSourceRef", "selfManagedEventSource", "Remove one of them"),
    ),
    Refusal(
        "servers and reference",
        "self-managed",
        {"selfManagedEventSource.bootstrapServersRef": _OTHER},
        {},
        (SELF_MANAGED, "endpoints or bootstrapServersRef", "remove the other"),
    ),
    Refusal(
        "no servers",
        "self-managed",
        {"selfManagedEventSource": {}},
        {},
        (SELF_MANAGED, "endpoints or bootstrapServersRef", "Set one of the two"),
    ),
    Refusal("topic and reference", "msk", {"topicRef": _OTHER}, {}, ("topics and topicRef", "Remove one")),
    Refusal("no topic", "msk", {"topics": None}, {}, ("topics", MSK, "or set topicRef")),
    Refusal(
        "a reference to a topic of SQS",
        "sqs",
        {"topicRef": _OTHER},
        {},
        ("topicRef", SQS, "Only Amazon MSK", "Remove topicRef"),
    ),
    Refusal(
        "key and reference",
        "sqs",
        {"kmsKeyRef": _OTHER},
        {},
        ("kmsKeyARN and kmsKeyRef", "Remove one"),
        {"kmsKeyARN": f"arn:aws:kms:{HERE}:key/orders"},
    ),
    Refusal(
        "no destination",
        "kinesis",
        {"destinationConfig": {"onFailure": {}}},
        {},
        ("destinationConfig.onFailure", "destination or destinationRef", "Set one of the two"),
    ),
    Refusal(
        "uri and reference",
        "mq",
        {ACCESS: [{**BASIC_AUTH, "uriRef": _OTHER}]},
        {},
        (ACCESS, "both uri and uriRef", "Remove one"),
    ),
    Refusal(
        "IAM_AUTH with a reference",
        "self-managed",
        {ACCESS: [{"type": "IAM_AUTH", "uriRef": _OTHER}]},
        {ACCESS: access("IAM_AUTH")},
        (ACCESS, "IAM_AUTH", "Remove uri or uriRef"),
    ),
    *_reference_refusals(),
    *_refusals_by_kind(),
)

#: Texts that have been times of the format date-time for API servers, and are none for Python.
UNREADABLE_TIMES = (
    "2026-01-01T00:00:00+24:00",
    "2026-01-01T00:00:00+99:99",
    "0000-01-01T00:00:00Z",
    "2026-01-01T00:00:60Z",
    "2026-01-01T00:00:00Ztomorrow",
)

#: Cases in which the API server has its own message.
TYPE_REFUSALS: tuple[Refusal, ...] = (
    Refusal("a wrong type", "sqs", {BATCH: "10"}, {BATCH: 10}, (BATCH, "must be of type integer")),
    Refusal(
        "a filter without pattern",
        "sqs",
        {"filterCriteria.filters": [{}]},
        {"filterCriteria.filters": filters(1)},
        ("pattern", "Required value"),
    ),
    Refusal(
        "an unknown position",
        "kinesis",
        {"startingPosition": "FIRST"},
        {"startingPosition": "TRIM_HORIZON"},
        ("startingPosition", "TRIM_HORIZON", "LATEST", "FIRST"),
    ),
    Refusal(
        "an unknown metric",
        "sqs",
        {"metricsConfig.metrics": ["Count"]},
        {"metricsConfig.metrics": ["EventCount"]},
        ("metricsConfig.metrics", "EventCount", "KafkaMetrics"),
    ),
    Refusal(
        "an unknown log level",
        "msk",
        {"loggingConfig.systemLogLevel": "ERROR"},
        {"loggingConfig.systemLogLevel": "WARN"},
        ("loggingConfig.systemLogLevel", "DEBUG", "INFO", "WARN"),
    ),
    Refusal(
        "an unknown access type",
        "mq",
        {ACCESS: access("PASSWORD=orders")},
        {},
        ("type", "sourceAccessConfigurations", "BASIC_AUTH"),
    ),
    Refusal(
        "no such response type",
        "sqs",
        {"functionResponseTypes": ["ReportItemFailures"]},
        {"functionResponseTypes": ["ReportBatchItemFailures"]},
        ("functionResponseTypes", "ReportBatchItemFailures"),
    ),
    Refusal(
        "no such deletion policy",
        "sqs",
        {"deletionPolicy": "Orphan"},
        {"deletionPolicy": "Retain"},
        ("deletionPolicy", "Delete", "Retain", "Orphan"),
    ),
    *(
        Refusal(
            f"the time {stamp}",
            "kinesis",
            {"startingPositionTimestamp": stamp},
            {"startingPositionTimestamp": STAMP},
            ("startingPositionTimestamp",),
            {"startingPosition": AT},
        )
        for stamp in UNREADABLE_TIMES
    ),
)

#: Strict validation, which is kubectl's default, refuses unknown fields.
UNKNOWN_FIELDS: tuple[Refusal, ...] = (
    Refusal("an unknown field", "sqs", {"batchsize": 10}, {BATCH: 10}, ("batchsize",)),
    Refusal("AWS's spelling", "sqs", {"kmsKeyArn": "x"}, {}, ("kmsKeyArn",)),
)

#: Cases that CEL rules cannot express. The offline check and the operator refuse them.
OFFLINE_REFUSALS: tuple[Refusal, ...] = (
    Refusal(
        "a pattern that is no JSON",
        "sqs",
        {"filterCriteria.filters": [{"pattern": "{body: x}"}]},
        {"filterCriteria.filters": filters(1)},
        ("filterCriteria.filters", SQS, "not valid JSON at column 2", "Correct the pattern"),
    ),
    Refusal(
        "a timestamp in the future",
        "kinesis",
        {"startingPositionTimestamp": "2999-01-01T00:00:00Z"},
        {"startingPositionTimestamp": STAMP},
        ("startingPositionTimestamp", KINESIS, "in the future", "Set an earlier time"),
        {"startingPosition": AT},
    ),
    Refusal(
        "a function of another region",
        "sqs",
        {"functionName": "arn:aws:lambda:us-east-1:123456789012:function:orders"},
        {"functionName": "arn:aws:lambda:eu-west-1:123456789012:function:orders"},
        ("functionName", "us-east-1", "eu-west-1", "Use a function in eu-west-1"),
    ),
)


#: A spec with several problems in most of its fields. Each of these fields is named.
MANY_PROBLEMS = spec(
    "sqs",
    {
        "startingPosition": AT,
        "topics": ["."],
        "parallelizationFactor": 0,
        "provisionedPollerConfig.pollerGroupName": "a b",
        "scalingConfig.maximumConcurrency": 1,
        "tags": {"aws:" + "k" * 129: "v" * 257},
        "documentDBEventSourceConfig.collectionName": "system.$",
        "adoption.uuid": "orders",
    },
)
FIELDS_WITH_PROBLEMS = {
    "spec.startingPosition",
    "spec.topics",
    "spec.parallelizationFactor",
    "spec.provisionedPollerConfig.pollerGroupName",
    "spec.scalingConfig",
    "spec.scalingConfig.maximumConcurrency",
    "spec.tags",
    "spec.documentDBEventSourceConfig",
    "spec.documentDBEventSourceConfig.collectionName",
    "spec.adoption.uuid",
    "spec.adoption.policy",
}
