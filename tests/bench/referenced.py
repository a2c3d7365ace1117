"""The objects that the resources reference: a Function, and a source of the right kind, for each resource."""

from collections.abc import Mapping
from typing import Any

from tests.bench.workload import Name, function_of, kind_of, name_of
from tests.e2e.manifests import HERE, TEN_KINDS
from tests.e2e.referenced_objects import SERVERS, Case, case_of, objects_path, reference

FUNCTION = case_of("Function", "lambda.services.k8s.aws")
_BROKER = case_of("Broker", "mq.services.k8s.aws")
_QUEUE = case_of("Queue", "sqs.services.k8s.aws")
_SOURCES: Mapping[str, Case] = {
    "sqs": _QUEUE,
    "sqs-fifo": _QUEUE,
    "kinesis": case_of("Stream", "kinesis.services.k8s.aws"),
    "kinesis-consumer": case_of("StreamConsumer", "kinesis.aws.m.upbound.io"),
    "dynamodb": case_of("Table", "dynamodb.services.k8s.aws"),
    "msk": case_of("Cluster", "kafka.services.k8s.aws"),
    "self-managed-kafka": case_of("Kafka", "kafka.strimzi.io"),
    "activemq": _BROKER,
    "rabbitmq": _BROKER,
    "documentdb": case_of("DBCluster", "documentdb.services.k8s.aws"),
}
"""By kind of source, as in ``TEN_KINDS``."""


def function_arn(number: int, version: int | None = None) -> str:
    """The ARN of the function of a resource, with a version if there is one."""
    arn = f"arn:aws:lambda:{HERE}:function:{function_of(number)}"
    return arn if version is None else f"{arn}:{version}"


def function_object(number: int, arn: str) -> tuple[str, dict[str, Any]]:
    """The path and the body of the object that has the ARN of a function."""
    return _object(FUNCTION, name_of(number), FUNCTION.value, arn)


def source_object(number: int) -> tuple[str, dict[str, Any]]:
    """The path and the body of the object that has the source of a resource."""
    case, spec = _SOURCES[kind_of(number)], TEN_KINDS[kind_of(number)]
    if "eventSourceARN" in spec:
        return _object(case, name_of(number), case.value, spec["eventSourceARN"])
    servers = spec["selfManagedEventSource"]["endpoints"]["KAFKA_BOOTSTRAP_SERVERS"]
    return _object(case, name_of(number), ",".join(SERVERS), ",".join(servers))


def collection(where: str) -> str:
    """The path under which an object is created, from the path of the object."""
    return where.rpartition("/")[0]


def references(number: int) -> dict[str, Any]:
    """A merge patch of the spec that puts two references in place of the values."""
    source = reference(_SOURCES[kind_of(number)], name_of(number).name)
    changed: dict[str, Any] = (
        {"eventSourceARN": None, "eventSourceRef": source}
        if "eventSourceARN" in TEN_KINDS[kind_of(number)]
        else {"selfManagedEventSource": {"endpoints": None, "bootstrapServersRef": source}}
    )
    return {"functionName": None, "functionRef": reference(FUNCTION, name_of(number).name), **changed}


def _object(case: Case, name: Name, example: str, value: str) -> tuple[str, dict[str, Any]]:
    body = {"apiVersion": case.api_version, "kind": case.kind, "metadata": {"name": name.name}}
    return objects_path(case, name.namespace, name.name), {**body, **_with_value(case.body, example, value)}


def _with_value(body: Any, example: str, value: str) -> Any:
    """A body with a value in the place of the value of the example."""
    if isinstance(body, Mapping):
        return {name: _with_value(part, example, value) for name, part in body.items()}
    if isinstance(body, list):
        return [_with_value(part, example, value) for part in body]
    return value if body == example else body
