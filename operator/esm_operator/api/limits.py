"""The values that a field can have: numbers, words and texts, a row each.

From the constraints in the botocore model, but for those that AWS raises on request.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from esm_operator.api.access import ACCESS_TYPES
from esm_operator.api.sources import ALL, KAFKA, SourceType

_SQS = frozenset({SourceType.SQS})


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers that a field can be."""

    path: str
    low: int
    high: int | None = None
    sources: frozenset[SourceType] = ALL
    besides: int | None = None
    """One more number, outside of the range."""

    def __str__(self) -> str:
        words = f"at least {self.low:,}" if self.high is None else f"from {self.low:,} to {self.high:,}"
        return words if self.besides is None else f"{self.besides} or {words}"


RANGES: tuple[Range, ...] = (
    Range("batchSize", 1, 10_000),
    Range("maximumBatchingWindowInSeconds", 0, 300),
    Range("parallelizationFactor", 1, 10),
    Range("tumblingWindowInSeconds", 0, 900),
    Range("maximumRecordAgeInSeconds", 60, 604_800, besides=-1),
    Range("maximumRetryAttempts", -1, 10_000),
    Range("scalingConfig.maximumConcurrency", 2),
    Range("provisionedPollerConfig.minimumPollers", 1, 200, KAFKA),
    Range("provisionedPollerConfig.minimumPollers", 2, 200, _SQS),
    Range("provisionedPollerConfig.maximumPollers", 1, 2_000, KAFKA),
    Range("provisionedPollerConfig.maximumPollers", 2, 10_000, _SQS),
)

#: The paths of the schema registries.
REGISTRIES = (
    "amazonManagedKafkaEventSourceConfig.schemaRegistryConfig",
    "selfManagedKafkaEventSourceConfig.schemaRegistryConfig",
)


@dataclass(frozen=True, slots=True)
class Words:
    """The words that a field can be."""

    path: str
    """``list[]`` are the items of a list, ``list[].member`` a member of the items."""
    words: tuple[str, ...]


_REGISTRY_ACCESS = ("BASIC_AUTH", "CLIENT_CERTIFICATE_TLS_AUTH", "SERVER_ROOT_CA_CERTIFICATE", "OAUTHBEARER_AUTH")


def _registry_words(registry: str) -> Iterator[Words]:
    yield Words(f"{registry}.eventRecordFormat", ("JSON", "SOURCE"))
    yield Words(f"{registry}.accessConfigs[].type", _REGISTRY_ACCESS)
    yield Words(f"{registry}.schemaValidationConfigs[].attribute", ("KEY", "VALUE"))


WORDS: tuple[Words, ...] = (
    Words("startingPosition", ("TRIM_HORIZON", "LATEST", "AT_TIMESTAMP")),
    Words("functionResponseTypes[]", ("ReportBatchItemFailures",)),
    Words("metricsConfig.metrics[]", ("EventCount", "ErrorCount", "KafkaMetrics")),
    Words("loggingConfig.systemLogLevel", ("DEBUG", "INFO", "WARN")),
    Words("sourceAccessConfigurations[].type", tuple(row.name for row in ACCESS_TYPES)),
    Words("selfManagedKafkaEventSourceConfig.consumptionMode", ("Stream", "Queue")),
    Words("documentDBEventSourceConfig.fullDocument", ("Default", "UpdateLookup")),
    *(row for registry in REGISTRIES for row in _registry_words(registry)),
    Words("deletionPolicy", ("Delete", "Retain")),
    Words("managementPolicy", ("Full", "Observe")),
    Words("replacePolicy", ("Never", "Recreate")),
    Words("adoption.policy", ("Never", "IfExists", "Required")),
)

#: The same for ProviderConfigs.
PROVIDER_CONFIG_WORDS: tuple[Words, ...] = (
    Words("ownership", ("Tags", "ResourceOnly")),
    Words("namespaceSelector.matchExpressions[].operator", ("In", "NotIn", "Exists", "DoesNotExist")),
)


@dataclass(frozen=True, slots=True)
class Text:
    """The texts that a field can be, as an RE2 pattern that both CEL and Python know."""

    path: str
    """As in :class:`Words`."""
    pattern: str
    longest: int
    what: str
    """Completes "... must be ..."."""
    shortest: int = 1


