"""The rules about one field each, made from the tables.

Who takes a field and who needs it (``fields``), what a value can be (``limits``), which access types a source has
(``access``), and tags. A new row of a table needs no line here.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from esm_operator.api import access, limits
from esm_operator.api.expressions import present, quoted, quoted_list, reads_from
from esm_operator.api.fields import FIELDS
from esm_operator.api.reference_kinds import TOPIC, VALUE_PATHS
from esm_operator.api.rule import Rule, about, forbidden, listed, needed, only
from esm_operator.api.sources import ALL, TITLES, SourceType

# -- Who takes a field --------------------------------------------------------------------------------------

#: The source has rules of its own.
_SOURCE_FIELDS = ("eventSourceARN", "selfManagedEventSource")

#: The remedies after "... needs FIELD."
_HINTS: Mapping[str, str] = {
    "startingPosition": "Set startingPosition to TRIM_HORIZON (the oldest record) or LATEST (only new records)",
    "topics": "Name the topic to read from, or set topicRef",
    "queues": "Name the queue of the broker to read from",
    "sourceAccessConfigurations": "Add the network and login configuration of the source",
    "documentDBEventSourceConfig.databaseName": "Name the database whose changes Lambda reads",
}

_LISTS = frozenset({"topics", "queues", "sourceAccessConfigurations"})


def takers(path: str) -> frozenset[SourceType]:
    """The source types that take a field, or any part of a structure; none for what AWS does not know."""
    path = VALUE_PATHS.get(path, path)
    rows = [row for row in FIELDS if f"{row.path}.".startswith(f"{path}.") or path.startswith(f"{row.path}.")]
    return frozenset[SourceType]().union(*(row.sources for row in rows))


def not_taken() -> Iterator[Rule]:
    """A field that the source does not take."""
    among = dict.fromkeys((row.path.split(".")[0] for row in FIELDS), ALL)
    among[TOPIC] = ALL
    among |= {row.path: takers(row.path.split(".")[0]) for row in FIELDS if "." in row.path}
    for path, sources in among.items():
        refusing = sources - takers(path)
        if refusing and not path.startswith(_SOURCE_FIELDS):
            yield about(
                path,
                f"!({reads_from(refusing)})",
                f"{{source}} does not take {path}. {only(takers(path), 'it')} Remove {path}.",
                forbidden,
                sources=refusing,
            )


def required() -> Iterator[Rule]:
    """A field that the source needs."""
    for row in FIELDS:
        if row.path in _HINTS:
            there = present(row.path) + (f" && size(self.{row.path}) > 0" if row.path in _LISTS else "")
            referred = f" || has(self.{TOPIC})" if row.path == VALUE_PATHS[TOPIC] else ""
            yield needed(
                field=row.path,
                test=f"({there}) || !({reads_from(row.required)}){referred}",
                words=f"{{source}} needs {row.path}. {_HINTS[row.path]}.",
                sources=row.required,
            )


# -- What a value can be ------------------------------------------------------------------------------------

_COUNT_REMEDIES = {1: "Name one, and create another resource for each of the others"}


def ranges() -> Iterator[Rule]:
    """Numbers between their ends, which may differ from source to source."""
    for row in limits.RANGES:
        value = f"self.{row.path}"
        inside = f"{value} >= {row.low}" + ("" if row.high is None else f" && {value} <= {row.high}")
        if row.besides is not None:
            inside = f"{value} == {row.besides} || ({inside})"
        sources = row.sources & takers(row.path)
        outside = f" || !({reads_from(sources)})" if takers(row.path) - sources else ""
        yield about(
            row.path,
            f"({inside}){outside}",
            f"{row.path} must be {row} for {{source}}.",
            sources=sources,
        )


def words(rows: Iterable[limits.Words] = limits.WORDS) -> Iterator[Rule]:
    """Texts that are one of a few words. Only the offline check has them: in the CRD they are an ``enum``."""
    for row in rows:
        field, items, _ = row.path.partition("[]")
        yield about(
            field,
            _all_items(row.path, f"{{it}} in {quoted_list(row.words)}"),
            f"{_name(row.path)} must be {listed(row.words, 'or')}{'' if items else ', not {value}'}.",
            parts={} if items else {"value": f"self.{field}"},
        )


def texts() -> Iterator[Rule]:
    """Texts of a certain form and length."""
    for row in limits.TEXTS:
        field = row.path.partition("[]")[0]
        tests = [f"{{it}}.matches({quoted(row.pattern)})", f"size({{it}}) <= {row.longest}"]
        if row.shortest and re.fullmatch(row.pattern, ""):
            tests.append(f"size({{it}}) >= {row.shortest}")
        place = " for {source}" if takers(field) and field != "eventSourceARN" else ""
        yield about(
            field,
            _all_items(row.path, " && ".join(tests)),
            f"{_name(row.path)} must be {row.what}, of up to {row.longest:,} characters{place}.",
            sources=takers(field) or ALL,
        )


def _all_items(path: str, test: str) -> str:
    """The CEL of a test of a field, of all items of a list, or of a member of them. ``{it}`` stands for the value."""
    field, items, member = path.partition("[]")
    if not items:
        return test.replace("{it}", f"self.{field}")
    guard = f"!has(item{member}) || " if member else ""
    return f"self.{field}.all(item, {guard}({test.replace('{it}', f'item{member}')}))"


def _name(path: str) -> str:
    field, _, member = path.partition("[]")
    return f"{member[1:]} in {field}" if member else field


def counts() -> Iterator[Rule]:
    """Lists with a limited number of entries."""
    for row in limits.COUNTS:
        value = f"size(self.{row.path})"
        yield about(
            row.path,
            f"{value} <= {row.high}" + (f" && {value} >= {row.low}" if row.low else ""),
            f"{{source}} takes {row} {'entry' if row.high == 1 else 'entries'} in {row.path.split('.')[-1]}. "
            f"{_COUNT_REMEDIES.get(row.high, 'Remove some of them')}.",
            sources=takers(row.path),
        )


# -- Access configurations ----------------------------------------------------------------------------------

_ACCESS = "sourceAccessConfigurations"


def _has_type(names: Iterable[str]) -> str:
    return f"self.{_ACCESS}.exists(item, item.type in {quoted_list(names)})"


def access_configurations() -> Iterator[Rule]:
    """Which entries of sourceAccessConfigurations a source takes, and which of them can be combined."""
    known = quoted_list(row.name for row in access.ACCESS_TYPES)
    for source in TITLES:
        taken = [row.name for row in access.ACCESS_TYPES if source in row.sources]
        if taken:
            wrong = f"item.type in {known} && !(item.type in {quoted_list(taken)})"
            yield about(
                _ACCESS,
                f"!({reads_from([source])}) || !self.{_ACCESS}.exists(item, {wrong})",
                f"{{source}} takes only {listed(taken)} in {_ACCESS}. Remove the entries of other types.",
                forbidden,
                sources=frozenset({source}),
            )
    without_uri = [row.name for row in access.ACCESS_TYPES if not row.uri]
    without = quoted_list(without_uri)
    lacking = f"!(item.type in {without}) && !has(item.uri) && !has(item.uriRef)"
    yield about(
        _ACCESS,
        f"!self.{_ACCESS}.exists(item, {lacking})",
        f"An entry in {_ACCESS} has no uri. For {{source}}, all types but {listed(without_uri)} need one. Add uri "
        "or uriRef.",
        needed,
        sources=takers(_ACCESS),
    )
    needless = f"item.type in {without} && (has(item.uri) || has(item.uriRef))"
    yield about(
        _ACCESS,
        f"!self.{_ACCESS}.exists(item, {needless})",
        f"{listed(without_uri)} in {_ACCESS} take no uri for {{source}}, because the function's role logs in. "
        "Remove uri or uriRef.",
        forbidden,
        sources=takers(_ACCESS),
    )
    for row in access.ACCESS_TYPES:
        if row.needs_one_of:
            yield about(
                _ACCESS,
                f"!{_has_type([row.name])} || {_has_type(row.needs_one_of)}",
                f"The entry {row.name} in {_ACCESS} ({{source}}) needs an entry "
                f"{listed(row.needs_one_of, 'or')}. Add that entry, or remove {row.name}.",
                sources=row.sources,
            )
        if row.excludes:
            yield about(
                _ACCESS,
                f"!{_has_type([row.name])} || !{_has_type(row.excludes)}",
                f"The entry {row.name} in {_ACCESS} ({{source}}) cannot be combined with "
                f"{listed(row.excludes, 'or')}. Remove one of them.",
                forbidden,
                sources=row.sources,
            )


# -- Tags ---------------------------------------------------------------------------------------------------


def tags(path: str, place: str) -> Iterator[Rule]:
    """Tags: how many, and what their keys and values can be.

    Args:
        path: the field that holds them.
        place: the part of the messages that names the source; may be empty.
    """
    most = limits.MOST_TAGS - limits.OWN_TAGS
    held = f"self.{path}"
    yield about(
        path,
        f"size({held}) <= {most}",
        f"There can be at most {most} tags in {path}{place}. AWS accepts {limits.MOST_TAGS}, and the operator "
        f"needs {limits.OWN_TAGS} of them. Remove some tags.",
    )
    yield about(
        path,
        f"!{held}.exists(key, key.matches({quoted(limits.RESERVED_TAG_KEY)}))",
        f"A key in {path} is reserved{place}. Only AWS and the operator use keys that begin with "
        f"{listed(limits.RESERVED_TAG_PREFIXES, 'or')}. Remove the tag, or give it another name.",
        forbidden,
    )
    yield about(
        path,
        f"!{held}.exists(key, size(key) < 1 || size(key) > {limits.LONGEST_TAG_KEY})",
        f"A key in {path} is empty or has more than {limits.LONGEST_TAG_KEY} characters{place}. Correct the key.",
    )
    yield about(
        path,
        f"!{held}.exists(key, size({held}[key]) > {limits.LONGEST_TAG_VALUE})",
        f"A value in {path} has more than {limits.LONGEST_TAG_VALUE} characters{place}. Shorten the value.",
    )
    accepted = f"matches({quoted(limits.TAG_PATTERN)})"
    wrong = f"!key.{accepted} || !{held}[key].{accepted}"
    yield about(
        path,
        f"!{held}.exists(key, {wrong})",
        f"The tag {{key}} in {path}{place} has characters that AWS does not accept. Use only {limits.TAG_CHARACTERS} "
        "in keys and values.",
        parts={"key": f"{held}.filter(key, {wrong})[0]"},
    )
