"""Canonical values, by which a field of a spec and the same field in AWS are compared.

AWS rewrites values: it sorts broker addresses, replaces a function's name by its ARN, and changes the white space of
JSON. Each kind of value has a function here that returns a canonical, hashable form. None stands for "absent".
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

from esm_operator.api.frozen_json import is_array, is_object

Canonical: TypeAlias = "str | int | float | bool | FunctionRef | tuple[str, ...] | tuple[tuple[str, str], ...] | None"

_FUNCTION = re.compile(
    r"(?:arn:(?P<partition>aws[a-zA-Z-]*):lambda:)?"
    r"(?:(?P<region>(?:eusc-)?[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d):)?"
    r"(?:(?P<account>\d{12}):)?"
    r"(?:function:)?"
    r"(?P<name>[a-zA-Z0-9-_.]+)"
    r"(?::(?P<qualifier>\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
)


@dataclass(frozen=True, slots=True)
class FunctionRef:
    """The parts of a function's name, partial ARN or ARN. Parts that are left out are empty, and so is $LATEST."""

    name: str
    qualifier: str
    account: str
    region: str

    def same_as(self, other: "FunctionRef") -> bool:
        """Whether both mean one function. An account or region that one leaves out is no difference."""
        places = ((self.account, other.account), (self.region, other.region))
        same_place = all(one == another or not one or not another for one, another in places)
        return same_place and (self.name, self.qualifier) == (other.name, other.qualifier)

    def __str__(self) -> str:
        return f"{self.name}:{self.qualifier}" if self.qualifier else self.name


def function_ref(text: str) -> FunctionRef | None:
    """The parts of a function's name or (partial) ARN; None if the text is not one."""
    match = _FUNCTION.fullmatch(text)
    if match is None:
        return None
    qualifier = (match["qualifier"] or "").removesuffix("$LATEST")
    return FunctionRef(match["name"], qualifier, match["account"] or "", match["region"] or "")


def scalar(value: Any) -> Canonical:
    """A number, a boolean or a text; the empty text is absent."""
    return None if value == "" else value


def function(value: Any) -> Canonical:
    """A function's name or ARN; another text is unchanged, and AWS refuses it."""
    return None if value is None else (function_ref(str(value)) or str(value))


def names(value: Any) -> Canonical:
    """A list that AWS treats as a set; the empty one is absent."""
    return tuple(sorted(str(item) for item in value)) if value else None


def timestamp(value: Any) -> int | str | None:
    """A point in time, in whole seconds since 1970, the precision of AWS's answers. A text that is none is unchanged.

    API servers accept times that Python has not, such as a time zone of 24 hours.
    """
    if value is None:
        return None
    try:
        if isinstance(value, (int, float)):
            return int(value)
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).upper())
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return str(value)


def json_text(text: str) -> str:
    """JSON without insignificant white space and with sorted members; other text unchanged."""
    try:
        return json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


def filters(value: Any) -> Canonical:
    """FilterCriteria: its patterns as canonical JSON, in any order."""
    criteria: Mapping[str, Any] = value or {}
    patterns: Iterable[Mapping[str, Any]] = criteria.get("Filters") or ()
    return tuple(sorted(json_text(str(item.get("Pattern", ""))) for item in patterns)) or None


def access_configurations(value: Any) -> Canonical:
    """SourceAccessConfigurations: (type, uri) in any order; VPC ids with or without their prefix."""
    pairs = sorted(
        (str(item.get("Type", "")), re.sub(r"^(subnet|security_group):", "", str(item.get("URI") or "")))
        for item in value or ()
    )
    return tuple(pairs) or None


def structure(value: Any) -> Canonical:
    """A nested structure whose lists AWS treats as sets, as canonical JSON; an empty one is absent."""

    def ordered(part: Any) -> Any:
        if is_object(part):
            return {key: ordered(member) for key, member in part.items() if member not in (None, [], {})}
        if is_array(part):
            return sorted((ordered(item) for item in part), key=lambda item: json.dumps(item, sort_keys=True))
        return part

    result = ordered(value or {})
    return json.dumps(result, sort_keys=True) if result else None


Canonicalise: TypeAlias = Callable[[Any], Canonical]


def equal(desired: Canonical, observed: Canonical) -> bool:
    """Whether two canonical values mean the same."""
    if isinstance(desired, FunctionRef) and isinstance(observed, FunctionRef):
        return desired.same_as(observed)
    return bool(desired == observed)


def text(value: Canonical) -> str:
    """A canonical value for a message to people."""
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(text(item) for item in value) + "]"
    return str(value)