_ARN_START = "arn:aws[a-zA-Z0-9-]*:"
ARN_PATTERN = f"^{_ARN_START}[a-zA-Z0-9-]+:[a-z0-9-]*:([0-9]{{12}})?:.+$"
#: The forms of the patterns of the allow-lists in ProviderConfigs. ``*`` alone allows everything.
_PART = "([a-zA-Z0-9_.*-]|[$][{]namespace[}])+"
_FUNCTION_PART = f"{_PART}(:([$]LATEST([.]PUBLISHED)?|{_PART}))?"
_ACCOUNT = "([0-9]{12}|[*])"
_ARN_OF_PATTERN = "arn:(aws[a-z0-9-]*|[*])"
_RESOURCE = "([a-zA-Z0-9_.:/*+=,@-]|[$][{]namespace[}])+"
FUNCTION_PATTERNS = f"^({_FUNCTION_PART}|{_ARN_OF_PATTERN}:lambda:[a-z0-9*-]+:{_ACCOUNT}:function:{_FUNCTION_PART})$"
SOURCE_PATTERNS = (
    f"^([*]|kafka://([*]|{_PART}:([0-9]{{1,5}}|[*]))|"
    f"{_ARN_OF_PATTERN}:(sqs|kinesis|dynamodb|kafka|mq|rds):[a-z0-9*-]+:{_ACCOUNT}:{_RESOURCE})$"
)
DESTINATION_PATTERNS = f"^([*]|kafka://{_PART}|{_ARN_OF_PATTERN}:(s3:[a-z0-9*-]*:{_ACCOUNT}?|(sqs|sns):[a-z0-9*-]+:{_ACCOUNT}):{_RESOURCE})$"
REGION_PATTERN = "^[a-z]{2,}(-[a-z0-9]+)+-[0-9]+$"
#: Targets of one namespace, and of all namespaces together, unless the operator's settings have other limits.
TARGETS_PER_NAMESPACE, MAX_TARGETS = 20, 100
#: Lists and watches for the references of one namespace, and of all namespaces together.
WATCHES_PER_NAMESPACE, MAX_WATCHES = 100, 500
#: Mappings of one account and region that are kept in memory, unless the operator's settings have another limit.
MAX_MAPPINGS = 50_000
#: The URL of an endpoint. Messages and statuses show it, so it has no user, password, query and fragment.
ENDPOINT_PATTERN = r"^https?://([a-zA-Z0-9.-]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?(/[a-zA-Z0-9._~%:+,=-]*)*$"
CONFIG_MAP_PATTERN = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
LONGEST_CONFIG_MAP_NAME = 253
UUID_PATTERN = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"


@dataclass(frozen=True, slots=True)
class SourceArn:
    """The ARNs of one service that can be a source."""

    service: str
    resource: str
    """An RE2 pattern of the part after the account."""
    what: str
    """Completes "... needs the ARN of ..."."""
    example: str
    """A resource part."""


#: The ARNs that AWS's services give to sources (Service Authorization Reference, resource types). All have a region and
#: an account.
SOURCE_ARNS: tuple[SourceArn, ...] = (
    SourceArn("sqs", "[a-zA-Z0-9_-]{1,80}([.]fifo)?", "a queue", "my-queue"),
    SourceArn(
        "kinesis", "stream/[^:/]+(/consumer/[^:/]+:[0-9]+)?", "a stream or of a stream consumer", "stream/my-stream"
    ),
    SourceArn(
        "dynamodb",
        "table/[^:/]+/stream/.+",
        "the stream of a table (LatestStreamArn of the table)",
        "table/my-table/stream/2026-01-31T12:00:00.000",
    ),
    SourceArn(
        "kafka",
        "(cluster/[^:/]+/[^:/]+|vpc-connection/[^:]+)",
        "a cluster or of a VPC connection",
        "cluster/my-cluster/11111111-2222-3333-4444-555555555555-1",
    ),
    SourceArn("mq", "broker:[^:/]+:[^:/]+", "a broker", "broker:my-broker:b-11111111-2222-3333-4444-555555555555"),
    SourceArn("rds", "cluster:[^:/]+", "a cluster", "cluster:my-cluster"),
)
_FUNCTION = (
    "^(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}(-gov|-iso[a-z]?)?-[a-z]+-[0-9]:)?([0-9]{12}:)?"
    "(function:)?[a-zA-Z0-9_.-]+(:([$]LATEST([.]PUBLISHED)?|[a-zA-Z0-9_-]+))?$"
)
_SERVER = "^([a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?[.])*[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?:[0-9]{1,5}$"
_DESTINATION = (
    f"^(|kafka://[^.][a-zA-Z0-9_.-]{{0,248}}|{_ARN_START}"
    "(s3:[a-z0-9-]*:([0-9]{12})?|(sqs|sns):[a-z0-9-]+:[0-9]{12}):.+)$"
)
_URI = "^[ a-zA-Z0-9/*:_+=.@-]*$"
_REGISTRY_URI = "^[a-zA-Z0-9/*:_+=.@-]*$"
_KAFKA_SERVERS = "selfManagedEventSource.endpoints.KAFKA_BOOTSTRAP_SERVERS"


def _registry_texts(registry: str) -> Iterator[Text]:
    what = "the ARN of a Glue registry or the URL of a Confluent registry"
    yield Text(f"{registry}.schemaRegistryURI", _REGISTRY_URI, 10_000, what)
    yield Text(f"{registry}.accessConfigs[].uri", ARN_PATTERN, 10_000, "the ARN of a Secrets Manager secret")


