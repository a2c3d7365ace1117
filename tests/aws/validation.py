"""Constraints of single values that AWS checks first: types, enums, patterns, lengths and ranges.

The client of botocore checks only few of them, so the server checks them as AWS does. The constraints come from
botocore, except a few for which a recording or a fact about AWS differs.
Form recorded: `1 validation error detected: Value 'X' at 'memberName' failed to satisfy constraint: Member
must ...`
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, cast

from .errors import AwsError
from .model import LAMBDA

# Recorded: AWS's order of the values is not botocore's.
RECORDED_ENUMS = {"EventSourcePosition": ["LATEST", "AT_TIMESTAMP", "TRIM_HORIZON"]}

# Recorded: the pattern that AWS prints for an ARN to be tagged.
RECORDED_PATTERNS = {
    "TaggableResource": (
        r"arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:"
        r"(function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)|"
        r"code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-"
        r"[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|capacity-provider:[a-zA-Z0-9-_]+)"
    ),
}

# Maxima that are not those of botocore. None: AWS raises the limit for an account on request. The others are from
# AWS's CloudFormation schema of AWS::Lambda::EventSourceMapping (documented in cfn-lint 1.58).
MAXIMA: Mapping[str, int | None] = {
    "MaximumConcurrency": None,
    "SourceAccessConfigurations": 29,
    "KafkaSchemaRegistryAccessConfigList": 2,
}

# Unicode's category Z, for a character class.
SEPARATORS = r"\x20\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"

_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "timestamp": (int, float),
    "structure": (dict,),
    "list": (list,),
    "map": (dict,),
}

_JSON_TYPES: dict[type, str] = {dict: "START_OBJECT", list: "START_ARRAY", str: "STRING_VALUE"}


def validate(operation: str, parameters: Mapping[str, Any]) -> None:
    """Raise AWS's error for members that break their types or constraints."""
    shape = LAMBDA.operation_model(operation).input_shape
    problems = list(_problems(shape, parameters, ""))
    if problems:
        count = "1 validation error" if len(problems) == 1 else f"{len(problems)} validation errors"
        raise AwsError("ValidationException", f"{count} detected: {'; '.join(problems)}")


def check_type(shape: Any, value: object) -> None:
    """Check types. AWS's parser stops at the first value of a wrong type."""
    wanted = _PYTHON_TYPES[shape.type_name]
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        got = _JSON_TYPES.get(type(value), "VALUE")
        kind = str(shape.type_name).capitalize()
        raise AwsError("SerializationException", f"{got} can not be converted to {kind}")


def member_name(name: str) -> str:
    """The name as AWS prints it, with a lower-case first letter: `kMSKeyArn`."""
    return name[:1].lower() + name[1:]


def _problems(shape: Any, value: Any, path: str) -> Iterator[str]:
    check_type(shape, value)
    match shape.type_name:
        case "structure":
            yield from _structure(shape, value, path)
        case "list":
            yield from _list(shape, value, path)
        case "map":
            yield from _map(shape, value, path)
        case _:
            for constraint in _scalar(shape)(value):
                yield _sentence(value, path, constraint)


def _structure(shape: Any, value: Mapping[str, Any], path: str) -> Iterator[str]:
    known = cast(Mapping[str, Any], shape.members)
    for name in cast(list[str], shape.required_members):
        if value.get(name) is None:
            yield _sentence(None, _join(path, name), "Member must not be null")
    for name, member in value.items():
        if member is not None and name in known:
            yield from _problems(known[name], member, _join(path, name))


def _list(shape: Any, value: list[Any], path: str) -> Iterator[str]:
    yield from _length(shape, value, path)
    if shape.member.type_name == "string":
        inner = {problem for item in value if isinstance(item, str) for problem in _scalar(shape.member)(item)}
        for item in value:
            check_type(shape.member, item)
        if inner:
            constraint = f"Member must satisfy constraint: [{', '.join(sorted(inner))}]"
            yield _sentence(f"[{', '.join(value)}]", path, constraint)
        return
    for number, item in enumerate(value, 1):
        yield from _problems(shape.member, item, f"{path}.{number}.member")


def _map(shape: Any, value: Mapping[str, Any], path: str) -> Iterator[str]:
    yield from _length(shape, value, path)
    for key, item in value.items():
        for constraint in _scalar(shape.key)(key):
            keys = f"{{{', '.join(f'{k}={_printed(v)}' for k, v in value.items())}}}"
            yield _sentence(keys, path, f"Map keys must satisfy constraint: [{constraint}]")
        yield from _problems(shape.value, item, f"{path}.{key}.member")


def _bounds(shape: Any) -> tuple[int | None, int | None]:
    """The least and the greatest number or length. None: there is no such limit."""
    return shape.metadata.get("min"), MAXIMA.get(shape.name, shape.metadata.get("max"))


def _length(shape: Any, value: Any, path: str) -> Iterator[str]:
    low, high = _bounds(shape)
    if low is not None and len(value) < low:
        yield _sentence(_printed(value), path, f"Member must have length greater than or equal to {low}")
    if high is not None and len(value) > high:
        yield _sentence(_printed(value), path, f"Member must have length less than or equal to {high}")


@cache
def _compiled(shape_name: str) -> Callable[[Any], list[str]]:
    shape: Any = LAMBDA.shape_for(shape_name)
    low, high = _bounds(shape)
    enum = RECORDED_ENUMS.get(shape_name) or shape.metadata.get("enum")
    pattern = RECORDED_PATTERNS.get(shape_name) or shape.metadata.get("pattern")
    compiled = re.compile(_python_pattern(pattern)) if pattern else None
    measure: Callable[[Any], float] = len if shape.type_name == "string" else float
    noun = "length" if shape.type_name == "string" else "value"

    def check(value: Any) -> list[str]:
        found: list[str] = []
        if enum and value not in enum:
            found.append(f"Member must satisfy enum value set: [{', '.join(enum)}]")
        if compiled and not compiled.fullmatch(value):
            found.append(f"Member must satisfy regular expression pattern: {pattern}")
        if low is not None and measure(value) < low:
            found.append(f"Member must have {noun} greater than or equal to {low}")
        if high is not None and measure(value) > high:
            found.append(f"Member must have {noun} less than or equal to {high}")
        return found

    return check


def _scalar(shape: Any) -> Callable[[Any], list[str]]:
    if shape.type_name in ("boolean", "timestamp"):
        return _nothing
    return _compiled(str(shape.name))


def _nothing(_value: Any) -> list[str]:
    return []


def _python_pattern(pattern: str) -> str:
    """Translate Java's character classes, which the patterns of tag keys and values use."""
    return pattern.replace(r"\p{L}\p{Z}\p{N}_", r"\w" + SEPARATORS)


def _join(path: str, name: str) -> str:
    return f"{path}.{member_name(name)}" if path else member_name(name)


def _printed(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value)


def _sentence(value: Any, path: str, constraint: str) -> str:
    shown = "null" if value is None else f"'{value}'"
    return f"Value {shown} at '{path}' failed to satisfy constraint: {constraint}"
