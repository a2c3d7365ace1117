"""A rule: a CEL expression on the spec that must be true, and a message.

The same list of rules is in the CRDs and in the offline check. Both report the first broken rule of each
:attr:`Rule.group`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from dataclasses import field as attribute
from enum import StrEnum
from functools import partial
from typing import Any

from esm_operator.api.expressions import quoted, relative_to, title, when
from esm_operator.api.sources import ALL, TITLES, SourceType


class Reason(StrEnum):
    """How the API server introduces the message (``reason`` in x-kubernetes-validations)."""

    INVALID = "FieldValueInvalid"
    FORBIDDEN = "FieldValueForbidden"
    REQUIRED = "FieldValueRequired"


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of spec that is refused."""

    field: str
    """The field of the spec that the message is about."""
    test: str
    """A CEL expression that is true for a valid spec; ``self`` is the spec."""
    words: str
    """The message. ``{source}`` stands for the source type, other names for expressions in ``parts``."""
    parts: Mapping[str, str] = attribute(default_factory=dict[str, str])
    sources: frozenset[SourceType] = ALL
    """The source types that can meet it; more than one makes ``{source}`` an expression."""
    reason: Reason = Reason.INVALID
    given: str = ""
    """The field without which the rule is not broken; empty: the test is made of every spec."""

    @property
    def expression(self) -> str:
        """The whole CEL expression that is true for a valid spec."""
        return when(self.given, self.test) if self.given else self.test

    @property
    def node(self) -> str:
        """The part of the spec whose schema has the rule: the field, the structure around it, or the spec (empty).

        It is as small as the test and the message allow, because the API server does not evaluate rules of an absent
        part, and because access to a field of the spec is costly.
        """
        if not (self.given and self.message):
            return ""
        around = self.field.rpartition(".")[0]
        return next((part for part in (self.field, around) if part and self.within(part)), "")

    def within(self, part: str) -> str:
        """The expression with ``self`` for a part of the spec that is present; empty if it needs more of the spec."""
        if not part:
            return self.expression
        test = relative_to(part, self.test)
        if self.given == part:
            return test
        inside = self.given.startswith(f"{part}.")
        return when(self.given.removeprefix(f"{part}."), test) if test and inside else ""

    @property
    def group(self) -> tuple[str, ...]:
        """Equal for rules that are one rule in the CRD, whose message is that of the first broken one."""
        alone = self.node or not self.given
        return (self.field, self.given, self.words if alone else "")

    @property
    def message(self) -> str:
        """The message, if it is the same for all specs; else empty."""
        if self.parts or ("{source}" in self.words and len(self.sources) > 1):
            return ""
        return self.words.replace("{source}", "".join(TITLES[source] for source in self.sources))

    @property
    def message_expression(self) -> str:
        """The CEL expression of the message, if it is not the same for all specs; else empty."""
        if self.message:
            return ""
        expressions = {"source": title(self.sources), **self.parts}
        pieces = [piece for piece in re.split(r"(\{\w+\})", self.words) if piece]
        return " + ".join(f"({expressions[piece[1:-1]]})" if piece[0] == "{" else quoted(piece) for piece in pieces)


#: A rule about a value that a field must not have in this spec.
forbidden = partial(Rule, reason=Reason.FORBIDDEN)
#: A rule about a value that is missing.
needed = partial(Rule, reason=Reason.REQUIRED)


def about(path: str, test: str, words: str, rule: Callable[..., Rule] = Rule, **more: Any) -> Rule:
    """A rule about the value of a field that may be absent.

    Args:
        path: the field.
        test: a CEL expression that may use the field without a check that it is present.
        words: the message.
        rule: :class:`Rule`, or :data:`forbidden` for a value that the field must not have in this spec.
        more: the other attributes of the rule.
    """
    return rule(path, test, words, given=path, **more)


def groups(table: Iterable[Rule]) -> list[list[Rule]]:
    """The rules that belong together, in the order of the first of each group."""
    found: dict[tuple[str, ...], list[Rule]] = {}
    for rule in table:
        found.setdefault(rule.group, []).append(rule)
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Violation:
    """One problem in a spec."""

    field: str
    """Where, from the root of the resource: ``spec.batchSize``."""
    message: str
    """The problem and the remedy."""


def listed(words: Iterable[str], conjunction: str = "and") -> str:
    """``a, b and c``."""
    items = list(words)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {conjunction} {items[-1]}"


def titles(sources: Iterable[SourceType], conjunction: str = "and") -> str:
    """The names of source types, in the order of the table."""
    wanted = frozenset(sources)
    return listed([name for source, name in TITLES.items() if source in wanted], conjunction)


def only(sources: Iterable[SourceType], what: str) -> str:
    """``Only A takes it.``, ``Only A and B take it.``: the source types that take something."""
    wanted = frozenset(sources)
    return f"Only {titles(wanted)} {'takes' if len(wanted) == 1 else 'take'} {what}."
