"""Lambda's own description of its API, as botocore carries it.

It shows which operation a method and a path mean, and what each member may be. Reading it, rather than
copying it, is what makes the server notice when AWS adds an operation, a member or an enum value.
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
    """The Lambda operation that a request asks for, and the members in its path."""
    for route in ROUTES:
        if route.method == method and (match := route.path.fullmatch(raw_path)):
            return route.operation, {name: unquote(value) for name, value in match.groupdict().items()}
    return None


@cache
def members(operation: str) -> frozenset[str]:
    """Names of the members that an operation takes."""
    shape = LAMBDA.operation_model(operation).input_shape
    return frozenset(cast(Mapping[str, Any], shape.members)) if shape else frozenset()


def answer_members() -> frozenset[str]:
    """Names of the members of a mapping as AWS answers it."""
    shape: Any = LAMBDA.shape_for("EventSourceMappingConfiguration")
    return frozenset(shape.members)
