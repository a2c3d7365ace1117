"""Decides which functions and sources exist.

By default all of them exist, so that a test of 10,000 mappings needs no 10,000 queues. Tests can declare some missing.
In a `declared` world only declared functions and sources exist, and those that were created in moto's Lambda, SQS,
Kinesis and DynamoDB. Sources without a backend in moto must be declared.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .arns import Arn, Function, parse_arn
from .errors import AwsError, invalid_parameter
from .sources import QUEUES, STREAMS, Source


class Population(StrEnum):
    ANY = "any"
    DECLARED = "declared"


@dataclass(slots=True)
class World:
    """Functions by name or ARN, with or without a qualifier, and sources by ARN."""

    population: Population = Population.ANY
    missing_functions: set[str] = field(default_factory=set[str])
    missing_sources: set[str] = field(default_factory=set[str])
    functions: set[str] = field(default_factory=set[str])
    sources: set[str] = field(default_factory=set[str])

    def check_function(self, function: Function) -> None:
        names = {function.name, function.unqualified_arn, function.arn}
        if names & self.missing_functions:
            raise _no_function()
        if self.population is Population.DECLARED and not names & self.functions and not _moto_function(function):
            raise _no_function()

    def check_source(self, source: Source, arn: str | None) -> None:
        if arn is None:
            return
        if arn in self.missing_sources:
            raise _no_source(source, arn)
        if self.population is Population.DECLARED and arn not in self.sources and not _moto_source(arn):
            raise _no_source(source, arn)


def _no_function() -> AwsError:
    """Recorded."""
    return invalid_parameter("Function does not exist")


def _no_source(source: Source, arn: str) -> AwsError:
    """Recorded for queues and streams, assumed for the others."""
    if source in QUEUES:
        return invalid_parameter(
            "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. "
            "SQS Error Message: The specified queue does not exist."
        )
    if source in STREAMS:
        return invalid_parameter(f"Stream not found: {arn}")
    return invalid_parameter(f"Event source not found: {arn}")


def _moto_backend(service: str, account: str, region: str) -> Any | None:
    """The state of a service in moto. Empty if moto is not loaded."""
    if "moto.backends" not in sys.modules:
        return None
    backends: Any = sys.modules["moto.backends"]
    return backends.get_backend(service)[account][region]


def _moto_function(function: Function) -> bool:
    backend = _moto_backend("lambda", function.account, function.region)
    if backend is None:
        return False
    from moto.awslambda.exceptions import LambdaClientError

    try:
        backend.get_function(function.unqualified_arn, function.qualifier)
    except LambdaClientError:
        return False
    return True


def _moto_queue(backend: Any, arn: Arn) -> bool:
    return arn.resource in backend.queues


def _moto_kinesis(backend: Any, arn: Arn) -> bool:
    name = arn.resource.removeprefix("stream/").split("/")[0]
    return name in backend.streams


def _moto_table(backend: Any, arn: Arn) -> bool:
    name, _, label = arn.resource.removeprefix("table/").partition("/stream/")
    table = backend.tables.get(name)
    return table is not None and table.latest_stream_label == label


_MOTO_SOURCES: dict[str, Callable[[Any, Arn], bool]] = {
    "sqs": _moto_queue,
    "kinesis": _moto_kinesis,
    "dynamodb": _moto_table,
}


def _moto_source(text: str) -> bool:
    arn = parse_arn(text)
    find = _MOTO_SOURCES.get(arn.service)
    backend = _moto_backend(arn.service, arn.account, arn.region) if find else None
    return find is not None and backend is not None and find(backend, arn)
