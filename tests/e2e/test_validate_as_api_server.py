"""`validate` refuses what a strict API server refuses, and nothing else.

Random manifests go to `validate`, and to the API server as YAML with ``fieldValidation=Strict`` and ``dryRun=All``. The
checks that only the operator makes are left out, because the API server cannot make them.
"""

import json
import re
import string
from collections.abc import Iterator, Mapping
from copy import deepcopy
from itertools import pairwise
from typing import Any

import pytest
import urllib3
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from esm_operator.api import limits, manifests, models, object_meta, provider_config
from esm_operator.commands import validate
from esm_operator.commands.export_manifest import Manifest
from tests.controlplane import ControlPlane
from tests.controlplane.kubeconfig import Access
from tests.specs import BASES, manifest, spec

MANY = settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
PLURALS = {
    "EventSourceMapping": "namespaces/default/eventsourcemappings",
    "ProviderConfig": "providerconfigs",
}
CONFIG = {
    "apiVersion": "lambda.esm-operator.io/v1",
    "kind": "ProviderConfig",
    "metadata": {"name": "shop"},
    "spec": {"region": "eu-west-1", "roleARN": "arn:aws:iam::123456789012:role/esm"},
}
OBJECTS = [*(manifest(spec(base, {})) for base in BASES), CONFIG]


class Server:
    """A strict API server that creates nothing."""

    def __init__(self, access: Access) -> None:
        self._server = access.server
        self._http = urllib3.PoolManager(ssl_context=access.tls(), headers=access.headers, timeout=120)

    def create(self, kind: str, text: str) -> tuple[Mapping[str, Any], str]:
        """Send a manifest. Returns the object that would be created, and why it is refused."""
        answer = self._http.request(
            "POST",
            f"{self._server}/apis/lambda.esm-operator.io/v1/{PLURALS[kind]}?fieldValidation=Strict&dryRun=All",
            body=text.encode(),
            headers={**self._http.headers, "Content-Type": "application/yaml", "Accept": "application/json"},
        )
        body: dict[str, Any] = json.loads(answer.data)
        if answer.status == 201:
            return body, ""
        assert answer.status in (400, 422), body
        return {}, str(body["message"])


@pytest.fixture(scope="module")
def server(control_plane: ControlPlane) -> Server:
    return Server(Access.read(control_plane.kubeconfig))


def refusals(text: str) -> list[str]:
    """The problems that `validate` finds in a text, without the checks that only the operator makes."""
    try:
        (document,) = manifests.documents(text)
    except manifests.ManifestError as error:
        return [str(error)]
    return [f"{path}: {message}" for path, message in validate.refusals(document.value["kind"], document.value)]


# Random changes of a good manifest


def paths(
    schema: Mapping[str, Any], root: Mapping[str, Any], path: tuple[str | int, ...]
) -> Iterator[tuple[str | int, ...]]:
    """The paths of all fields of a schema. The first item stands for all items of a list."""
    if path:
        yield path
    for choice in schema.get("anyOf", ()):
        yield from paths(choice, root, path)
    if "$ref" in schema:
        yield from paths(root["$defs"][schema["$ref"].rpartition("/")[2]], root, path)
    for name, part in schema.get("properties", {}).items():
        yield from paths(part, root, (*path, name))
    if "items" in schema:
        yield from paths(schema["items"], root, (*path, 0))


META: set[tuple[str | int, ...]] = {
    *{("metadata", name) for name in object_meta.ObjectMeta.model_json_schema()["properties"]},
    ("metadata", "labels", "team"),
    ("metadata", "annotations", "team"),
    ("metadata", "finalizers", 0),
}
PATHS = {
    kind: sorted({*paths(model.model_json_schema(), model.model_json_schema(), ()), *META}, key=str)
    for kind, model in (
        ("EventSourceMapping", models.EventSourceMapping),
        ("ProviderConfig", provider_config.ProviderConfigModel),
    )
}
NAMES = ("batch_size", "batchsize", "BatchSize", "scaling_config", "deletion_policy", "x", "uri", "name", "kmsKeyArn")
SCALARS = st.one_of(
    st.sampled_from([None, True, False, 0, 1, -1, 10, 11, 2**31, 2**31 - 1, 2**63 - 1, 1.0, 10.0, 1.5, -0.0, 1e21]),
    st.sampled_from(["", "x", "10", "true", "Orders", "a.b", "a..b", "-", "a/b", "A_b.c", "x" * 64, "x" * 300, "ü"]),
    st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-01", "2026-02-30T00:00:00Z", "2026-01-01T00:00:00.5+01:00"]),
    st.sampled_from(["eu-west-1", "arn:aws:sqs:eu-west-1:123456789012:orders", "LATEST", "Delete", "In", "Tags"]),
)
KEYS = st.one_of(st.sampled_from(NAMES), st.text(string.ascii_letters + "_-./", max_size=5))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=4,
)


