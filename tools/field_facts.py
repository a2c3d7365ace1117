"""The facts about one field on one source type: its meaning, values and default.

They come from the descriptions of the models and from the tables in ``api/``.
"""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from esm_operator.api import access, field_rules, limits, offline, rules, values
from esm_operator.api.fields import BY_PATH, FIELDS, Field
from esm_operator.api.models import EventSourceMappingSpec
from esm_operator.api.reference_kinds import VALUE_PATHS
from esm_operator.api.rule import Reason
from esm_operator.api.sources import ALL, KAFKA, TITLES, SourceType
from tools import crd_definitions
from tools.generated import ROOT

EXAMPLES = ROOT / "examples"

#: The examples of each source type. The first one is on its page.
EXAMPLES_OF: Mapping[SourceType, tuple[str, ...]] = {
    SourceType.SQS: ("04-sqs-queue", "05-sqs-filtering"),
    SourceType.KINESIS: ("02-kinesis-stream", "03-kinesis-consumer"),
    SourceType.DYNAMODB: ("01-dynamodb-stream",),
    SourceType.MSK: ("06-msk",),
    SourceType.SELF_MANAGED_KAFKA: ("07-self-managed-kafka",),
    SourceType.MQ: ("08-activemq", "09-rabbitmq"),
    SourceType.DOCUMENTDB: ("10-documentdb",),
}

#: The meaning of eventSourceARN on each source type.
SOURCE_ARNS: Mapping[SourceType, str] = {
    SourceType.SQS: "The ARN of the queue.",
    SourceType.KINESIS: "The ARN of the stream or of a stream consumer (enhanced fan-out).",
    SourceType.DYNAMODB: "The ARN of the stream of a table. It contains `/stream/`.",
    SourceType.MSK: "The ARN of the cluster or of a VPC connection.",
    SourceType.MQ: "The ARN of the broker.",
    SourceType.DOCUMENTDB: "The ARN of the cluster.",
}

#: Defaults that the API reference of AWS does not state. Responses of AWS show them.
DEFAULTS_FROM_RESPONSES = frozenset({"parallelizationFactor", "tumblingWindowInSeconds", "bisectBatchOnFunctionError"})

#: Words by which a sentence of a description names a source type.
_NAMES: Mapping[str, frozenset[SourceType]] = {
    "SQS (?:FIFO|standard)": frozenset({SourceType.SQS}),
    "For SQS": frozenset({SourceType.SQS}),
    "Kinesis": frozenset({SourceType.KINESIS}),
    "DynamoDB": frozenset({SourceType.DYNAMODB}),
    "Kafka": KAFKA,
    "MQ": frozenset({SourceType.MQ}),
    "DocumentDB": frozenset({SourceType.DOCUMENTDB}),
}
#: Names of fields by which a sentence shows that it is about a field. Names that are words of English are left out.
_KNOWN_FIELDS = frozenset(part for row in FIELDS for part in row.path.split(".") if re.search("[A-Z]", part))


@dataclass(frozen=True, slots=True)
class Leaf:
    """A field that has no fields of its own, or a list of values."""

    path: str
    """From the spec; ``[]`` are the items of a list."""
    schema: Mapping[str, Any]
    context: str = ""
    """The description of the list or structure around it, if it is the first field there."""

    @property
    def row(self) -> Field | None:
        """Its row in the table of fields, or that of the structure that it is a part of. A reference has the row of the
        value that it replaces."""
        bare = VALUE_PATHS.get(self.path, self.path).replace("[]", "")
        return next((row for row in FIELDS if f"{bare}.".startswith(f"{row.path}.")), None)


@cache
def leaves() -> tuple[Leaf, ...]:
    """All fields of the spec of an EventSourceMapping."""
    return tuple(leaves_of(crd_definitions.structural(EventSourceMappingSpec), ""))


