"""The description of the Lambda API in botocore.

The description maps methods and paths to operations, and has the constraints of all members. The server reads it
instead of a copy, so tests fail when AWS adds an operation, a member or an enum value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, cast
from urllib.parse import unquote

import botocore.session
from botocore.model import ServiceModel

LAMBDA: ServiceModel = botocore.session.get_session().get_service_model("lambda")


@dataclass(frozen=True, slots=True)
class Route:
    operation: str
    method: str
    path: re.Pattern[str]


def _route(operation: str) -> Route:
    http = cast(Mapping[str, Any], LAMBDA.operation_model(operation).http)
    path = str(http["requestUri"]).split("?")[0].rstrip("/")
    pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path))
    return Route(operation, str(http["method"]), re.compile(pattern + "/?"))


ROUTES = tuple(_route(name) for name in LAMBDA.operation_names)


def operation_of(method: str, raw_path: str) -> tuple[str, dict[str, str]] | None:
    """The Lambda operation of a request, and the members in its path."""
    for route in ROUTES:
        if route.method == method and (match := route.path.fullmatch(raw_path)):
            return route.operation, {name: unquote(value) for name, value in match.groupdict().items()}
    return None


@cache
def members(operation: str) -> frozenset[str]:
    """Names of the members of an operation's request."""
    shape = LAMBDA.operation_model(operation).input_shape
    return frozenset(cast(Mapping[str, Any], shape.members)) if shape else frozenset()


def answer_members() -> frozenset[str]:
    """Names of the members of a mapping in an answer."""
    shape: Any = LAMBDA.shape_for("EventSourceMappingConfiguration")
    return frozenset(shape.members)
