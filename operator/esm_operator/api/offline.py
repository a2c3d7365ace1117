"""The rules without an API server, and checks that CEL can't do: JSON, the time, the characters of tags.

``esm-operator validate`` evaluates the CEL of the rules here, so its messages are those of the API server. The operator
makes the other checks for each resource.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from esm_operator.api import values
from esm_operator.api.rule import Rule, Violation
from esm_operator.api.sources import TITLES
from esm_operator.api.spec import MappingSpec


@cache
def _program(expression: str) -> Callable[[Mapping[str, Any]], Any]:
    import cel  # it imports 250 modules, 12 MB, and a running operator evaluates nothing

    # The library's size() counts the bytes of a string, Kubernetes' counts characters.
    program = cel.compile(re.sub(r"\bsize\(", "length(", expression))
    return lambda spec: program.execute(cel.Context(variables={"self": dict(spec)}, functions={"length": len}))


def broken(table: Iterable[Rule], spec: Mapping[str, Any]) -> list[Rule]:
    """The rules that a new resource of this spec breaks. The spec has the right types."""
    return [rule for rule in table if not _program(rule.expression)(spec)]


def check(table: Iterable[Rule], spec: Mapping[str, Any]) -> list[Violation]:
    """What the API server would refuse in a new resource of this spec. The spec has the right types."""
    return [
        Violation(f"spec.{rule.field}", rule.message or str(_program(rule.message_expression)(spec)))
        for rule in broken(table, spec)
    ]


_TAG = re.compile(r"[\w .:/=+\-@\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*")


def offline_problems(spec: MappingSpec, now: datetime) -> list[Violation]:
    """What AWS refuses and CEL can't check, for a spec that the rules accept."""
    return [*_patterns(spec), *_future(spec, now), *_letters(spec), *_places(spec)]


def function_elsewhere(function_name: str, region: str) -> str:
    """The problem, if the function is not in the mapping's region; else empty."""
    function = values.function_ref(function_name)
    if function is None or function.region in ("", region):
        return ""
    return (
        f"spec.functionName is a function in {function.region}, but the mapping is in {region}. A mapping invokes "
        f"functions of its own region only. Use a function in {region}."
    )


def _no_json(word: str) -> None:
    raise ValueError(word)  # NaN and Infinity, which Python reads and JSON does not have


def _patterns(spec: MappingSpec) -> Iterator[Violation]:
    for number, pattern in enumerate(spec.filter_patterns):
        try:
            fine = isinstance(json.loads(pattern, parse_constant=_no_json), dict)
        except (ValueError, RecursionError):
            fine = False
        if not fine:
            yield Violation(
                f"spec.filterCriteria.filters[{number}].pattern",
                f"Pattern {number + 1} in filterCriteria.filters is not a JSON object, which AWS needs for "
                f"{_title_of(spec)}; correct it.",
            )


def _future(spec: MappingSpec, now: datetime) -> Iterator[Violation]:
    stamp = spec.starting_position_timestamp
    if stamp and (values.timestamp(stamp) or 0) > now.timestamp():
        yield Violation(
            "spec.startingPositionTimestamp",
            f"startingPositionTimestamp {stamp} is in the future, where {_title_of(spec)} can't start; set an "
            "earlier time, or startingPosition: LATEST.",
        )


def _letters(spec: MappingSpec) -> Iterator[Violation]:
    for key, value in spec.tags.items():
        if not (_TAG.fullmatch(key) and _TAG.fullmatch(value)):
            yield Violation(
                "spec.tags",
                f"The tag {key} has characters that AWS does not take ({_title_of(spec)}); letters, digits, spaces "
                "and _ . : / = + - @ are possible. Change it.",
            )


def _places(spec: MappingSpec) -> Iterator[Violation]:
    if spec.region and (wrong := function_elsewhere(spec.function_name, spec.region)):
        yield Violation("spec.functionName", wrong)


def _title_of(spec: MappingSpec) -> str:
    return TITLES[spec.source] if spec.source is not None else "this source"