def leaves_of(schema: Mapping[str, Any], path: str, context: str = "") -> Iterator[Leaf]:
    """The leaves of a schema. A reference to another object is one."""
    if path in VALUE_PATHS:
        yield Leaf(path, schema, context)
    elif "properties" in schema:
        for number, (name, part) in enumerate(schema["properties"].items()):
            around = schema.get("description", "") if path and not path.endswith("[]") else context
            yield from leaves_of(part, f"{path}.{name}" if path else name, "" if number else around)
    elif "properties" in schema.get("items", {}):
        yield from leaves_of(schema["items"], f"{path}[]", schema["description"])
    else:
        yield Leaf(path, schema, context)


def is_common(leaf: Leaf) -> bool:
    """Whether a field of the spec is the same on all source types."""
    return leaf.path in _common_paths()


@cache
def _common_paths() -> frozenset[str]:
    return frozenset(leaf.path for leaf in leaves() if _same_everywhere(leaf))


def _same_everywhere(leaf: Leaf) -> bool:
    row = leaf.row
    if row is None:
        return True
    if row.sources != ALL or row.unresettable or len({row.default(source) for source in SourceType}) > 1:
        return False
    return len({_allowed_words(leaf, source) for source in SourceType}) == 1


def meaning(leaf: Leaf, source: SourceType | None = None) -> str:
    """The description, without sentences about other source types. Names of fields and values are code."""
    if leaf.path == "eventSourceARN" and source is not None:
        return SOURCE_ARNS[source]
    own = _IF_ABSENT.sub("", leaf.schema["description"])
    text = _MEANING.get(leaf.path, "{own}").format(own=own, context=leaf.context)
    kept = [sentence for sentence in re.split(r"(?<=\.) ", text) if source is None or _applies(sentence, source)]
    return _VALUE.sub(r"`\1`", code(" ".join(kept)))


_CONTEXT_FIRST = "{context} {own}"
#: Fields whose meaning is partly or wholly in the description of the list or structure around them.
_MEANING: Mapping[str, str] = {
    "filterCriteria.filters[].pattern": _CONTEXT_FIRST,
    "providerConfigRef.name": "{context}",
    "destinationConfig.onFailure.destination": _CONTEXT_FIRST,
    "namespaceSelector.matchLabels": _CONTEXT_FIRST,
    "conditions[].type": "{own} {context}",
}
#: A value with a colon after it, which a description explains.
_VALUE = re.compile(r"(?:(?<=^)|(?<=\. ))([A-Z]\w+|-?\d+)(?=: )")
#: The end of the description of a field that has a default of the operator.
_IF_ABSENT = re.compile(r" If absent: (\w+)\.$")


def _applies(sentence: str, source: SourceType) -> bool:
    named = [sources for name, sources in _NAMES.items() if re.search(rf"\b{name}\b", sentence)]
    fields = set(re.findall(r"\w+", sentence)) & _KNOWN_FIELDS
    taken = all(source in field_rules.takers(path) for name in fields for path in _paths(name))
    return taken and (not named or any(source in sources for sources in named))


def _paths(name: str) -> Iterator[str]:
    """The path of a field by its last name. Names that several structures have are left out."""
    found = [row.path for row in FIELDS if name in row.path.split(".")]
    if len({path.split(".")[0] for path in found}) == 1:
        yield found[0].split(".")[0]


def code(text: str) -> str:
    """A text in which the names of fields and the words of AWS are code, for a table in Markdown."""
    names = (
        r"(?<![\w/`.])((?:spec|metadata|status)\.\w+(?:\.\w+)*|adoption\.\w+|[a-z]+[A-Z]\w+(?:\.\w+)*"
        r"|[A-Z]+_[A-Z_0-9]+|:[A-Z]+|kafka://[A-Z]+(?::[A-Z]+)?|--[a-z-]+|aws:|(?:lambda\.)?esm-operator\.io/[a-z-]*"
        rf"|{'|'.join(_CODE_WORDS)})"
    )
    text = re.sub(names + r"(?![\w`])", r"`\1`", text)
    return _SET_TO.sub(r"\1 `\2`", text).replace("|", "\\|")


