"""The rules about one field each, made from the tables.

Who takes a field and who needs it (``fields``), what a value can be (``limits``), which access types a source has
(``access``), and tags. A new row of a table needs no line here.
"""

from collections.abc import Iterable, Iterator, Mapping

from esm_operator.api import access, limits
from esm_operator.api.fields import BY_PATH, FIELDS
from esm_operator.api.limits import Count, Range, Text, Words
from esm_operator.api.rule import Reason, Rule, listed, present, quoted, reads_from, those_that_do, when
from esm_operator.api.sources import ALL, TITLES, SourceType

# -- Who takes a field --------------------------------------------------------------------------------------

#: The source itself has rules of its own.
_SOURCE_FIELDS = ("eventSourceARN", "selfManagedEventSource")

#: What completes "... needs FIELD: ".
_HINTS: Mapping[str, str] = {
    "startingPosition": "set it to TRIM_HORIZON (the oldest record) or LATEST (the next one)",
    "topics": "name the one topic to read from",
    "queues": "name the one queue of the broker to read from",
    "sourceAccessConfigurations": "say how to reach the source and how to log in",
    "documentDBEventSourceConfig.databaseName": "name the database to read the changes of",
}

_LISTS = frozenset({"topics", "queues", "sourceAccessConfigurations"})


def takers(path: str) -> frozenset[SourceType]:
    """The source types that take a field, or any part of a structure; none for what AWS does not know."""
    rows = [row for row in FIELDS if f"{row.path}.".startswith(f"{path}.") or path.startswith(f"{row.path}.")]
    return frozenset[SourceType]().union(*(row.sources for row in rows))


def not_taken() -> Iterator[Rule]:
    """A field that the source does not take."""
    tops = dict.fromkeys(row.path.split(".")[0] for row in FIELDS)
    for top in tops:
        if top not in _SOURCE_FIELDS:
            yield from _refused(top, ALL)
    for row in FIELDS:
        if "." in row.path and not row.path.startswith(_SOURCE_FIELDS):
            yield from _refused(row.path, takers(row.path.split(".")[0]))


def _refused(path: str, among: frozenset[SourceType]) -> Iterator[Rule]:
    taking = takers(path)
    refusing = among - taking
    if refusing:
        yield Rule(
            id=f"{path}-not-taken",
            field=path,
            expression=when(path, f"!({reads_from(refusing)})"),
            words=f"{{source}} does not take {path}, only {those_that_do(taking)}; remove {path}.",
            sources=refusing,
            reason=Reason.FORBIDDEN,
        )


def required() -> Iterator[Rule]:
    """A field that the source needs."""
    for row in FIELDS:
        if row.path in _HINTS:
            there = present(row.path) + (f" && size(self.{row.path}) > 0" if row.path in _LISTS else "")
            yield Rule(
                id=f"{row.path}-required",
                field=row.path,
                expression=f"!({reads_from(row.required)}) || ({there})",
                words=f"{{source}} needs {row.path}; {_HINTS[row.path]}.",
                sources=row.required,
                reason=Reason.REQUIRED,
            )


# -- What a value can be ------------------------------------------------------------------------------------


def ranges() -> Iterator[Rule]:
    """Numbers between their ends, which may differ from source to source."""
    for number, row in enumerate(limits.RANGES):
        yield _range(number, row)


def _range(number: int, row: Range) -> Rule:
    value = f"self.{row.path}"
    tests = [f"{value} >= {row.low}"] + ([] if row.high is None else [f"{value} <= {row.high}"])
    inside = " && ".join(tests)
    if row.besides is not None:
        inside = f"{value} == {row.besides} || ({inside})"
    sources = row.sources & takers(row.path)
    outside = "" if sources == ALL else f"!({reads_from(sources)}) || "
    return Rule(
        id=f"{row.path}-range-{number}",
        field=row.path,
        expression=when(row.path, f"{outside}({inside})"),
        words=f"{row.path} must be {row} for {{source}}.",
        sources=sources,
    )


