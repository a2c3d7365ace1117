"""The CEL expressions that rules are made of."""

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
