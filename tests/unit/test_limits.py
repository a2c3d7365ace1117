"""The values that a field can have are those of botocore's model, except for the differences in two tables.

These tests fail when a new botocore has another enum value, range, length or pattern. Then change ``api/limits.py``, or
add a row with the reason to ``DIFFERENCES`` or ``PATTERNS``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple, TypeAlias

import botocore.session
import pytest
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape

from esm_operator.api import limits, names

OPERATIONS = ("CreateEventSourceMapping", "UpdateEventSourceMapping")
#: Members of the requests that are no fields of the spec. AWS does not support OnSuccess (botocore).
NO_FIELDS = ("UUID", "DestinationConfig.OnSuccess")
REGISTRIES = limits.REGISTRIES


class Place(NamedTuple):
    """A constraint of a field. ``list[]`` are the items of a list."""

    path: str
    constraint: str


class Difference(NamedTuple):
    """The values of a constraint. None: there is no such constraint."""

    botocore: object
    ours: object


Differences: TypeAlias = Mapping[Place, Difference]

DIFFERENCES: Differences = {
    # AWS's CloudFormation schema has these limits, and botocore has lower ones or none.
    Place("sourceAccessConfigurations", "max"): Difference(23, 29),
    Place("filterCriteria.filters", "max"): Difference(None, 20),
    **{Place(f"{registry}.accessConfigs", "max"): Difference(None, 2) for registry in REGISTRIES},
    # AWS raises this limit for an account on request.
    Place("scalingConfig.maximumConcurrency", "max"): Difference(1_000, None),
    # An empty text does not match the pattern of an ARN.
    Place("eventSourceARN", "min"): Difference(None, 1),
    **{Place(f"{registry}.accessConfigs[].uri", "min"): Difference(None, 1) for registry in REGISTRIES},
    # The spec has a field with the only key of the map, and requires this field.
    Place("selfManagedEventSource.endpoints", "min"): Difference(1, None),
    Place("selfManagedEventSource.endpoints", "max"): Difference(2, None),
}

_ARN = (
    r"arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1})?:(\d{12})?:(.*)"
)
_FUNCTION = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?"
    r"([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
)
_HOST = r"([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9\-]*[a-zA-Z0-9])"
_SERVER = rf"({_HOST}\.)*{_HOST.replace('a-zA-Z', 'A-Za-z')}:[0-9]{{1,5}}"
#: The patterns of this project, in RE2, by those of botocore. They have the same meaning, if no comment says otherwise.
PATTERNS: Mapping[str, str | None] = {
    # Any region, because AWS adds regions. The last part is not empty.
    _ARN: "^arn:aws[a-zA-Z0-9-]*:[a-zA-Z0-9-]+:[a-z0-9-]*:([0-9]{12})?:.+$",
    # Only services that can be a destination. Queues and topics have a region and an account.
    rf"$|kafka://([^.]([a-zA-Z0-9\-_.]{{0,248}}))|{_ARN}": "^(|kafka://[^.][a-zA-Z0-9_.-]{0,248}|"
    "arn:aws[a-zA-Z0-9-]*:(s3:[a-z0-9-]*:([0-9]{12})?|(sqs|sns):[a-z0-9-]+:[0-9]{12}):.+)$",
    # Any text after the partition, which is not absent.
    "(arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()": "^(arn:aws[a-zA-Z0-9-]*:.*)?$",
    # A rule of its own refuses collections that begin with "system.".
    r"(^(?!(system\x2e)))(^[_a-zA-Z0-9])([^$]*)": "^[_a-zA-Z0-9][^$]*$",
    # The offline check refuses patterns that are not JSON.
    r"[\s\S]*": None,
    _FUNCTION: "^(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}(-gov|-iso[a-z]?)?-[a-z]+-[0-9]:)?([0-9]{12}:)?"
    "(function:)?[a-zA-Z0-9_.-]+(:([$]LATEST([.]PUBLISHED)?|[a-zA-Z0-9_-]+))?$",
    _SERVER: "^([a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?[.])*[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?:[0-9]{1,5}$",
    r"[ a-zA-Z0-9-\/*:_+=.@-]*": "^[ a-zA-Z0-9/*:_+=.@-]*$",
    r"[a-zA-Z0-9-\/*:_+=.@-]*": "^[a-zA-Z0-9/*:_+=.@-]*$",
    "[a-zA-Z0-9-_]*": "^[a-zA-Z0-9_-]*$",
    r"[^.]([a-zA-Z0-9\-_.]+)": "^[^.][a-zA-Z0-9_.-]+$",
    r"[^ /\.$\x22]*": '^[^ /.$"]*$',
    r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)": r"^[\p{L}\p{Z}\p{N}_.:/=+@-]*$",
}


@dataclass(frozen=True, slots=True)
class Constraints:
    """What the value of one field must be. None: anything."""

    enum: frozenset[str] | None = None
    min: int | None = None
    """The least number, length of a text, or number of items. For lengths, 0 is None."""
    max: int | None = None
    pattern: str | None = None


# Of botocore


def of_botocore(model: ServiceModel) -> Iterator[tuple[str, Shape]]:
    """The members of the requests, by the path of their field."""
    for operation in OPERATIONS:
        for path, shape in _members(model.operation_model(operation).input_shape, ()):
            if not ".".join(path).startswith(NO_FIELDS):
                yield ".".join(map(_field_name, path)), shape


def _field_name(member: str) -> str:
    name = member.removesuffix("[]")
    return f"{names.kubernetes_name(name)}{member.removeprefix(name)}"


def _members(shape: Shape | None, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Shape]]:
    if shape is None:
        return
    if path:
        yield path, shape
    if isinstance(shape, StructureShape):
        for name, member in shape.members.items():
            yield from _members(member, (*path, name))
    elif isinstance(shape, ListShape):
        yield from _members(shape.member, (*path[:-1], f"{path[-1]}[]"))
    elif isinstance(shape, MapShape):
        keys: list[str] | None = shape.key.metadata.get("enum")
        yield (*path, "keys"), shape.key
        for name in keys or ("values",):
            yield from _members(shape.value, (*path, name))


def constraints_of(shape: Shape) -> Constraints:
    about: Mapping[str, Any] = shape.metadata
    enum, low = about.get("enum"), about.get("min")
    if shape.type_name in ("string", "list", "map"):
        low = low or None
    return Constraints(frozenset(enum) if enum else None, low, about.get("max"), about.get("pattern"))


# Of this project


@cache
def of_the_tables() -> Mapping[str, Constraints]:
    """The constraints of all fields in the tables."""
    found = {row.path: Constraints(enum=frozenset(row.words)) for row in limits.WORDS}
    # The items of a list of words differ.
    found |= {path[:-2]: Constraints(max=len(row.enum or ())) for path, row in found.items() if path.endswith("[]")}
    found |= {row.path: Constraints(None, row.shortest or None, row.longest, row.pattern) for row in limits.TEXTS}
    found |= {row.path: Constraints(None, row.low or None, row.high) for row in limits.COUNTS}
    for row in limits.RANGES:
        low = row.low if row.besides is None else min(row.low, row.besides)
        # A field has a row for each range of its source types.
        other = found.get(row.path, Constraints(None, low, row.high))
        highs = (row.high, other.max)
        found[row.path] = Constraints(
            None, min(low, low if other.min is None else other.min), None if None in highs else max(filter(None, highs))
        )
    queue = found["queues[]"]
    assert queue.pattern == "^(?s:.*)$", "any text"
    return found | {
        "queues[]": replace(queue, pattern=None),
        "filterCriteria.filters[].pattern": Constraints(max=limits.LONGEST_PATTERN),
        "selfManagedEventSource.endpoints.keys": Constraints(enum=frozenset({"KAFKA_BOOTSTRAP_SERVERS"})),
        "tags.keys": Constraints(None, 1, limits.LONGEST_TAG_KEY, limits.TAG_PATTERN),
        "tags.values": Constraints(None, None, limits.LONGEST_TAG_VALUE, limits.TAG_PATTERN),
    }


def unexpected(model: ServiceModel) -> dict[Place, object]:
    """The differences that are in no table, and the rows of DIFFERENCES that are no differences."""
    found: dict[Place, Difference] = {}
    for path, shape in of_botocore(model):
        theirs, ours = constraints_of(shape), of_the_tables().get(path, Constraints())
        for constraint in ("enum", "min", "max", "pattern"):
            pair = Difference(getattr(theirs, constraint), getattr(ours, constraint))
            known = constraint == "pattern" and pair.botocore in PATTERNS and PATTERNS[str(pair.botocore)] == pair.ours
            if pair.botocore != pair.ours and not known:
                found[Place(path, constraint)] = pair
    new = {place: pair for place, pair in found.items() if DIFFERENCES.get(place) != pair}
    return {**new, **dict.fromkeys(DIFFERENCES.keys() - found.keys(), "is no difference")}


# Tests


@cache
def description() -> dict[str, Any]:
    """The file from which botocore makes its model. Not to be changed."""
    return botocore.session.get_session().get_component("data_loader").load_service_model("lambda", "service-2")


def model_with(shape: str, members: Mapping[str, Any]) -> ServiceModel:
    """The model of botocore with some members of one shape changed. The value None removes a member."""
    shapes = description()["shapes"]
    changed = {name: value for name, value in {**shapes[shape], **members}.items() if value is not None}
    return ServiceModel({**description(), "shapes": {**shapes, shape: changed}}, "lambda")


def mutations() -> Iterator[tuple[str, dict[str, Any]]]:
    """For each constraint of each shape of the requests: another value, no value, and one where there is none."""
    shapes = {shape.name: shape for _, shape in of_botocore(ServiceModel(description(), "lambda"))}
    for name, shape in sorted(shapes.items()):
        if shape.type_name in ("structure", "boolean", "timestamp"):
            continue
        about: Mapping[str, Any] = shape.metadata
        if enum := about.get("enum"):
            yield name, {"enum": [*enum, "NEW"]}
            yield name, {"enum": enum[1:]}
        bounded = [bound for bound in ("min", "max") if about.get(bound) is not None]
        for bound in bounded:
            yield name, {bound: about[bound] + 1}
        if "max" not in bounded:
            yield name, {"max": 7}
        else:
            yield name, {"max": None}
        if shape.type_name == "string":
            yield name, {"pattern": "[a-z]*"}


def test_the_values_of_fields_are_those_of_botocore() -> None:
    assert unexpected(ServiceModel(description(), "lambda")) == {}


def test_a_table_has_no_row_that_is_not_needed() -> None:
    theirs = {constraints_of(shape).pattern for _, shape in of_botocore(ServiceModel(description(), "lambda"))}
    assert PATTERNS.keys() - theirs == set()


def test_each_row_of_the_tables_is_a_field_of_aws_or_one_of_the_operator() -> None:
    own = {"region", "deletionPolicy", "managementPolicy", "replacePolicy", "outputs.configMapName"}
    fields = {path for path, _ in of_botocore(ServiceModel(description(), "lambda"))}
    assert {path for path in of_the_tables().keys() - fields if not path.startswith("adoption.")} == own


@pytest.mark.parametrize(
    ("shape", "members"), list(mutations()), ids=lambda value: value if isinstance(value, str) else next(iter(value))
)
def test_each_change_of_the_model_is_found(shape: str, members: dict[str, Any]) -> None:
    (constraint,) = members
    assert constraint in {place.constraint for place in unexpected(model_with(shape, members))}


@pytest.mark.parametrize(
    ("shape", "path"),
    [
        ("EventSourceMappingMetric", "metricsConfig.metrics[]"),
        ("EventSourcePosition", "startingPosition"),
        ("FunctionResponseType", "functionResponseTypes[]"),
        ("SourceAccessType", "sourceAccessConfigurations[].type"),
        ("KafkaSchemaRegistryAuthType", f"{REGISTRIES[0]}.accessConfigs[].type"),
        ("EndPointType", "selfManagedEventSource.endpoints.keys"),
    ],
)
def test_a_new_enum_value_is_found_at_its_field(shape: str, path: str) -> None:
    enum: list[str] = description()["shapes"][shape]["enum"]
    assert Place(path, "enum") in unexpected(model_with(shape, {"enum": [*enum, "NEW"]}))


def test_a_new_enum_of_a_field_that_had_none_is_found() -> None:
    found = unexpected(model_with("Queue", {"enum": ["ONLY"]}))
    assert found == {Place("queues[]", "enum"): Difference(frozenset({"ONLY"}), None)}