def _all_items(path: str, member: str, good: str) -> str:
    """Whether all items of a list, or a member of them, are good."""
    item = f"item.{member}" if member else "item"
    guard = f"!has({item}) || " if member else ""
    return f"self.{path}.all(item, {guard}({good.replace('{it}', item)}))"


def words() -> Iterator[Rule]:
    """Texts that are one of a few words."""
    for row in limits.WORDS:
        yield _word(row)


def _word(row: Words) -> Rule:
    good = f"{{it}} in [{', '.join(map(quoted, row.words))}]"
    value = f"self.{row.path}"
    condition = _all_items(row.path, row.member, good) if row.items else good.replace("{it}", value)
    name = f"{row.member} in {row.path}" if row.member else row.path
    about = " (source: {source})" if takers(row.path) else ""
    return Rule(
        id=f"{row.path}-words{row.member and '-' + row.member}",
        field=row.path,
        expression=when(row.path, condition),
        words=f"{name} must be {listed(row.words, 'or')}" + ("" if row.items else ", not {value}") + f"{about}.",
        parts={} if row.items else {"value": value},
        sources=takers(row.path) or ALL,
    )


def texts() -> Iterator[Rule]:
    """Texts of a certain form and length."""
    for row in limits.TEXTS:
        yield _text(row)


def _text(row: Text) -> Rule:
    good = f"size({{it}}) >= {row.shortest} && size({{it}}) <= {row.longest} && {{it}}.matches({quoted(row.pattern)})"
    value = f"self.{row.path}"
    condition = _all_items(row.path, row.member, good) if row.items else good.replace("{it}", value)
    name = f"{row.member} in {row.path}" if row.member else row.path
    about = " (source: {source})" if takers(row.path) and row.path != "eventSourceARN" else ""
    return Rule(
        id=f"{row.path}-text{row.member and '-' + row.member}",
        field=row.path,
        expression=when(row.path, condition),
        words=f"{name} must be {row.what}, of up to {row.longest:,} characters{about}.",
        sources=takers(row.path) or ALL,
    )


def counts() -> Iterator[Rule]:
    """Lists of so many entries."""
    for row in limits.COUNTS:
        yield _count(row)


_COUNT_REMEDIES = {1: "name one, and make another resource for each of the others"}


def _count(row: Count) -> Rule:
    value = f"size(self.{row.path})"
    noun = row.path.split(".")[-1]
    return Rule(
        id=f"{row.path}-count",
        field=row.path,
        expression=when(row.path, f"{value} >= {row.low} && {value} <= {row.high}"),
        words=f"{{source}} takes {row} {'entry' if row.high == 1 else 'entries'} in {noun}; "
        f"{_COUNT_REMEDIES.get(row.high, 'remove some')}.",
        sources=takers(row.path),
    )


# -- Access configurations ----------------------------------------------------------------------------------

_ACCESS = "sourceAccessConfigurations"


def _has_type(names: Iterable[str]) -> str:
    return f"self.{_ACCESS}.exists(item, item.type in [{', '.join(map(quoted, names))}])"


