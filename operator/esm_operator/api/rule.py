"""What a rule is, and the words of CEL that rules are made of.

A rule is a CEL expression on the spec that must be true, and the message for where it is not. The same list of
them goes into the CRDs and into the offline check.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from dataclasses import field as attribute
from enum import StrEnum

from esm_operator.api.sources import ALL, ARN_SERVICES, TITLES, SourceType

_SELF_MANAGED = SourceType.SELF_MANAGED_KAFKA


class Reason(StrEnum):
    """How the API server introduces the message (``reason`` in x-kubernetes-validations)."""

    INVALID = "FieldValueInvalid"
    FORBIDDEN = "FieldValueForbidden"
    REQUIRED = "FieldValueRequired"


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that is refused."""

    id: str
    field: str
    """The field of the spec that the message stands at."""
    expression: str
    """True where all is well; ``self`` is the spec."""
    words: str
    """The message. ``{source}`` stands for the source type, other names for expressions in ``parts``."""
    parts: Mapping[str, str] = attribute(default_factory=dict[str, str])
    sources: frozenset[SourceType] = ALL
    """The source types that can meet it; more than one makes ``{source}`` an expression."""
    reason: Reason = Reason.INVALID

    @property
    def message(self) -> str:
        """The message, where it is the same for all; else empty."""
        if self.parts or ("{source}" in self.words and len(self.sources) > 1):
            return ""
        return self.words.replace("{source}", "".join(TITLES[source] for source in self.sources))

    @property
    def message_expression(self) -> str:
        """The CEL expression of the message, where it is not the same for all; else empty."""
        if self.message:
            return ""
        expressions = {"source": title(self.sources), **self.parts}
        pieces = re.split(r"\{(\w+)\}", self.words)
        texts = [
            quoted(piece) if number % 2 == 0 else f"({expressions[piece]})"
            for number, piece in enumerate(pieces)
            if piece
        ]
        return " + ".join(texts)


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is wrong with a spec."""

    field: str
    """Where, from the root of the resource: ``spec.batchSize``."""
    message: str
    """What is wrong and what to do."""


# -- The words of CEL ---------------------------------------------------------------------------------------


def quoted(text: str) -> str:
    """A CEL string."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def present(path: str, root: str = "self") -> str:
    """Whether a field is there, however deep."""
    parts = path.split(".")
    return " && ".join(f"has({root}.{'.'.join(parts[: depth + 1])})" for depth in range(len(parts)))


def when(path: str, condition: str) -> str:
    """A condition on a field that may be absent."""
    return f"!({present(path)}) || ({condition})"


def reads_from(sources: Iterable[SourceType]) -> str:
    """Whether the spec's source is one of these types."""
    wanted = frozenset(sources)
    services = [service for service, source in ARN_SERVICES.items() if source in wanted]
    tests: list[str] = []
    if services:
        pattern = f"^arn:[^:]*:({'|'.join(services)}):"
        tests.append(f"has(self.eventSourceARN) && self.eventSourceARN.matches({quoted(pattern)})")
    if _SELF_MANAGED in wanted:
        tests.append("!has(self.eventSourceARN) && has(self.selfManagedEventSource)")
    return " || ".join(f"({test})" for test in tests) if len(tests) > 1 else tests[0]


def title(sources: Iterable[SourceType]) -> str:
    """The name of the spec's source type, for a message; it is one of these, or none."""
    wanted = frozenset(sources)
    result = quoted("this source")
    for service, source in ARN_SERVICES.items():
        if source in wanted:
            test = f"self.eventSourceARN.matches({quoted(f'^arn:[^:]*:{service}:')})"
            result = f"{test} ? {quoted(TITLES[source])} : {result}"
    result = f"has(self.eventSourceARN) ? ({result}) : 'this source'"
    if _SELF_MANAGED in wanted:
        result = f"{reads_from([_SELF_MANAGED])} ? {quoted(TITLES[_SELF_MANAGED])} : ({result})"
    return result


def listed(words: Iterable[str], conjunction: str = "and") -> str:
    """``a, b and c``."""
    items = list(words)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {conjunction} {items[-1]}"


def titles(sources: Iterable[SourceType], conjunction: str = "and") -> str:
    """The names of source types, in the order of the table."""
    wanted = frozenset(sources)
    return listed([name for source, name in TITLES.items() if source in wanted], conjunction)


def those_that_do(sources: Iterable[SourceType]) -> str:
    """``A does``, ``A and B do``: the source types that a message sends people to."""
    wanted = frozenset(sources)
    return f"{titles(wanted)} {'does' if len(wanted) == 1 else 'do'}"
