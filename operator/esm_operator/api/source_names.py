"""The short name of a source, which ``kubectl get esm`` shows: ``sqs/orders``, ``kafka/shop/orders``.

It has the source type, the name of the queue, stream, table, cluster or broker, and the part of it that is read.
"""

import re
from collections.abc import Mapping
from typing import Any

from esm_operator.api.sources import ARN_SERVICES, SourceType, parse_arn

#: The names in the resource part of an ARN: a match's groups.
_RESOURCES: Mapping[SourceType, re.Pattern[str]] = {
    SourceType.SQS: re.compile(r"(.+)"),
    SourceType.KINESIS: re.compile(r"stream/([^/]+)(?:/consumer/([^/:]+).*)?"),
    SourceType.DYNAMODB: re.compile(r"table/([^/]+)(?:/.*)?"),
    SourceType.MSK: re.compile(r"(?:cluster|vpc-connection/[^/]+)/([^/]+)(?:/.*)?"),
    SourceType.MQ: re.compile(r"broker:([^:]+)(?::.*)?"),
    SourceType.DOCUMENTDB: re.compile(r"cluster:(.+)"),
}


def source_name(spec: Mapping[str, Any]) -> str:
    """The short name of the source of a spec; empty: the spec names no source that is known.

    A self-managed Kafka cluster has no name, so its first bootstrap server stands in for it.
    """
    arn = parse_arn(str(spec.get("eventSourceARN") or ""))
    if arn is not None:
        source = ARN_SERVICES.get(arn.service)
        if source is None:
            return ""
        match = _RESOURCES[source].fullmatch(arn.resource)
        names = match.groups() if match else (arn.resource,)
    else:
        source = SourceType.MSK
        names = (_host(bootstrap_servers(spec)),)
        if not names[0]:
            return ""
    return "/".join(filter(None, (source, *names, _part(spec))))


def _part(spec: Mapping[str, Any]) -> str:
    """The topic, the queue of a broker, or the database and collection that is read; empty: the whole source."""
    for plural in ("topics", "queues"):
        if spec.get(plural):
            return str(spec[plural][0])
    config: Mapping[str, Any] = spec.get("documentDBEventSourceConfig") or {}
    return ".".join(str(config[name]) for name in ("databaseName", "collectionName") if config.get(name))


def bootstrap_servers(spec: Mapping[str, Any]) -> list[str]:
    """The bootstrap servers of the self-managed Kafka cluster of a spec."""
    cluster: Mapping[str, Any] = spec.get("selfManagedEventSource") or {}
    endpoints: Mapping[str, Any] = cluster.get("endpoints") or {}
    return endpoints.get("KAFKA_BOOTSTRAP_SERVERS") or []


def _host(servers: list[str]) -> str:
    return str(servers[0]).rpartition(":")[0] or str(servers[0]) if servers else ""