def put(place: Any, path: tuple[str | int, ...], value: Any) -> None:
    """Set a field of an object, and make its parents."""
    for step, following in pairwise(path):
        empty: Any = [] if isinstance(following, int) else {}
        if isinstance(step, int):
            if not isinstance(place, list) or not place:
                return
            place = place[0]
        else:
            if not isinstance(place, dict):
                return
            place = place.setdefault(step, empty)
            if isinstance(following, int) and isinstance(place, list) and not place:
                place.append({})
    if isinstance(place, dict) and isinstance(path[-1], str):
        place[path[-1]] = value
    elif isinstance(place, list) and path[-1] == 0:
        place[:1] = [value]


def objects_in(value: Any) -> Iterator[dict[str, Any]]:
    """All objects in a value."""
    if isinstance(value, dict):
        yield value
        for part in value.values():
            yield from objects_in(part)
    elif isinstance(value, list):
        for part in value:
            yield from objects_in(part)


@st.composite
def changed_objects(draw: st.DrawFn) -> dict[str, Any]:
    """A good manifest with up to three changes."""
    result: dict[str, Any] = deepcopy(draw(st.sampled_from(OBJECTS)))
    kind = str(result["kind"])
    for _ in range(draw(st.integers(0, 3))):
        inner = draw(st.sampled_from(list(objects_in(result))))
        match draw(st.sampled_from(["set", "set", "rename", "add", "remove"])):
            case "set":
                put(result, draw(st.sampled_from(PATHS[kind])), draw(VALUES))
            case "rename" if inner:
                name = draw(st.sampled_from(sorted(inner)))
                inner[draw(st.sampled_from([snake(name), name.lower(), f"{name}s"]))] = inner.pop(name)
            case "add":
                inner[draw(KEYS)] = draw(VALUES)
            case _:
                inner.pop(draw(st.sampled_from(sorted(inner))) if inner else "", None)
    result |= {"apiVersion": "lambda.esm-operator.io/v1", "kind": kind}
    metadata = result.get("metadata")
    if not isinstance(metadata, dict):
        result["metadata"] = {"name": "orders"}
    return result


def snake(name: str) -> str:
    """``batchSize`` -> ``batch_size``: the name in Python."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def changed(base: str, **edit: Any) -> dict[str, Any]:
    return manifest(spec(base, edit))


@MANY
@given(document=changed_objects())
@example(changed("sqs", batch_size=5))
@example(changed("sqs", scaling_config={"maximum_concurrency": 5}))
@example(changed("sqs", scalingConfig={"maximum_concurrency": 5}))
@example(changed("sqs", deletion_policy="Retain"))
@example(changed("sqs", adoption={"policy": "Required", "take_over_from": "a/b/c"}))
@example({**changed("sqs"), "status": {"observed": {"functionRef": []}}})
@example({**changed("sqs"), "status": {"observed": {"sourceAccessConfigurations": [{"uriRef": None}]}}})
@example({**changed("sqs"), "status": {"observed": {"sourceAccessConfigurations": [{"uri": "arn"}]}}})
def test_they_refuse_the_same_manifests(server: Server, document: dict[str, Any]) -> None:
    text = yaml.safe_dump(document, allow_unicode=True)
    _, refused = server.create(document["kind"], text)
    found = refusals(text)
    assert bool(found) == bool(refused), f"{text}\nAPI server: {refused or 'accepts it'}\nvalidate: {found}"


# One dialect of YAML

HEAD = """\
apiVersion: lambda.esm-operator.io/v1
kind: EventSourceMapping
metadata: {name: orders}
spec:
  eventSourceARN: arn:aws:sqs:eu-west-1:123456789012:orders