def access_configurations() -> Iterator[Rule]:
    """Which entries of sourceAccessConfigurations a source takes, and which of them go together."""
    known = ", ".join(quoted(row.name) for row in access.ACCESS_TYPES)
    for source in TITLES:
        if source in BY_PATH[_ACCESS].sources:
            taken = access.taken_by(source)
            wrong = f"item.type in [{known}] && !(item.type in [{', '.join(map(quoted, taken))}])"
            if len(taken) < len(access.ACCESS_TYPES):
                yield Rule(
                    id=f"{_ACCESS}-types-{source}",
                    field=_ACCESS,
                    expression=f"!({present(_ACCESS)} && {reads_from([source])}) || "
                    f"!self.{_ACCESS}.exists(item, {wrong})",
                    words=f"{{source}} takes only {listed(taken)} in {_ACCESS}; remove the entries of another type.",
                    sources=frozenset({source}),
                    reason=Reason.FORBIDDEN,
                )
    without = f"[{', '.join(map(quoted, access.WITHOUT_URI))}]"
    lacking = f"!(item.type in {without}) && !has(item.uri)"
    yield Rule(
        id=f"{_ACCESS}-uri-required",
        field=_ACCESS,
        expression=when(_ACCESS, f"!self.{_ACCESS}.exists(item, {lacking})"),
        words=f"An entry in {_ACCESS} has no uri (source: {{source}}); all types but "
        f"{listed(access.WITHOUT_URI)} need one. Add it.",
        sources=takers(_ACCESS),
        reason=Reason.REQUIRED,
    )
    needless = f"item.type in {without} && has(item.uri)"
    yield Rule(
        id=f"{_ACCESS}-uri-needless",
        field=_ACCESS,
        expression=when(_ACCESS, f"!self.{_ACCESS}.exists(item, {needless})"),
        words=f"{listed(access.WITHOUT_URI)} in {_ACCESS} take no uri (source: {{source}}), for it is the "
        "function's role that logs in. Remove the uri.",
        sources=takers(_ACCESS),
        reason=Reason.FORBIDDEN,
    )
    for row in access.ACCESS_TYPES:
        if row.needs_one_of:
            yield Rule(
                id=f"{_ACCESS}-{row.name}-needs",
                field=_ACCESS,
                expression=when(_ACCESS, f"!{_has_type([row.name])} || {_has_type(row.needs_one_of)}"),
                words=f"The entry {row.name} in {_ACCESS} ({{source}}) goes only together with "
                f"{listed(row.needs_one_of, 'or')}. Add that entry, or remove this one.",
                sources=row.sources,
            )
        if row.excludes:
            yield Rule(
                id=f"{_ACCESS}-{row.name}-excludes",
                field=_ACCESS,
                expression=when(_ACCESS, f"!{_has_type([row.name])} || !{_has_type(row.excludes)}"),
                words=f"The entry {row.name} in {_ACCESS} ({{source}}) does not go together with "
                f"{listed(row.excludes, 'or')}. Remove one of them.",
                sources=row.sources,
                reason=Reason.FORBIDDEN,
            )


# -- Tags ---------------------------------------------------------------------------------------------------


def tags(path: str, about: str) -> Iterator[Rule]:
    """Tags: how many, and what their keys and values can be.

    Args:
        path: the field that holds them.
        about: what stands for the source in a message; empty where there is none.
    """
    most = limits.MOST_TAGS - limits.OWN_TAGS
    held = f"self.{path}"

    def rule(name: str, bad: str, words: str, reason: Reason = Reason.INVALID) -> Rule:
        return Rule(
            id=f"{path}-{name}",
            field=path,
            expression=when(path, f"!{held}.exists(key, {bad})"),
            words=words,
            reason=reason,
        )

    yield Rule(
        id=f"{path}-count",
        field=path,
        expression=when(path, f"size({held}) <= {most}"),
        words=f"There can be {most} {path} at most{about}: AWS takes {limits.MOST_TAGS} and the operator needs "
        f"{limits.OWN_TAGS} for itself. Remove some.",
    )
    yield rule(
        "reserved",
        " || ".join(f"key.startsWith({quoted(prefix)})" for prefix in limits.RESERVED_TAG_PREFIXES),
        f"A key in {path} is reserved{about}: keys that begin with {listed(limits.RESERVED_TAG_PREFIXES, 'or')} "
        "are for AWS and the operator alone. Remove it, or give it another name.",
        Reason.FORBIDDEN,
    )
    yield rule(
        "key-length",
        f"size(key) < 1 || size(key) > {limits.LONGEST_TAG_KEY}",
        f"A key in {path} is empty or longer than AWS takes{about}: {limits.LONGEST_TAG_KEY} characters. Shorten it.",
    )
    yield rule(
        "value-length",
        f"size({held}[key]) > {limits.LONGEST_TAG_VALUE}",
        f"A value in {path} is longer than AWS takes{about}: {limits.LONGEST_TAG_VALUE} characters. Shorten it.",
    )