TEXTS: tuple[Text, ...] = (
    Text(
        "functionName",
        _FUNCTION,
        256,
        "a function's name or ARN, with or without a version or an alias: my-function, my-function:live, "
        "arn:aws:lambda:eu-west-1:123456789012:function:my-function",
    ),
    Text("eventSourceARN", ARN_PATTERN, 10_000, "an ARN such as arn:aws:sqs:eu-west-1:123456789012:my-queue"),
    Text("kmsKeyARN", f"^({_ARN_START}.*)?$", 10_000, "the ARN of a KMS key", shortest=0),
    Text(f"{_KAFKA_SERVERS}[]", _SERVER, 300, "a server and its port, as in kafka-1.example.com:9092"),
    Text(
        "topics[]",
        "^[^.][a-zA-Z0-9_.-]+$",
        249,
        "a topic's name with at least two characters, which are letters, digits, '.', '_' or '-'",
    ),
    Text("queues[]", "^(?s:.*)$", 1_000, "a queue's name"),
    Text("sourceAccessConfigurations[].uri", _URI, 200, "an ARN, a name or an id"),
    Text(
        "destinationConfig.onFailure.destination",
        _DESTINATION,
        350,
        "the ARN of an SQS queue, an SNS topic or an S3 bucket, or kafka://TOPIC for Kafka sources",
        shortest=0,
    ),
    Text(
        "provisionedPollerConfig.pollerGroupName",
        "^[a-zA-Z0-9_-]*$",
        128,
        "a name of letters, digits, '_' and '-'",
        shortest=0,
    ),
    Text("amazonManagedKafkaEventSourceConfig.consumerGroupID", _URI, 200, "the name of a consumer group"),
    Text("selfManagedKafkaEventSourceConfig.consumerGroupID", _URI, 200, "the name of a consumer group"),
    *(row for registry in REGISTRIES for row in _registry_texts(registry)),
    Text(
        "documentDBEventSourceConfig.databaseName",
        '^[^ /.$"]*$',
        63,
        "a database's name without spaces, '/', '.', '$' and quotes",
    ),
    Text(
        "documentDBEventSourceConfig.collectionName",
        "^[_a-zA-Z0-9][^$]*$",
        57,
        "a collection's name, which begins with a letter, a digit or '_' and has no '$'",
    ),
    Text("region", REGION_PATTERN, 64, "a region such as eu-west-1"),
    Text("adoption.uuid", UUID_PATTERN, 36, "the UUID of a mapping, as `aws lambda` prints it"),
    Text(
        "outputs.configMapName",
        CONFIG_MAP_PATTERN,
        LONGEST_CONFIG_MAP_NAME,
        "the name of a ConfigMap such as orders-mapping, with lower-case letters, digits, '-' and '.', and a letter or "
        "digit before and after each '.'",
    ),
    Text(
        "adoption.takeOverFrom",
        "^([^/]+/)?[^/]+/[^/]+$",
        700,
        "NAMESPACE/NAME or CLUSTER/NAMESPACE/NAME of its present owner",
    ),
)


@dataclass(frozen=True, slots=True)
class Count:
    """How many items a list can have."""

    path: str
    low: int
    high: int

    def __str__(self) -> str:
        if self.low == self.high:
            return f"exactly {self.low}"
        return f"at most {self.high}" if self.low == 0 else f"from {self.low} to {self.high}"


#: The limits of sourceAccessConfigurations, filters and accessConfigs are from AWS's CloudFormation schema (cfn-lint
#: 1.58). botocore has a limit of 23 sourceAccessConfigurations, and no limit for filters and accessConfigs.
COUNTS: tuple[Count, ...] = (
    Count("topics", 1, 1),
    Count("queues", 1, 1),
    Count(_KAFKA_SERVERS, 1, 10),
    Count("sourceAccessConfigurations", 0, 29),
    Count("filterCriteria.filters", 0, 20),
    *(Count(f"{registry}.accessConfigs", 0, 2) for registry in REGISTRIES),
)

#: The longest filter pattern, in characters.
LONGEST_PATTERN = 4_096

#: The most tags of a mapping in AWS, and how many of them are the operator's.
MOST_TAGS = 50
OWN_TAGS = 4
LONGEST_TAG_KEY = 128
LONGEST_TAG_VALUE = 256
RESERVED_TAG_PREFIXES = ("aws:", "esm-operator.io/")
#: Upper and lower case count as equal. AWS reserves its prefix so for keys (user guides of AWS about tags), not for
#: values. IAM ignores the case of tag keys in conditions, and conditions protect the owner tags (IAM user guide).
RESERVED_TAG_KEY = "^(?i:aws:|esm-operator[.]io/)"
#: The pattern of TagKey and TagValue in botocore. CEL has the classes of Unicode. ``re`` has not, see
#: :func:`is_tag_text`.
TAG_PATTERN = r"^[\p{L}\p{Z}\p{N}_.:/=+@-]*$"
TAG_CHARACTERS = "letters, digits, spaces and _ . : / = + - @"


def is_tag_text(text: str) -> bool:
    """Whether a text matches ``TAG_PATTERN``, so that it can be the key or the value of a tag in AWS."""
    return all(letter in "_.:/=+-@" or unicodedata.category(letter)[0] in "LNZ" for letter in text)


def is_tag_length(key: str, value: str) -> bool:
    """Whether the key and the value of a tag have lengths that AWS accepts."""
    return 1 <= len(key) <= LONGEST_TAG_KEY and len(value) <= LONGEST_TAG_VALUE