"""
JSON_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", list: "array", dict: "object"}
#: Notations of scalars, two spaces apart.
NOTATIONS = (
    """
08  010  0o7  0O17  0x1f  0X1F  0b11  0B1  -0o7  1_000  _1  1_  1._  1_.4E5  1e1_0  1e3  1.5e3  5.  .5  ._5  +1  -0.0
00  on  Off  y  N  TRUE  tRue  null  ~  nuLL  .inf  -.INF  .nan  12:30  2026-01-01  2026-01-01T00:00:00Z  =  <<  '08'
9223372036854775807  9223372036854775808  18446744073709551616  -9223372036854775809  1e400  !!str 5  !foo x
!!int '5'  !!binary aGk=  !!bool yes
""".strip()
    .replace("\n", "  ")
    .split("  ")
)
SCALAR_TEXTS = st.text("0123456789_.+-eExXoObBaAfFnNyYiIsStTrRuUlL~:=", min_size=1, max_size=6)


def as_server_reads(server: Server, scalar: str) -> tuple[str, str | None]:
    """The type that the API server reads, with the value of a string. ``refused`` if it is no JSON."""
    document, refused = server.create("EventSourceMapping", f"{HEAD}  functionName: {scalar}\n")
    if document:
        return "string", document["spec"]["functionName"]
    if "functionName must be" in refused:  # a string that is no name of a function
        return "string", None
    if "spec.functionName: Required value" in refused:
        return "null", None
    wrong_type = re.search(r'spec.functionName in body must be of type string: "(\w+)"', refused)
    return (wrong_type[1] if wrong_type else "refused"), None


def as_we_read(scalar: str) -> tuple[str, str | None]:
    """The same as `validate` reads it."""
    try:
        (document,) = manifests.documents(f"{HEAD}  functionName: {scalar}\n")
    except manifests.ManifestError:
        return "refused", None
    value = document.value["spec"]["functionName"]
    return ("null" if value is None else JSON_TYPES[type(value)]), value if isinstance(value, str) else None


def check_scalar(server: Server, scalar: str) -> None:
    theirs, ours = as_server_reads(server, scalar), as_we_read(scalar)
    assert ours[0] == theirs[0], f"{scalar}: API server: {theirs}, validate: {ours}"
    assert theirs[1] in (None, ours[1])


@pytest.mark.parametrize("scalar", NOTATIONS)
def test_they_read_the_same_scalars(server: Server, scalar: str) -> None:
    check_scalar(server, scalar)


@MANY
@given(scalar=SCALAR_TEXTS)
def test_they_read_the_same_random_scalars(server: Server, scalar: str) -> None:
    check_scalar(server, scalar)


TEXTS = st.one_of(
    SCALAR_TEXTS, st.text(st.characters(exclude_categories=["Cs"]), max_size=20), st.sampled_from(NOTATIONS)
).filter(bool)
#: Go and Python may have different versions of Unicode, which differ in few characters below U+10000.
TAG_CHARACTERS = st.characters(categories=["L", "N", "Z"], max_codepoint=0xFFFF, include_characters="_.:/=+-@")
TAG_TEXTS = SCALAR_TEXTS.map(lambda text: text.replace("~", "")) | st.text(TAG_CHARACTERS, max_size=20)
TAG_KEYS = TAG_TEXTS.filter(bool).filter(lambda key: not re.match(limits.RESERVED_TAG_KEY, key))


@MANY
@given(tags=st.dictionaries(TAG_KEYS, TAG_TEXTS, max_size=5), queue=TEXTS)
def test_both_read_what_export_has_written(server: Server, tags: dict[str, str], queue: str) -> None:
    document = changed("mq", tags=tags, queues=[queue])
    text = Manifest("a mapping", document).render()
    (ours,) = manifests.documents(text)
    assert ours.value == document
    theirs, refused = server.create("EventSourceMapping", text)
    assert refused == ""
    assert theirs["spec"] == document["spec"]
