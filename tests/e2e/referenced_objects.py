"""Objects of ACK, Crossplane and Strimzi that resources reference, with the field names of their CRDs.

A CRD of the tests has only the fields of the example object of its kind. The API server removes all others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests import role
from tests.bed import Bed
from tests.controlplane import ControlPlane
from tests.controlplane.client import KubernetesClient, path
from tests.e2e.manifests import HERE
from tests.waiting import eventually

ACK, UPBOUND, UPBOUND_NAMESPACED = (
    "{}.services.k8s.aws/v1alpha1",
    "{}.aws.upbound.io/v1beta1",
    "{}.aws.m.upbound.io/v1beta1",
)
STRIMZI = "kafka.strimzi.io/v1beta2"
FUNCTION = f"arn:aws:lambda:{HERE}:function:orders"
SECRET = f"arn:aws:secretsmanager:{HERE}:secret:orders"
TABLE = f"arn:aws:dynamodb:{HERE}:table/orders/stream/2026-01-01T00:00:00.000"
_UUID = "11111111-2222-3333-4444-555555555555-1"
_ARNS: Mapping[str, str] = {
    "lambda Function": FUNCTION,
    "lambda Alias": f"{FUNCTION}:live",
    "lambda Version": f"{FUNCTION}:7",
    "sqs Queue": f"arn:aws:sqs:{HERE}:orders",
    "kinesis Stream": f"arn:aws:kinesis:{HERE}:stream/orders",
    "kinesis StreamConsumer": f"arn:aws:kinesis:{HERE}:stream/orders/consumer/reader:1718000000",
    "dynamodb Table": TABLE,
    "kafka Cluster": f"arn:aws:kafka:{HERE}:cluster/orders/{_UUID}",
    "kafka VPCConnection": f"arn:aws:kafka:{HERE}:vpc-connection/123456789012/orders/{_UUID}",
    "ec2 Subnet": "subnet-0a1b2c3d",
    "ec2 SecurityGroup": "sg-0a1b2c3d",
    "mq Broker": f"arn:aws:mq:{HERE}:broker:orders:b-1",
    "documentdb DBCluster": f"arn:aws:rds:{HERE}:cluster:orders",
    "docdb Cluster": f"arn:aws:rds:{HERE}:cluster:orders",
    "kms Key": f"arn:aws:kms:{HERE}:key/11111111-2222-3333-4444-555555555555",
    "sns Topic": f"arn:aws:sns:{HERE}:failed-orders",
    "s3 Bucket": "arn:aws:s3:::failed-orders",
    "secretsmanager Secret": SECRET,
}
_QUEUE = {"eventSourceARN": f"arn:aws:sqs:{HERE}:others"}
_STREAM = {"eventSourceARN": f"arn:aws:kinesis:{HERE}:stream/others", "startingPosition": "LATEST"}
_BASIC_AUTH = {"sourceAccessConfigurations": [{"type": "BASIC_AUTH", "uri": SECRET}]}
_KAFKA = {"topics": ["orders"], **_BASIC_AUTH}
_IN_VPC = {
    "selfManagedEventSource": {"endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["kafka-8.example.com:9092"]}},
    "topics": ["orders"],
}
SERVERS = ["kafka-1.example.com:9094", "kafka-2.example.com:9094"]


@dataclass(frozen=True)
class Case:
    """A kind, a resource that references an object of it, and the value in AWS."""

    api_version: str
    kind: str
    body: Mapping[str, Any]
    """What an object of the kind has, without its metadata."""
    place: str
    """The field of the spec that holds the reference, with dots."""
    spec: Mapping[str, Any]
    """The other fields of the resource."""
    member: str
    """The member of the mapping in AWS that has the value."""
    value: Any
    more: Mapping[str, str] = field(default_factory=dict[str, str])
    """Other members of the reference."""

    @property
    def group(self) -> str:
        return self.api_version.partition("/")[0] if "/" in self.api_version else ""

    @property
    def namespaced(self) -> bool:
        return not self.group.endswith(".aws.upbound.io")


#: By service and kind: the field of the reference, the rest of the spec, and the member in AWS.
_USES: Mapping[str, tuple[str, Mapping[str, Any], str]] = {
    "lambda Function": ("functionRef", _QUEUE, "FunctionArn"),
    "lambda Alias": ("functionRef", _QUEUE, "FunctionArn"),
    "lambda Version": ("functionRef", _QUEUE, "FunctionArn"),
    "sqs Queue": ("eventSourceRef", {}, "EventSourceArn"),
    "kinesis Stream": ("eventSourceRef", {"startingPosition": "LATEST"}, "EventSourceArn"),
    "kinesis StreamConsumer": ("eventSourceRef", {"startingPosition": "LATEST"}, "EventSourceArn"),
    "dynamodb Table": ("eventSourceRef", {"startingPosition": "LATEST"}, "EventSourceArn"),
    "kafka Cluster": ("eventSourceRef", {"topics": ["orders"]}, "EventSourceArn"),
    "kafka VPCConnection": ("eventSourceRef", {"topics": ["orders"]}, "EventSourceArn"),
    "ec2 Subnet": (
        "sourceAccessConfigurations.0.uriRef",
        {
            **_IN_VPC,
            "sourceAccessConfigurations": [
                {"type": "VPC_SUBNET"},
                {"type": "VPC_SECURITY_GROUP", "uri": "security_group:sg-1"},
            ],
        },
        "SourceAccessConfigurations.1.URI",
    ),
    "ec2 SecurityGroup": (
        "sourceAccessConfigurations.0.uriRef",
        {
            **_IN_VPC,
            "sourceAccessConfigurations": [
                {"type": "VPC_SECURITY_GROUP"},
                {"type": "VPC_SUBNET", "uri": "subnet:subnet-1"},
            ],
        },
        "SourceAccessConfigurations.0.URI",
    ),
    "mq Broker": ("eventSourceRef", {"queues": ["orders"], **_BASIC_AUTH}, "EventSourceArn"),
    "documentdb DBCluster": (
        "eventSourceRef",
        {"documentDBEventSourceConfig": {"databaseName": "orders"}, **_BASIC_AUTH},
        "EventSourceArn",
    ),
    "docdb Cluster": (
        "eventSourceRef",
        {"documentDBEventSourceConfig": {"databaseName": "orders"}, **_BASIC_AUTH},
        "EventSourceArn",
    ),
    "kms Key": ("kmsKeyRef", {**_QUEUE, "filterCriteria": {"filters": [{"pattern": '{"a": ["b"]}'}]}}, "KMSKeyArn"),
    "sns Topic": ("destinationConfig.onFailure.destinationRef", _STREAM, "DestinationConfig.OnFailure.Destination"),
    "s3 Bucket": ("destinationConfig.onFailure.destinationRef", _STREAM, "DestinationConfig.OnFailure.Destination"),
    "secretsmanager Secret": (
        "sourceAccessConfigurations.0.uriRef",
        {
            "eventSourceARN": f"arn:aws:mq:{HERE}:broker:others:b-2",
            "queues": ["orders"],
            "sourceAccessConfigurations": [{"type": "BASIC_AUTH"}],
        },
        "SourceAccessConfigurations.0.URI",
    ),
}


def _of_aws(form: str, service: str, kind: str) -> Case:
    arn = _ARNS[f"{service} {kind}"]
    if form == ACK and kind == "Table":
        body: Mapping[str, Any] = {
            "status": {"ackResourceMetadata": {"arn": arn.partition("/stream")[0]}, "latestStreamARN": arn}
        }
    elif form == ACK and service == "ec2":
        body = {"status": {"subnetID" if kind == "Subnet" else "id": arn}}
    elif service == "ec2":
        body = {"status": {"atProvider": {"id": arn}}}
    elif form == ACK and kind == "Version":
        body = {"status": {"ackResourceMetadata": {"arn": FUNCTION}, "functionARN": arn}}
    elif form == ACK:
        body = {"status": {"ackResourceMetadata": {"arn": arn}}}
    elif kind == "Table":
        body = {"status": {"atProvider": {"arn": arn.partition("/stream")[0], "streamArn": arn}}}
    else:
        body = {"status": {"atProvider": {"arn": arn}}}
    use, spec, member = _USES[f"{service} {kind}"]
    return Case(form.format(service), kind, body, use, spec, member, arn)


_SERVICES = [
    (ACK, ("documentdb", "DBCluster")),
    (ACK, ("lambda", "Version")),
    *[
        (form, pair)
        for form in (UPBOUND, UPBOUND_NAMESPACED)
        for pair in (("docdb", "Cluster"), ("kinesis", "StreamConsumer"), ("kafka", "VPCConnection"))
    ],
    *[
        (form, tuple(name.split()))
        for form in (ACK, UPBOUND, UPBOUND_NAMESPACED)
        for name in (
            "lambda Function",
            "lambda Alias",
            "sqs Queue",
            "kinesis Stream",
            "dynamodb Table",
            "kafka Cluster",
            "mq Broker",
            "kms Key",
            "sns Topic",
            "s3 Bucket",
            "secretsmanager Secret",
            "ec2 Subnet",
            "ec2 SecurityGroup",
        )
    ],
]
_KAFKA_STATUS = {
    "status": {
        "listeners": [
            {"name": "plain", "bootstrapServers": "kafka.internal:9092"},
            {"name": "external", "bootstrapServers": ",".join(SERVERS)},
        ]
    }
}
CASES: tuple[Case, ...] = (
    *(_of_aws(form, *pair) for form, pair in _SERVICES),
    Case(
        STRIMZI,
        "Kafka",
        _KAFKA_STATUS,
        "selfManagedEventSource.bootstrapServersRef",
        {"selfManagedEventSource": {}, **_KAFKA},
        "SelfManagedEventSource.Endpoints.KAFKA_BOOTSTRAP_SERVERS",
        SERVERS,
        {"key": "external"},
    ),
    Case(
        STRIMZI,
        "KafkaTopic",
        {"status": {"topicName": "orders-v2"}},
        "topicRef",
        {
            "selfManagedEventSource": {"endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["kafka-9.example.com:9092"]}},
            **_BASIC_AUTH,
        },
        "Topics",
        ["orders-v2"],
    ),
    Case(
        "v1",
        "ConfigMap",
        {"data": {"queue": _ARNS["sqs Queue"]}},
        "eventSourceRef",
        {},
        "EventSourceArn",
        _ARNS["sqs Queue"],
        {"key": "queue"},
    ),
    Case(
        "example.com/v1",
        "Widget",
        {"spec": {"outputs": [{"name": "other", "value": "no"}, {"name": "arn", "value": _ARNS["sqs Queue"]}]}},
        "eventSourceRef",
        {},
        "EventSourceArn",
        _ARNS["sqs Queue"],
        {"fieldPath": "spec.outputs[name=arn].value"},
    ),
)


def plural_of(kind: str) -> str:
    return f"{kind.lower()}es" if kind.endswith("s") else f"{kind.lower()}s"


def crd_of(case: Case) -> dict[str, Any]:
    """A CRD whose schema has only the fields of the example."""
    group, _, version = case.api_version.partition("/")
    plural = plural_of(case.kind)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced" if case.namespaced else "Cluster",
            "names": {"kind": case.kind, "plural": plural, "singular": case.kind.lower()},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": _schema_of(case.body)},
                }
            ],
        },
    }


def _schema_of(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return {"type": "object", "properties": {name: _schema_of(part) for name, part in value.items()}}
    if isinstance(value, list):
        return {"type": "array", "items": _schema_of(value[0])}
    return {"type": "string"}


#: A CRD of each kind but ConfigMap, by ``Kind.group``.
CRDS: Mapping[str, dict[str, Any]] = {f"{case.kind}.{case.group}": crd_of(case) for case in CASES if case.group}


def install_kinds(plane: ControlPlane) -> None:
    """Install all CRDs, and wait until they are served."""
    plane.client.install(*CRDS.values())
    for case in CASES:
        wait_served(plane.client, case)


def wait_served(client: KubernetesClient, case: Case) -> None:
    eventually(lambda: client.get(objects_path(case)) is not None, f"{case.kind} of {case.group} is served", every=0.05)


def objects_path(case: Case, namespace: str = "", name: str = "") -> str:
    """The path of the objects of a kind, or of one."""
    api = f"/apis/{case.api_version}" if case.group else f"/api/{case.api_version}"
    folder = f"{api}/namespaces/{namespace}" if namespace and case.namespaced else api
    return f"{folder}/{plural_of(case.kind)}{f'/{name}' if name else ''}"


def put(
    bed: Bed,
    case: Case,
    name: str,
    body: Mapping[str, Any] | None = None,
    namespace: str = "",
    *,
    allow: str = "",
) -> None:
    """Create an object, or replace its parts. ``allow``: the namespaces that may reference it."""
    namespace = namespace or bed.namespace
    meta = {"name": name, "annotations": {"lambda.esm-operator.io/allow-references-from": allow} if allow else {}}
    given = {"metadata": meta, **(case.body if body is None else body)}
    if bed.client.merge(objects_path(case, namespace, name), given) is None:
        full = {"apiVersion": case.api_version, "kind": case.kind, **given}
        bed.client.request("POST", objects_path(case, namespace), full)


def delete(bed: Bed, case: Case, name: str, namespace: str = "") -> None:
    """Delete an object."""
    bed.client.delete(objects_path(case, namespace or bed.namespace, name))


def reference(case: Case, name: str, **more: str) -> dict[str, str]:
    """A reference to an object."""
    return {"apiVersion": case.api_version, "kind": case.kind, "name": name, **case.more, **more}


def with_reference(case: Case, to: Mapping[str, str]) -> dict[str, Any]:
    """The spec of a resource with a reference."""
    spec: dict[str, Any] = _copied(case.spec)
    *around, last = case.place.split(".")
    part: Any = spec
    for step in around:
        part = part[int(step)] if step.isdigit() else part.setdefault(step, {})
    part[last] = dict(to)
    return spec


def member_of(mapping: Mapping[str, Any], member: str) -> Any:
    """A member of a mapping in AWS."""
    part: Any = mapping
    for step in member.split("."):
        part = part[int(step)] if step.isdigit() else (part or {}).get(step)
    return part


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _copied(part) for name, part in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def case_of(kind: str, group: str) -> Case:
    """The case of a kind."""
    return next(case for case in CASES if (case.kind, case.group) == (kind, group))


def crd_path(case: Case) -> str:
    return path("CustomResourceDefinition", f"{plural_of(case.kind)}.{case.group}")


#: The rule for the kind that no setting of the chart has.
WIDGETS: role.Rule = {"apiGroups": ["example.com"], "resources": ["widgets"], "verbs": ["list", "watch"]}
_RIGHTS = "esm-operator-references"


def grant(plane: ControlPlane, *rules: role.Rule) -> None:
    """Give the operator these rights to objects that resources reference, and no others."""
    plane.client.install(*role.granted(role.Role(rules), _RIGHTS, role.NAME))
