"""Evaluates the rules without an API server, and makes the checks that CEL cannot make.

CEL in a CRD cannot parse JSON and has no clock. The CRD can be newer than the operator, so that the API server accepts
fields and policies that the operator does not know.

``esm-operator validate`` evaluates the CEL expressions of the rules, so its messages are those of the API server. The
operator makes the other checks for each resource.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cache
from types import ModuleType
from typing import Any

from pydantic_core import SchemaValidator, core_schema

from esm_operator.api import limits, values
from esm_operator.api.fields import FIELDS
from esm_operator.api.foreign_text import VALUE, cut
from esm_operator.api.frozen_json import FrozenJSON, at_hand
from esm_operator.api.references import without_references
from esm_operator.api.rule import Rule, Violation, groups, listed
from esm_operator.api.sources import TITLES
from esm_operator.api.spec import OWN_FIELDS, REFERENCE_FIELDS, MappingSpec

#: The fields of a spec.
_KNOWN_FIELDS = OWN_FIELDS | REFERENCE_FIELDS | {row.path.partition(".")[0] for row in FIELDS}


@cache
def _cel() -> Any:
    """The library that evaluates CEL. A running operator imports it only for references.

    The library also imports its own command line. This import takes a second and 12 MB for 240 modules, so an empty
    module replaces the command line.
    """
    sys.modules.setdefault("cel.cli", ModuleType("cel.cli"))
    import cel

    return cel


@cache
def _program(expression: str) -> Any:
    # size() of the library counts the bytes of a string. In Kubernetes, size() counts characters. matches() of the
    # library compiles its pattern for each call, which takes most of the time of a check. Kubernetes also escapes the
    # names of fields that are reserved words. The library does not know this escape.
    expression = re.sub(r"\bsize\(", "length(", expression).replace(".matches(", ".fits(")
    return _cel().compile(expression.replace("__namespace__", "namespace"))


@cache
def _pattern(pattern: str) -> SchemaValidator:
    """A regular expression of the engine that the library for CEL has too, compiled once."""
    return SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))


def _fits(text: str, pattern: str) -> bool:
    return _pattern(pattern).isinstance_python(text)


def _context(spec: Mapping[str, Any]) -> Any:
    return _cel().Context(variables={"self": dict(spec)}, functions={"length": len, "fits": _fits})


def broken(table: Iterable[Rule], spec: Mapping[str, Any]) -> list[Rule]:
    """The rules that a new resource with this spec breaks. The types of the spec must be right."""
    context = _context(spec)
    return [rule for rule in table if not _program(rule.expression).execute(context)]


def check(table: Iterable[Rule], spec: Mapping[str, Any]) -> list[Violation]:
    """The violations for which the API server refuses a new resource. The types of the spec must be right."""
    context = _context(spec)
    return [
        Violation(f"spec.{first.field}", first.message or str(_program(first.message_expression).execute(context)))
        for first, *_ in groups(broken(table, spec))
    ]


@at_hand
def problems_of_values(effective: FrozenJSON) -> tuple[Violation, ...]:
    """The rules that an effective spec breaks. The API server did not know the values of its references."""
    from esm_operator.api.rules import RULES_OF_VALUES  # an operator without references does not need them

    spec = without_references(effective.unpacked)
    return () if _all_rules_of_values().execute(_context(spec)) else tuple(check(RULES_OF_VALUES, spec))


@cache
def _all_rules_of_values() -> Any:
    """One program for all rules, which is faster than one for each."""
    from esm_operator.api.rules import RULES_OF_VALUES  # as above

    return _program(" && ".join(f"({rule.expression})" for rule in RULES_OF_VALUES))


#: Characters of a text that a message shows before and after a position.
_AROUND = 12


def offline_problems(spec: MappingSpec, now: datetime) -> list[Violation]:
    """The violations that AWS refuses and CEL cannot check, in a spec that the rules accept."""
    return [*_unknown_fields(spec), *unknown_policies(spec), *_patterns(spec), *_time(spec, now), *_regions(spec)]


def unknown_policies(spec: MappingSpec) -> Iterator[Violation]:
    """The policies of a newer CRD. They also forbid a deletion, because they may decide what happens to the mapping."""
    for row in limits.WORDS:
        name, _, member = row.path.partition(".")
        if name not in OWN_FIELDS:
            continue
        holder: Mapping[str, Any] = spec.raw.get(name) or {} if member else spec.raw
        value = holder.get(member or name)
        if value is not None and value not in row.words:
            yield Violation(
                f"spec.{row.path}",
                f"This version of the operator does not know {row.path} {value}. Upgrade the operator, or set "
                f"{row.path} to {listed(row.words, 'or')}.",
            )


def function_elsewhere(function_name: str, region: str) -> str:
    """The problem if the function is not in the region of the mapping; otherwise empty."""
    function = values.function_ref(function_name)
    if function is None or function.region in ("", region):
        return ""
    return (
        f"spec.functionName is a function in {function.region}, but the mapping is in {region}. A mapping invokes "
        f"functions of its own region only. Use a function in {region}."
    )


def problem_of_pattern(pattern: str) -> str:
    """Why a filter pattern is not a JSON object, and where; empty if it is one."""
    try:
        value = json.loads(pattern, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        return f"not valid JSON at {_place(pattern, error.pos)}: {error.msg}"
    except _ConstantError as error:
        return f"not valid JSON at {_place(pattern, max(0, pattern.find(str(error))))}: JSON has no value {error}"
    except RecursionError:
        return "nested too deeply"
    except ValueError as error:
        return f"not valid JSON: {error}"
    return "" if isinstance(value, dict) else 'valid JSON, but not an object such as {"body": {"kind": ["order"]}}'


class _ConstantError(ValueError):
    """NaN or Infinity, which Python reads and JSON does not have."""


def _refuse_constant(word: str) -> None:
    raise _ConstantError(word)


def _place(text: str, position: int) -> str:
    """A position in a text for people, with the text around it."""
    before = text[:position]
    column = position - before.rfind("\n")
    line = f"line {before.count(chr(10)) + 1}, " if "\n" in text else ""
    around = text[max(0, position - _AROUND) : position + _AROUND]
    return f"{line}column {column}, near `{around.strip()}`" if around.strip() else f"{line}column {column}"


def _unknown_fields(spec: MappingSpec) -> Iterator[Violation]:
    for name in sorted(spec.raw.keys() - _KNOWN_FIELDS):
        yield Violation(
            f"spec.{name}",
            f"This version of the operator does not know the field {name}. Upgrade the operator, or remove {name}.",
        )


def unknown_entries(spec: MappingSpec) -> Iterator[Violation]:
    """The entries of ignoreChanges that only a newer CRD allows. The operator would change these fields.

    Only the operator makes this check, because the rules of this version refuse such entries with another message.
    """
    for entry in spec.ignored.unknown:
        yield Violation(
            "spec.ignoreChanges",
            f"This version of the operator does not know the entry {entry} of ignoreChanges. Upgrade the operator, or "
            "remove the entry.",
        )


def _patterns(spec: MappingSpec) -> Iterator[Violation]:
    for number, pattern in enumerate(spec.filter_patterns):
        if problem := problem_of_pattern(pattern):
            yield Violation(
                f"spec.filterCriteria.filters[{number}].pattern",
                f"Pattern {number + 1} in filterCriteria.filters is {problem}. {_title_of(spec)} needs a JSON object. "
                "Correct the pattern.",
            )


def _time(spec: MappingSpec, now: datetime) -> Iterator[Violation]:
    stamp = spec.starting_position_timestamp
    if not stamp:
        return
    moment, field = values.timestamp(stamp), "spec.startingPositionTimestamp"
    if not isinstance(moment, int):
        yield Violation(
            field,
            f"startingPositionTimestamp {cut(stamp, VALUE)} is not a point in time. {_title_of(spec)} needs a point in "
            "time such as 2026-01-31T12:00:00Z. Correct the time.",
        )
    elif moment > now.timestamp():
        yield Violation(
            field,
            f"startingPositionTimestamp {stamp} is in the future. {_title_of(spec)} cannot start there. Set an earlier "
            "time, or startingPosition: LATEST.",
        )


def _regions(spec: MappingSpec) -> Iterator[Violation]:
    if spec.region and (wrong := function_elsewhere(spec.function_name, spec.region)):
        yield Violation("spec.functionName", wrong)


def _title_of(spec: MappingSpec) -> str:
    return TITLES[spec.source] if spec.source is not None else "AWS Lambda"
