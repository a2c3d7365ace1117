"""What is refused, and in which words: one list of rules for the CRDs and for the offline check.

A rule is a CEL expression on the spec that must be true. Most are made from the tables: who takes a field
(``fields``), what its values are (``limits``), which access types a source has (``access``); those that
stand in full below are about several fields at once. Only what AWS always refuses is refused; the rest is
left to AWS, whose answer goes into the status.

CEL in a CRD has no clock and knows no JSON: what it can't see is in :func:`offline_problems`, which the
operator calls as well. Called by ``crd``, ``validate`` and the operator.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as attribute
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any

import cel

from esm_operator.api import access, limits, values
from esm_operator.api.fields import BY_PATH, FIELDS, IMMUTABLE_ACCESS_TYPES, Field
from esm_operator.api.limits import Count, Range, Text, Words
from esm_operator.api.sources import ALL, ARN_SERVICES, KAFKA, TITLES, SourceType

SQS, MSK, MQ = SourceType.SQS, SourceType.MSK, SourceType.MQ
DYNAMODB = SourceType.DYNAMODB
SELF_MANAGED = SourceType.SELF_MANAGED_KAFKA


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
    """True where all is well; ``self`` is the spec, ``oldSelf`` what it was."""
    words: str
    """The message. ``{source}`` stands for the source type, other names for expressions in ``parts``."""
    parts: Mapping[str, str] = attribute(default_factory=dict[str, str])
    sources: frozenset[SourceType] = ALL
    """The source types that can meet it; more than one makes ``{source}`` an expression."""
    reason: Reason = Reason.INVALID

    @property
    def transition(self) -> bool:
        """Whether it compares with what was before; such a rule is not for files."""
        return "oldSelf" in self.expression

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
class Problem:
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
    if SELF_MANAGED in wanted:
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
    if SELF_MANAGED in wanted:
        result = f"{reads_from([SELF_MANAGED])} ? {quoted(TITLES[SELF_MANAGED])} : ({result})"
    return result


def listed(words: Iterable[str], conjunction: str = "and") -> str:
    """``a, b and c``."""
    items = list(words)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {conjunction} {items[-1]}"


def titles(sources: Iterable[SourceType], conjunction: str = "and") -> str:
    """The names of source types, in the order of the table."""
    wanted = frozenset(sources)
    return listed([name for source, name in TITLES.items() if source in wanted], conjunction)


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


def _not_taken() -> Iterator[Rule]:
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
            words=f"{{source}} does not take {path}, only {_do(taking)}; remove {path}.",
            sources=refusing,
            reason=Reason.FORBIDDEN,
        )


def _do(sources: frozenset[SourceType]) -> str:
    return f"{titles(sources)} {'does' if len(sources) == 1 else 'do'}"


def _required() -> Iterator[Rule]:
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


def _ranges() -> Iterator[Rule]:
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


def _words() -> Iterator[Rule]:
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


def _texts() -> Iterator[Rule]:
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


def _counts() -> Iterator[Rule]:
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


# -- What can't change --------------------------------------------------------------------------------------

_RECREATE = "has(self.replacePolicy) && self.replacePolicy == 'Recreate'"


def _unchanged(path: str) -> str:
    return (
        f"({present(path)}) ? ({present(path, 'oldSelf')} && self.{path} == oldSelf.{path}) "
        f": !({present(path, 'oldSelf')})"
    )


def _immutable(row: Field) -> Rule:
    return Rule(
        id=f"{row.path}-immutable",
        field=row.path,
        expression=f"({_RECREATE}) || ({_unchanged(row.path)})",
        words=f"AWS can't change, add or remove {row.path} of a mapping for {{source}}. Put the old value back, "
        "or set replacePolicy: Recreate to have the mapping deleted and created again, or make a new resource.",
        sources=row.sources,
        reason=Reason.FORBIDDEN,
    )


def _immutable_access(name: str) -> Rule:
    path = "sourceAccessConfigurations"

    def entries(root: str) -> str:
        kept = f"{root}.{path}.filter(item, item.type == {quoted(name)} && has(item.uri)).map(item, item.uri)"
        return f"({present(path, root)} ? {kept} : [])"

    return Rule(
        id=f"{path}-{name}-immutable",
        field=path,
        expression=f"({_RECREATE}) || {entries('self')} == {entries('oldSelf')}",
        words=f"AWS can't change, add or remove the entry {name} in {path} of a mapping for {{source}}. Put the "
        "old entry back, or set replacePolicy: Recreate to have the mapping deleted and created again, or make "
        "a new resource.",
        sources=next(row.sources for row in access.ACCESS_TYPES if row.name == name),
        reason=Reason.FORBIDDEN,
    )


def _fixed(path: str, what: str) -> Rule:
    return Rule(
        id=f"{path}-fixed",
        field=path,
        expression=_unchanged(path),
        words=f"{path} can't be changed, added or removed after creation ({{source}}): the mapping stays in "
        f"its {what}. Put the old value back, or make a new resource.",
        reason=Reason.FORBIDDEN,
    )


# -- Access configurations ----------------------------------------------------------------------------------

_ACCESS = "sourceAccessConfigurations"


def _has_type(names: Iterable[str]) -> str:
    return f"self.{_ACCESS}.exists(item, item.type in [{', '.join(map(quoted, names))}])"


def _access() -> Iterator[Rule]:
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


def _tags(path: str, about: str) -> Iterator[Rule]:
    most = limits.MOST_TAGS - limits.OWN_TAGS
    tags = f"self.{path}"

    def rule(name: str, bad: str, words: str, reason: Reason = Reason.INVALID) -> Rule:
        return Rule(
            id=f"{path}-{name}",
            field=path,
            expression=when(path, f"!{tags}.exists(key, {bad})"),
            words=words,
            reason=reason,
        )

    yield Rule(
        id=f"{path}-count",
        field=path,
        expression=when(path, f"size({tags}) <= {most}"),
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
        f"size({tags}[key]) > {limits.LONGEST_TAG_VALUE}",
        f"A value in {path} is longer than AWS takes{about}: {limits.LONGEST_TAG_VALUE} characters. Shorten it.",
    )


# -- What is about several fields at once -------------------------------------------------------------------

_TIMESTAMPED = BY_PATH["startingPositionTimestamp"].sources
_POSITIONED = BY_PATH["startingPosition"].sources
_AT_TIMESTAMP = "has(self.startingPosition) && self.startingPosition == 'AT_TIMESTAMP'"
_FIFO = f"{reads_from([SQS])} && self.eventSourceARN.endsWith('.fifo')"
_STANDARD = f"{reads_from([SQS])} && !self.eventSourceARN.endsWith('.fifo')"
_QUEUE_MODE = (
    f"{present('selfManagedKafkaEventSourceConfig.consumptionMode')} "
    "&& self.selfManagedKafkaEventSourceConfig.consumptionMode == 'Queue'"
)
_POLLERS = "provisionedPollerConfig"
_DESTINATION = "destinationConfig.onFailure.destination"


def _source() -> Iterator[Rule]:
    both = "has(self.eventSourceARN) && has(self.selfManagedEventSource)"
    yield Rule(
        "source-missing",
        "eventSourceARN",
        "has(self.eventSourceARN) || has(self.selfManagedEventSource)",
        f"There is no source: set eventSourceARN ({titles(ALL - {SELF_MANAGED}, 'or')}), or "
        f"selfManagedEventSource ({TITLES[SELF_MANAGED]}).",
        reason=Reason.REQUIRED,
    )
    yield Rule(
        "source-twice",
        "selfManagedEventSource",
        f"!({both})",
        "A mapping has one source: eventSourceARN says {source}, selfManagedEventSource says "
        f"{TITLES[SELF_MANAGED]}. Remove one of the two.",
        sources=ALL - {SELF_MANAGED},
        reason=Reason.FORBIDDEN,
    )
    known = "|".join(ARN_SERVICES)
    yield Rule(
        "source-unknown",
        "eventSourceARN",
        when(
            "eventSourceARN",
            f"!self.eventSourceARN.matches({quoted(limits.ARN_PATTERN)}) || "
            f"self.eventSourceARN.matches({quoted(f'^arn:[^:]*:({known}):')})",
        ),
        f"eventSourceARN is the ARN of a service that AWS Lambda can't read from; it must be that of "
        f"{titles(ALL - {SELF_MANAGED}, 'or')} (service {listed(ARN_SERVICES, 'or')}).",
    )
    yield Rule(
        "source-table",
        "eventSourceARN",
        when(
            "eventSourceARN",
            f"!({reads_from([DYNAMODB])}) || self.eventSourceARN.contains('/stream/')",
        ),
        "eventSourceARN is that of a table; {source} needs the ARN of the table's stream, which ends in "
        "/stream/ and a time (LatestStreamArn of the table).",
        sources=frozenset({DYNAMODB}),
    )
    yield Rule(
        "source-region",
        "region",
        "!has(self.region) || !has(self.eventSourceARN) || self.eventSourceARN.contains(':' + self.region + ':') "
        f"|| !self.eventSourceARN.matches({quoted(limits.ARN_PATTERN)})",
        "region is {region}, but the source ({source}) is in another region: {arn}. A mapping is in its "
        "source's region; remove region.",
        parts={"region": "self.region", "arn": "self.eventSourceARN"},
        sources=ALL - {SELF_MANAGED},
    )


def _positions() -> Iterator[Rule]:
    yield Rule(
        "at-timestamp-not-taken",
        "startingPosition",
        f"!({_AT_TIMESTAMP}) || !({reads_from(_POSITIONED - _TIMESTAMPED)})",
        f"{{source}} does not take startingPosition AT_TIMESTAMP, only {_do(_TIMESTAMPED)}; set it to "
        "TRIM_HORIZON or LATEST.",
        sources=_POSITIONED - _TIMESTAMPED,
        reason=Reason.FORBIDDEN,
    )
    yield Rule(
        "timestamp-missing",
        "startingPositionTimestamp",
        f"!({_AT_TIMESTAMP}) || !({reads_from(_TIMESTAMPED)}) || has(self.startingPositionTimestamp)",
        "startingPosition AT_TIMESTAMP needs startingPositionTimestamp ({source}); set it, or choose another "
        "startingPosition.",
        sources=_TIMESTAMPED,
        reason=Reason.REQUIRED,
    )
    yield Rule(
        "timestamp-needless",
        "startingPositionTimestamp",
        f"!has(self.startingPositionTimestamp) || !({reads_from(_TIMESTAMPED)}) || ({_AT_TIMESTAMP})",
        "startingPositionTimestamp goes only with startingPosition AT_TIMESTAMP ({source}); set that, or remove "
        "startingPositionTimestamp.",
        sources=_TIMESTAMPED,
        reason=Reason.FORBIDDEN,
    )


def _batches() -> Iterator[Rule]:
    sqs = frozenset({SQS})
    yield Rule(
        "fifo-batch",
        "batchSize",
        when("batchSize", f"!({_FIFO}) || self.batchSize <= 10"),
        "batchSize must be 10 at most for FIFO queues of {source}; lower it.",
        sources=sqs,
    )
    window = "maximumBatchingWindowInSeconds"
    yield Rule(
        "fifo-window",
        window,
        when(window, f"!({_FIFO}) || self.{window} == 0"),
        f"FIFO queues of {{source}} take no {window}; remove it.",
        sources=sqs,
        reason=Reason.FORBIDDEN,
    )
    yield Rule(
        "batch-needs-window",
        window,
        f"!({_STANDARD}) || !has(self.batchSize) || self.batchSize <= 10 || (has(self.{window}) && self.{window} >= 1)",
        f"{{source}} needs {window} of at least 1 where batchSize is greater than 10; set it, or lower batchSize.",
        sources=sqs,
        reason=Reason.REQUIRED,
    )
    for path in ("startingPosition", "startingPositionTimestamp", window):
        yield Rule(
            f"queue-mode-{path}",
            path,
            f"!({_QUEUE_MODE}) || !has(self.{path})",
            f"{{source}} takes no {path} in consumptionMode Queue; remove {path}.",
            sources=frozenset({SELF_MANAGED}),
            reason=Reason.FORBIDDEN,
        )
    yield Rule(
        "queue-mode-retries",
        "maximumRetryAttempts",
        f"!({_QUEUE_MODE}) || !has(self.maximumRetryAttempts) || self.maximumRetryAttempts != -1",
        "{source} can't retry forever (-1) in consumptionMode Queue; set maximumRetryAttempts to 0 or more, or "
        "remove it.",
        sources=frozenset({SELF_MANAGED}),
    )


def _pollers() -> Iterator[Rule]:
    minimum, maximum = f"{_POLLERS}.minimumPollers", f"{_POLLERS}.maximumPollers"
    yield Rule(
        "pollers-order",
        _POLLERS,
        f"!({present(minimum)} && has(self.{maximum})) || self.{minimum} <= self.{maximum}",
        f"minimumPollers must not be greater than maximumPollers in {_POLLERS} (source: {{source}}); lower the "
        "one or raise the other.",
        sources=takers(_POLLERS),
    )
    yield Rule(
        "scaling-with-pollers",
        "scalingConfig",
        f"!has(self.scalingConfig) || !has(self.{_POLLERS})",
        f"{{source}} does not take scalingConfig together with {_POLLERS}; remove one of the two.",
        reason=Reason.FORBIDDEN,
    )
    for registry in limits.REGISTRIES:
        yield Rule(
            f"{registry}-needs-pollers",
            _POLLERS,
            when(registry, f"has(self.{_POLLERS})"),
            f"{{source}} needs {_POLLERS} where {registry} is set; add it, or remove schemaRegistryConfig.",
            sources=takers(registry),
            reason=Reason.REQUIRED,
        )


def _others() -> Iterator[Rule]:
    metrics = "metricsConfig.metrics"
    extra = "item in ['ErrorCount', 'KafkaMetrics']"
    yield Rule(
        "metrics-not-taken",
        metrics,
        when(metrics, f"!({reads_from(ALL - KAFKA)}) || !self.{metrics}.exists(item, {extra})"),
        f"{{source}} has no ErrorCount and no KafkaMetrics, only {_do(KAFKA)}; remove them from {metrics}.",
        sources=ALL - KAFKA,
        reason=Reason.FORBIDDEN,
    )
    yield Rule(
        "kafka-destination",
        _DESTINATION,
        when(_DESTINATION, f"!self.{_DESTINATION}.startsWith('kafka://') || !({reads_from(ALL - KAFKA)})"),
        f"{{source}} does not take a Kafka topic as {_DESTINATION}, only {_do(KAFKA)}; set the ARN of "
        "an SQS queue, an SNS topic or an S3 bucket.",
        sources=takers(_DESTINATION) - KAFKA,
        reason=Reason.FORBIDDEN,
    )
    collection = "documentDBEventSourceConfig.collectionName"
    yield Rule(
        "system-collection",
        collection,
        when(collection, f"!self.{collection}.startsWith('system.')"),
        f"{{source}} does not read system collections: {collection} must not begin with 'system.'; name another.",
        sources=takers(collection),
    )
    filters = "filterCriteria.filters"
    yield Rule(
        "pattern-length",
        filters,
        when(filters, f"self.{filters}.all(item, size(item.pattern) <= {limits.LONGEST_PATTERN})"),
        f"A pattern in {filters} is longer than AWS takes ({{source}}): {limits.LONGEST_PATTERN:,} characters. "
        "Shorten it, or split it into several filters.",
    )


def _adoption() -> Iterator[Rule]:
    yield Rule(
        "adoption-uuid-needs-policy",
        "adoption.policy",
        "!(has(self.adoption) && has(self.adoption.uuid)) || "
        "(has(self.adoption.policy) && self.adoption.policy != 'Never')",
        "adoption.uuid names a mapping to take over, but adoption.policy is Never or absent; set it to IfExists "
        "or Required, or remove adoption.uuid.",
    )
    yield Rule(
        "adoption-owner-needs-uuid",
        "adoption.takeOverFrom",
        "!(has(self.adoption) && has(self.adoption.takeOverFrom)) || has(self.adoption.uuid)",
        "adoption.takeOverFrom takes a mapping from another resource and goes only with adoption.uuid, so that "
        "there is no doubt which; add it, or remove adoption.takeOverFrom.",
    )


#: The rules of EventSourceMapping, in the order in which people should read them.
MAPPING_RULES: tuple[Rule, ...] = (
    *_source(),
    *_not_taken(),
    *_required(),
    *_positions(),
    *_batches(),
    *_pollers(),
    *_others(),
    *_access(),
    *_counts(),
    *_ranges(),
    *_words(),
    *_texts(),
    *_tags("tags", " ({source})"),
    *_adoption(),
    *(_immutable(row) for row in FIELDS if row.immutable),
    *(_immutable_access(name) for name in sorted(IMMUTABLE_ACCESS_TYPES)),
    _fixed("region", "region"),
    _fixed("providerConfigRef.name", "account"),
)


def _provider_config() -> Iterator[Rule]:
    yield from _tags("defaultTags", "")
    for path, pattern, what in (
        ("region", limits.REGION_PATTERN, "a region such as eu-west-1"),
        (
            "roleARN",
            "^arn:aws[a-zA-Z0-9-]*:iam::[0-9]{12}:role/.+$",
            "the ARN of a role such as arn:aws:iam::123456789012:role/esm-operator",
        ),
        ("endpointURL", "^https?://[^/ ].*$", "a URL such as https://lambda.eu-west-1.amazonaws.com"),
    ):
        yield Rule(
            id=f"provider-{path}-text",
            field=path,
            expression=when(path, f"self.{path}.matches({quoted(pattern)})"),
            words=f"{path} must be {what}.",
        )
    region = f"item.matches({quoted(limits.REGION_PATTERN)})"
    yield Rule(
        "provider-allowed-regions",
        "allowedRegions",
        when("allowedRegions", f"self.allowedRegions.all(item, {region})"),
        "allowedRegions must be regions such as eu-west-1.",
    )
    yield Rule(
        "provider-region-allowed",
        "region",
        "!has(self.region) || !has(self.allowedRegions) || self.region in self.allowedRegions",
        "region is not one of allowedRegions; add it there, or choose another.",
    )
    yield Rule(
        "provider-external-id",
        "externalID",
        "!has(self.externalID) || has(self.roleARN)",
        "externalID goes only with roleARN, the role that asks for it; add that, or remove externalID.",
        reason=Reason.FORBIDDEN,
    )
    expressions = "namespaceSelector.matchExpressions"
    operator = "item.operator in ['In', 'NotIn', 'Exists', 'DoesNotExist']"
    yield Rule(
        "provider-selector-operator",
        expressions,
        when(expressions, f"self.{expressions}.all(item, {operator})"),
        f"operator in {expressions} must be In, NotIn, Exists or DoesNotExist.",
    )
    counted = "(item.operator in ['In', 'NotIn']) == (has(item.values) && size(item.values) > 0)"
    yield Rule(
        "provider-selector-values",
        expressions,
        when(expressions, f"self.{expressions}.all(item, {counted})"),
        f"In and NotIn in {expressions} need values, Exists and DoesNotExist take none.",
    )


#: The rules of ProviderConfig.
PROVIDER_CONFIG_RULES: tuple[Rule, ...] = tuple(_provider_config())


# -- The offline check --------------------------------------------------------------------------------------


@cache
def _program(expression: str) -> cel.Program:
    # The library's size() counts the bytes of a string, Kubernetes' counts characters.
    return cel.compile(re.sub(r"\bsize\(", "length(", expression))


def _evaluate(expression: str, spec: Mapping[str, Any]) -> Any:
    return _program(expression).execute(cel.Context(variables={"self": dict(spec)}, functions={"length": len}))


def broken(table: Iterable[Rule], spec: Mapping[str, Any]) -> list[Rule]:
    """The rules that a new resource of this spec, which has the right types, does not keep."""
    return [rule for rule in table if not rule.transition and not _evaluate(rule.expression, spec)]


def check(table: Iterable[Rule], spec: Mapping[str, Any]) -> list[Problem]:
    """What the API server would refuse in a new resource of this spec, which has the right types."""
    return [
        Problem(f"spec.{rule.field}", rule.message or str(_evaluate(rule.message_expression, spec)))
        for rule in broken(table, spec)
    ]


_TAG = re.compile(r"[\w .:/=+\-@\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*")


def offline_problems(spec: Mapping[str, Any], now: datetime) -> list[Problem]:
    """What CEL can't see and AWS refuses: patterns that are no JSON, a time in the future, letters in tags.

    Args:
        spec: the spec of an EventSourceMapping that the rules let pass.
        now: the present, with a time zone.
    """
    return [*_patterns(spec), *_future(spec, now), *_letters(spec)]


def _patterns(spec: Mapping[str, Any]) -> Iterator[Problem]:
    filters: Any = (spec.get("filterCriteria") or {}).get("filters") or ()
    for number, item in enumerate(filters):
        try:
            fine = isinstance(json.loads(str(item.get("pattern"))), dict)
        except (ValueError, RecursionError):
            fine = False
        if not fine:
            yield Problem(
                f"spec.filterCriteria.filters[{number}].pattern",
                f"Pattern {number + 1} in filterCriteria.filters is not a JSON object, which AWS needs for "
                f"{_title_of(spec)}; correct it.",
            )


def _future(spec: Mapping[str, Any], now: datetime) -> Iterator[Problem]:
    stamp = spec.get("startingPositionTimestamp")
    if stamp is not None and values.timestamp(stamp) > now.timestamp():
        yield Problem(
            "spec.startingPositionTimestamp",
            f"startingPositionTimestamp {stamp} is in the future, where {_title_of(spec)} can't start; set an "
            "earlier time, or startingPosition: LATEST.",
        )


def _letters(spec: Mapping[str, Any]) -> Iterator[Problem]:
    tags: Mapping[str, Any] = spec.get("tags") or {}
    for key, value in tags.items():
        if not (_TAG.fullmatch(str(key)) and _TAG.fullmatch(str(value))):
            yield Problem(
                "spec.tags",
                f"The tag {key} has characters that AWS does not take ({_title_of(spec)}); letters, digits, spaces "
                "and _ . : / = + - @ are possible. Change it.",
            )


def _title_of(spec: Mapping[str, Any]) -> str:
    return str(_evaluate(title(ALL), spec))