#: Values that are no words of English.
_CODE_WORDS = (
    *("LATEST", "ReportBatchItemFailures", "EventCount", "ErrorCount", "KafkaMetrics", "DEBUG", "WARN"),
    *("IfExists", "ResourceOnly"),
)
#: A field and the value that it is set to, as in "consumptionMode Queue".
_SET_TO = re.compile(
    rf"(`(?:{'|'.join(sorted({row.path.split('.')[-1] for row in limits.WORDS if '[]' not in row.path}))})`|policy) "
    rf"({'|'.join(sorted({word for row in limits.WORDS for word in row.words}))})\b"
)


#: Values whose description in messages is too long for a table.
_VALUES: Mapping[str, str] = {
    "functionName": "a name or an ARN, up to 256 characters",
    "eventSourceARN": "an ARN",
    "adoption.uuid": "a UUID",
}


def allowed_values(leaf: Leaf, source: SourceType | None = None) -> str:
    """The values that the API server accepts."""
    bare = leaf.path.replace("[]", "")
    if leaf.path in VALUE_PATHS:
        return "a reference"
    if leaf.path in _VALUES:
        return _VALUES[leaf.path]
    if words := _allowed_words(leaf, source):
        return ", ".join(f"`{word}`" for word in words)
    for row in limits.RANGES:
        if row.path == bare and (source is None or source in row.sources):
            return str(row)
    for row in limits.TEXTS:
        if row.path in (leaf.path, f"{leaf.path}[]"):
            what = row.what if source is None or source in KAFKA else row.what.replace(_KAFKA_ONLY, "")
            return code(what.removesuffix(" for Kafka sources"))
    return kind(leaf.schema)


#: The end of the values of a destination.
_KAFKA_ONLY = ", or kafka://TOPIC for Kafka sources"


def _allowed_words(leaf: Leaf, source: SourceType | None) -> tuple[str, ...]:
    row = next((row for row in limits.WORDS if row.path in (leaf.path, f"{leaf.path}[]")), None)
    if row is None or source is None:
        return row.words if row else ()
    if leaf.path == "sourceAccessConfigurations[].type":
        return tuple(one.name for one in access.ACCESS_TYPES if source in one.sources)
    table = [rule for rule in rules.MAPPING_RULES if rule.field == leaf.path and rule.reason is Reason.FORBIDDEN]
    return tuple(word for word in row.words if not offline.broken(table, _spec(leaf, source, word)))


def _spec(leaf: Leaf, source: SourceType, word: str) -> dict[str, Any]:
    """The spec of the example of a source type with one word set."""
    spec = deepcopy(_example_spec(source))
    place = spec
    *parents, last = leaf.path.replace("[]", "").split(".")
    for name in parents:
        place = place.setdefault(name, {})
    place[last] = [word] if leaf.schema["type"] == "array" else word
    return spec


@cache
def _example_spec(source: SourceType) -> dict[str, Any]:
    return yaml.safe_load(example(source))["spec"]


def example(source: SourceType) -> str:
    """The text of the example of a source type."""
    return (EXAMPLES / f"{EXAMPLES_OF[source][0]}.yaml").read_text()


def kind(schema: Mapping[str, Any]) -> str:
    """The type of a value, for people."""
    if schema["type"] == "array":
        return f"list of {kind(schema['items'])}s"
    if "additionalProperties" in schema:
        return f"map of {kind(schema['additionalProperties'])}s"
    if schema.get("format") == "date-time":
        return "time"
    return {"boolean": "true or false"}.get(schema["type"], str(schema["type"]))


def default(leaf: Leaf, source: SourceType | None = None) -> str:
    """The default of AWS, or that the field is required."""
    if own := _IF_ABSENT.search(leaf.schema["description"]):
        return f"`{own[1]}`"
    row = BY_PATH.get(leaf.path)
    if row is None:
        return ""
    if row.required == ALL or (source is not None and source in row.required):
        return "required"
    value = row.default(source if source is not None else SourceType.SQS)
    if value is None:
        return "500 ms" if source in row.unresettable else ""
    return f"`{values.text(value)}`" + (" ²" if leaf.path in DEFAULTS_FROM_RESPONSES else "")


def title(source: SourceType) -> str:
    """The name of a source type at the start of a sentence."""
    return TITLES[source][0].upper() + TITLES[source][1:]
