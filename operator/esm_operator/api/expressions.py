"""The CEL expressions that rules are made of.

In the CEL of a CRD, an access to a field of ``self`` is costly, because the API server copies the schemas of all fields
that ``self`` can have. Everything else is cheap. So an expression begins with what is most often absent or false, and
may use a field before it asks whether the field is present: in CEL, ``error || true`` is true, and ``error && false``
is false.
"""

import re
from collections.abc import Iterable

from esm_operator.api.sources import ARN_SERVICES, TITLES, SourceType

_SELF_MANAGED = SourceType.SELF_MANAGED_KAFKA


def quoted(text: str) -> str:
    """A CEL string."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def quoted_list(texts: Iterable[str]) -> str:
    """A CEL list of strings."""
    return f"[{', '.join(map(quoted, texts))}]"


def present(path: str, root: str = "self") -> str:
    """Whether a field and all structures around it are present."""
    parts = path.split(".")
    return " && ".join(f"has({root}.{'.'.join(parts[: depth + 1])})" for depth in range(len(parts)))


def when(path: str, condition: str) -> str:
    """A condition on a field that may be absent."""
    return f"!({present(path)}) || ({condition})"


def relative_to(part: str, expression: str) -> str:
    """An expression with ``self`` for a part of the spec; empty if it needs more of the spec."""
    inside = re.sub(rf"\bself\.{re.escape(part)}(?!\w)", "\0", expression)
    return "" if re.search(r"\bself\b", inside) else inside.replace("\0", "self")


def reads_from(sources: Iterable[SourceType]) -> str:
    """Whether the spec's source is one of these types."""
    wanted = frozenset(sources)
    services = [service for service, source in ARN_SERVICES.items() if source in wanted]
    tests: list[str] = []
    if services:
        pattern = f"^arn:[^:]*:({'|'.join(services)}):"
        tests.append(f"self.eventSourceARN.matches({quoted(pattern)}) && has(self.eventSourceARN)")
    if _SELF_MANAGED in wanted:
        tests.append("has(self.selfManagedEventSource) && !has(self.eventSourceARN)")
    return " || ".join(f"({test})" for test in tests) if len(tests) > 1 else tests[0]


def title(sources: Iterable[SourceType]) -> str:
    """The name of the spec's source type, for a message; it is one of these, or none of them."""
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
