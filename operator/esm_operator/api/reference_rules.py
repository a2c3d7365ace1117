"""The rules about references, made from the table of kinds.

The rules about one reference read only the reference, so they cost nothing if it is absent. The kind of
``eventSourceRef`` can show the source type. The rules about this source type are one rule of the spec, which ends early
if the reference is absent. The operator checks all other rules when it knows the values.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from esm_operator.api.expressions import present, quoted, quoted_list
from esm_operator.api.fields import FIELDS
from esm_operator.api.object_fields import FIELD_PATH_PATTERN
from esm_operator.api.reference_kinds import (
    DESTINATION,
    FUNCTION,
    KINDS,
    KMS_KEY,
    SERVERS,
    SOURCE,
    TOPIC,
    URI,
    VALUE_PATHS,
    ReferenceKind,
)
from esm_operator.api.rule import Rule, about, forbidden, listed, needed
from esm_operator.api.sources import ALL, SourceType

#: The value that the object of a reference holds, for messages.
_HELD: Mapping[str, str] = {
    FUNCTION: "the ARN of a function",
    SOURCE: "the ARN of a source",
    SERVERS: "bootstrap servers",
    TOPIC: "the name of a topic",
    KMS_KEY: "the ARN of a KMS key",
    DESTINATION: "the ARN of a destination",
    URI: "the uri",
}
#: The names of projects, for messages and documentation.
PROJECTS: Mapping[str, str] = {"ack": "ACK", "crossplane": "Crossplane", "strimzi": "Strimzi", "configMaps": ""}

_DNS = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = f"{_DNS}([.]{_DNS})*"
_API_VERSION = f"^({_SUBDOMAIN}/)?v[0-9]+((alpha|beta)[0-9]+)?$"
_KIND = "^[A-Za-z][A-Za-z0-9-]*$"
#: The field "namespace", whose name is a reserved word of CEL.
_NAMESPACE = "__namespace__"
#: Secrets, and the resources of the operator itself.
_REFUSED = "{it}.apiVersion == 'v1' && {it}.kind == 'Secret' || {it}.apiVersion.startsWith('lambda.esm-operator.io/')"


def reference_rules() -> Iterator[Rule]:
    """The rules about references, in the order of their messages."""
    for field in VALUE_PATHS:
        yield from _reference(field)
    yield from _source_of_kind()
    yield _outputs()


def _reference(field: str) -> Iterator[Rule]:
    """The rules about one reference."""
    rows = [row for row in KINDS if field in row.fields]
    keyed = [row.kind for row in rows if row.needs_key]
    yield _about(
        field,
        f"{{it}}.apiVersion.matches({quoted(_API_VERSION)}) && {{it}}.kind.matches({quoted(_KIND)}) "
        f"&& {{it}}.name.matches({quoted(f'^{_SUBDOMAIN}$')}) "
        f"&& (!has({{it}}.{_NAMESPACE}) || {{it}}.{_NAMESPACE}.matches({quoted(f'^{_DNS}$')}))",
        "{field} is not a valid reference. Correct apiVersion (such as sqs.services.k8s.aws/v1alpha1), kind (such as "
        "Queue), name or namespace.",
    )
    yield _about(
        field,
        f"!({_REFUSED})",
        "{field} names a Secret or a resource of this operator. The operator does not read these. Name another object.",
        forbidden,
    )
    yield _about(
        field,
        f"has({{it}}.fieldPath) || {is_one_of(rows)} || {_REFUSED}",
        f"{{field}} needs fieldPath, the field of the object that holds {_HELD[field]}. Only {kinds_of(field)} do not "
        "need it. Add fieldPath, or correct apiVersion and kind.",
        needed,
    )
    yield _about(
        field,
        f"!has({{it}}.fieldPath) || {{it}}.fieldPath.matches({quoted(FIELD_PATH_PATTERN)})",
        "fieldPath in {field} must consist of field names, separated by dots, such as status.arn or "
        "status.listeners[name=tls].address. Correct fieldPath.",
    )
    yield _about(
        field,
        f"has({{it}}.key) == ({{it}}.kind in {quoted_list(keyed)} && !has({{it}}.fieldPath))",
        f"The kind {listed(keyed, 'or')} without fieldPath in {{field}} needs key. Otherwise, {{field}} cannot have "
        "key. Add or remove key.",
    )


def _outputs() -> Rule:
    """No reference names the ConfigMap of ``outputs``. The operator checks references that name a namespace."""
    config_map = "{it}.kind == 'ConfigMap' && {it}.name == self.outputs.configMapName"
    own = f"{config_map} && !has({{it}}.{_NAMESPACE})"
    named: list[str] = []
    for field in VALUE_PATHS:
        holder, items, name = field.partition("[].")
        if items:
            test = f"has(item.{name}) && {own.replace('{it}', f'item.{name}')}"
            named.append(f"has(self.{holder}) && self.{holder}.exists(item, {test})")
        else:
            named.append(f"{present(field)} && {own.replace('{it}', f'self.{field}')}")
    return about(
        "outputs.configMapName",
        f"!({' || '.join(f'({one})' for one in named)})",
        "The operator writes the ConfigMap that outputs.configMapName names, so no reference of the spec can name it. "
        "Name another ConfigMap in outputs or in the reference.",
        forbidden,
    )


def _about(field: str, test: str, words: str, rule: Callable[..., Rule] = Rule) -> Rule:
    """A rule about one reference. ``{it}`` is the reference in the test, ``{field}`` is its field in the message."""
    words = words.replace("{field}", field.replace("[]", ""))
    holder, items, name = field.partition("[].")
    if not items:
        return about(field, test.replace("{it}", f"self.{field}"), words, rule)
    return about(
        holder,
        f"self.{holder}.all(item, !has(item.{name}) || ({test.replace('{it}', f'item.{name}')}))",
        words,
        rule,
    )


def is_one_of(rows: Iterable[ReferenceKind]) -> str:
    """A CEL expression that is true if the reference ``{it}`` names a kind of these rows."""
    groups: dict[str, list[str]] = {}
    for row in rows:
        if ".aws.m." not in row.group:  # the other groups of Crossplane have the same kinds
            group = row.group.replace(".aws.upbound", ".aws(.m)?.upbound").replace(".", "[.]")
            groups.setdefault(f"{group}/" if group else "", []).append(row.kind)
    forms = "|".join(f"{group}v[^ ]+ ({'|'.join(kinds)})" for group, kinds in groups.items())
    return f"({{it}}.apiVersion + ' ' + {{it}}.kind).matches({quoted(f'^({forms})$')})"


def kinds_of(field: str) -> str:
    """The kinds that a field takes without a fieldPath, with their projects."""
    by_project: dict[str, list[str]] = {}
    for row in KINDS:
        if field in row.fields and row.kind not in by_project.setdefault(row.project, []):
            by_project[row.project].append(row.kind)
    parts = [
        f"{listed(kinds)} of {PROJECTS[project]}" if PROJECTS[project] else listed(kinds)
        for project, kinds in by_project.items()
    ]
    return listed(parts)


def _source_of_kind() -> Iterator[Rule]:
    """The fields that the source of ``eventSourceRef`` does not take, and the fields that it needs.

    Without a fieldPath, the first part of the API group shows the source.
    """
    services: dict[SourceType, list[str]] = {}
    for row in KINDS:
        service = row.group.partition(".")[0]
        if row.source is not None and service not in services.setdefault(row.source, []):
            services[row.source].append(service)

    def is_of(sources: Iterable[SourceType]) -> str:
        """Whether the kind shows one of these source types."""
        names = [name for source, names in services.items() if source in sources for name in names]
        pattern = quoted(f"^({'|'.join(names)})[.]")
        return f"self.{SOURCE}.apiVersion.matches({pattern}) && !has(self.{SOURCE}.fieldPath)"

    for name, takers in _takers().items():
        refusing = services.keys() - takers
        if refusing:
            yield about(
                SOURCE,
                f"!(has(self.{name}) && {is_of(refusing)})",
                f"The {{kind}} in eventSourceRef is a source that does not take {name}. Remove {name}.",
                forbidden,
                parts={"kind": f"self.{SOURCE}.kind"},
            )
    for name, sources in _needing().items():
        yield about(
            SOURCE,
            f"{_has(name)} || !({is_of(sources)})",
            f"The {{kind}} in eventSourceRef is a source that needs {name}. Add {name}.",
            needed,
            parts={"kind": f"self.{SOURCE}.kind"},
        )


def _takers() -> Mapping[str, frozenset[SourceType]]:
    """The source types that take each field at the top of the spec, except the fields of function and source."""
    takers: dict[str, frozenset[SourceType]] = {}
    for row in FIELDS:
        name = row.path.split(".")[0]
        if name not in (VALUE_PATHS[SOURCE], SERVERS.split(".")[0]):
            takers[name] = takers.get(name, frozenset()) | row.sources
    return takers | {TOPIC: takers[VALUE_PATHS[TOPIC]]}


def _needing() -> Mapping[str, frozenset[SourceType]]:
    """The source types that need each field at the top of the spec, except the fields of function and source."""
    needing: dict[str, frozenset[SourceType]] = {}
    for row in FIELDS:
        name = row.path.split(".")[0]
        if row.required and row.required != ALL and name not in (VALUE_PATHS[SOURCE], SERVERS.split(".")[0]):
            needing[name] = needing.get(name, frozenset()) | row.required
    return needing


def _has(name: str) -> str:
    found = f"has(self.{name})"
    return f"{found} || has(self.{TOPIC})" if name == VALUE_PATHS[TOPIC] else found
