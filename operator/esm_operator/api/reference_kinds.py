"""The kinds of objects that references can name without a fieldPath, with one row for each kind.

A row has the field of the object that holds the value, and the fields of the spec that take it. The names of fields are
those in the CRDs of ACK (aws-controllers-k8s), of Crossplane (provider-upjet-aws) and of Strimzi. Another kind needs a
fieldPath.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from esm_operator.api.sources import SourceType

#: The fields of the spec that hold references. ``list[]`` are the items of a list.
FUNCTION, SOURCE, KMS_KEY, TOPIC = "functionRef", "eventSourceRef", "kmsKeyRef", "topicRef"
SERVERS = "selfManagedEventSource.bootstrapServersRef"
DESTINATION = "destinationConfig.onFailure.destinationRef"
URI = "sourceAccessConfigurations[].uriRef"

#: The field of the spec whose value a reference replaces, by the field of the reference.
VALUE_PATHS: Mapping[str, str] = {
    FUNCTION: "functionName",
    SOURCE: "eventSourceARN",
    SERVERS: "selfManagedEventSource.endpoints.KAFKA_BOOTSTRAP_SERVERS",
    TOPIC: "topics",
    KMS_KEY: "kmsKeyARN",
    DESTINATION: "destinationConfig.onFailure.destination",
    URI: "sourceAccessConfigurations[].uri",
}
#: The names of these fields, without the paths of the structures that they are in.
REFERENCE_NAMES = frozenset(field.rpartition(".")[2] for field in VALUE_PATHS)
#: Stands for the ``key`` of a reference in the path of a row.
KEY = "{key}"


@dataclass(frozen=True, slots=True)
class ReferenceKind:
    """A kind of objects whose value the operator finds without a fieldPath."""

    project: str
    """The project that defines the kind. The value ``references.PROJECT`` of the chart lets the operator watch it."""
    group: str
    """The API group; empty: the core group."""
    kind: str
    path: str
    """The field of the object that holds the value. ``{key}`` stands for the key of the reference."""
    fields: tuple[str, ...]
    """The fields of the spec that take it."""
    source: SourceType | None = None
    """The source type if ``eventSourceRef`` names it; None: the value shows it."""
    prefix: str = ""
    """What a destination has before the value."""

    @property
    def needs_key(self) -> bool:
        """Whether the reference must have a ``key``, because the object can have many values."""
        return KEY in self.path


_ACK_ARN = "status.ackResourceMetadata.arn"
_CROSSPLANE_ARN = "status.atProvider.arn"
#: By service: the kind, the fields that take it, and the source type. ACK and Crossplane have the same.
_BOTH: tuple[tuple[str, str, tuple[str, ...], SourceType | None], ...] = (
    ("lambda", "Function", (FUNCTION,), None),
    ("lambda", "Alias", (FUNCTION,), None),
    ("sqs", "Queue", (SOURCE, DESTINATION), SourceType.SQS),
    ("kinesis", "Stream", (SOURCE,), SourceType.KINESIS),
    ("kafka", "Cluster", (SOURCE,), SourceType.MSK),
    ("mq", "Broker", (SOURCE,), SourceType.MQ),
    ("kms", "Key", (KMS_KEY,), None),
    ("sns", "Topic", (DESTINATION,), None),
    ("s3", "Bucket", (DESTINATION,), None),
    ("secretsmanager", "Secret", (URI,), None),
)
#: The groups of Crossplane: of cluster-scoped resources, and of namespaced ones.
_CROSSPLANE_GROUPS = ("{service}.aws.upbound.io", "{service}.aws.m.upbound.io")


def _ack() -> Iterator[ReferenceKind]:
    for service, kind, fields, source in _BOTH:
        yield ReferenceKind("ack", f"{service}.services.k8s.aws", kind, _ACK_ARN, fields, source)
    yield ReferenceKind("ack", "lambda.services.k8s.aws", "Version", "status.functionARN", (FUNCTION,))
    table = "dynamodb.services.k8s.aws"
    yield ReferenceKind("ack", table, "Table", "status.latestStreamARN", (SOURCE,), SourceType.DYNAMODB)
    cluster = "documentdb.services.k8s.aws"
    yield ReferenceKind("ack", cluster, "DBCluster", _ACK_ARN, (SOURCE,), SourceType.DOCUMENTDB)
    yield ReferenceKind("ack", "ec2.services.k8s.aws", "Subnet", "status.subnetID", (URI,))
    yield ReferenceKind("ack", "ec2.services.k8s.aws", "SecurityGroup", "status.id", (URI,))


def _crossplane() -> Iterator[ReferenceKind]:
    rows = [
        *((service, kind, _CROSSPLANE_ARN, fields, source) for service, kind, fields, source in _BOTH),
        ("kinesis", "StreamConsumer", _CROSSPLANE_ARN, (SOURCE,), SourceType.KINESIS),
        ("dynamodb", "Table", "status.atProvider.streamArn", (SOURCE,), SourceType.DYNAMODB),
        ("kafka", "VPCConnection", _CROSSPLANE_ARN, (SOURCE,), SourceType.MSK),
        ("docdb", "Cluster", _CROSSPLANE_ARN, (SOURCE,), SourceType.DOCUMENTDB),
        ("ec2", "Subnet", "status.atProvider.id", (URI,), None),
        ("ec2", "SecurityGroup", "status.atProvider.id", (URI,), None),
    ]
    for service, kind, path, fields, source in rows:
        for group in _CROSSPLANE_GROUPS:
            yield ReferenceKind("crossplane", group.format(service=service), kind, path, fields, source)


def _strimzi() -> Iterator[ReferenceKind]:
    group, servers = "kafka.strimzi.io", f"status.listeners[name={KEY}].bootstrapServers"
    yield ReferenceKind("strimzi", group, "Kafka", servers, (SERVERS,))
    # The Topic Operator writes the name to the status once the topic exists.
    yield ReferenceKind("strimzi", group, "KafkaTopic", "status.topicName", (TOPIC, DESTINATION), prefix="kafka://")


#: A ConfigMap can hold any text, so every field can refer to it.
_CONFIG_MAP = ReferenceKind("configMaps", "", "ConfigMap", f"data.{KEY}", tuple(VALUE_PATHS))

KINDS: tuple[ReferenceKind, ...] = (*_ack(), *_crossplane(), *_strimzi(), _CONFIG_MAP)

_BY_NAME: Mapping[tuple[str, str], ReferenceKind] = {(row.group, row.kind): row for row in KINDS}


def group_of(api_version: str) -> str:
    """``sqs.services.k8s.aws/v1alpha1`` -> ``sqs.services.k8s.aws``; the core group is empty."""
    return api_version.rpartition("/")[0]


def kind_of(api_version: str, kind: str) -> ReferenceKind | None:
    """The row of a kind; None if there is none."""
    return _BY_NAME.get((group_of(api_version), kind))
