"""The examples for ACK, kro and Crossplane make mappings that the API server accepts, from fields that the kinds have.

The tests fill in the expressions of kro and the patches of Crossplane, as these tools do. The objects of other projects
have the fields of ``tests/e2e/referenced_objects.py``, so an expression with another field fails.
"""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import cel
import pytest
import yaml

from esm_operator.api.models import API_VERSION
from esm_operator.api.reference_kinds import kind_of
from esm_operator.api.references import Reference, references_of
from esm_operator.commands import validate
from tests.e2e.referenced_objects import CASES, plural_of
from tests.pages import Block, blocks

NOW = datetime(2026, 11, 24, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
PAGE = "docs/how-to/kro-and-crossplane.md"
#: The status that the controller of a kind writes, by apiVersion and kind.
WRITTEN = {(case.api_version, case.kind): case.body for case in CASES}
READY = {"type": "Ready", "status": "True"}

Manifest = dict[str, Any]


def documents(file: str) -> list[Manifest]:
    return list(yaml.safe_load_all((EXAMPLES / file).read_text()))


def only(file: str) -> Manifest:
    (document,) = documents(file)
    return document


def is_mapping(manifest: Mapping[str, Any]) -> bool:
    return (manifest.get("apiVersion"), manifest.get("kind")) == (API_VERSION, "EventSourceMapping")


def embedded(value: Any) -> Iterator[Manifest]:
    """The EventSourceMappings inside of an object of another kind."""
    parts: list[Any] = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    for part in parts:
        if isinstance(part, dict) and is_mapping(part):
            yield part
        yield from embedded(part)


def named(manifest: Manifest) -> tuple[str, str, str]:
    return manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"]


def references(mapping: Manifest) -> set[tuple[str, str, str]]:
    """The objects to which a mapping refers. Each reference must give a value without a fieldPath."""

    def checked(one: Reference) -> tuple[str, str, str]:
        row = kind_of(one.api_version, one.kind)
        assert row is not None, one
        assert one.field in row.fields, one
        assert (one.api_version, one.kind) in WRITTEN, one
        return one.api_version, one.kind, one.name

    return {checked(one) for one in references_of(mapping["spec"])}


@cache
def crd() -> Manifest:
    """The schema of an EventSourceMapping."""
    (file,) = (ROOT / "crds").glob("*eventsourcemappings.yaml")
    return yaml.safe_load(file.read_text())["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def has_field(schema: Manifest, path: str) -> bool:
    """Whether a schema has a field, such as ``status.uuid``."""
    for name in path.split("."):
        if name not in schema.get("properties", {}):
            return False
        schema = schema["properties"][name]
    return True


def granted(file: str) -> set[tuple[str, str]]:
    """The groups and plurals that the ClusterRole of a file names."""
    (found,) = (one for one in documents(file) if one["kind"] == "ClusterRole")
    assert all(rule["verbs"] == ["*"] for rule in found["rules"])
    return {(group, kind) for rule in found["rules"] for group in rule["apiGroups"] for kind in rule["resources"]}


# ACK


def test_the_mapping_for_ack_refers_to_the_objects_next_to_it() -> None:
    report = validate.check_files([str(EXAMPLES / "ack" / "mapping.yaml")], NOW)
    assert (report.problems, report.checked) == ([], 1)
    found = references(only("ack/mapping.yaml"))
    assert found == {named(one) for one in documents("ack/function-and-queue.yaml")}
    assert len(found) == 2


def test_the_folder_with_all_examples_passes() -> None:
    """Resources of other tools are skipped."""
    report = validate.check_files([str(EXAMPLES)], NOW)
    assert report.problems == []
    assert report.checked == len(list(EXAMPLES.glob("*.yaml"))) + 1


# kro


def evaluated(value: Any, known: Mapping[str, Any]) -> Any:
    """A part of a ResourceGraphDefinition with the values of its expressions."""
    if isinstance(value, dict):
        return {name: evaluated(part, known) for name, part in value.items()}
    if isinstance(value, list):
        return [evaluated(part, known) for part in value]
    if not isinstance(value, str):
        return value
    if whole := re.fullmatch(r"[$][{]([^}]*)[}]", value):
        return cel.evaluate(whole[1], dict(known))
    return re.sub(r"[$][{]([^}]*)[}]", lambda found: str(cel.evaluate(found[1], dict(known))), value)


@cache
def graph() -> dict[str, Manifest]:
    """What expressions can use: the instance as ``schema``, and the objects with the status of their controllers."""
    known = {"schema": only("kro/orders.yaml")}
    for resource in only("kro/table-consumer.yaml")["spec"]["resources"]:
        made = evaluated(resource["template"], known)
        known[resource["id"]] = {**made, **WRITTEN.get((made["apiVersion"], made["kind"]), {})}
    known["mapping"]["status"] = {"uuid": "11111111-2222", "state": "Enabled", "conditions": [READY]}
    return known


def resources() -> dict[str, Manifest]:
    return {one["id"]: one for one in only("kro/table-consumer.yaml")["spec"]["resources"]}


def test_kro_makes_a_mapping_of_the_objects_that_it_makes() -> None:
    made = graph()
    assert is_mapping(made["mapping"])
    assert validate.problems_of({**made["mapping"], "status": {}}, NOW) == []
    assert references(made["mapping"]) == {named(made["table"]), named(made["lambdaFunction"])}


def test_kro_sees_that_the_mapping_needs_both_objects() -> None:
    """So that it deletes the mapping before them."""
    used = set(re.findall(r"[$][{](\w+)[.]", yaml.safe_dump(resources()["mapping"]["template"])))
    assert used == {"schema", "table", "lambdaFunction"}


def test_kro_waits_for_the_condition_ready() -> None:
    (condition,) = resources()["mapping"]["readyWhen"]
    mapping = deepcopy(graph()["mapping"])
    assert evaluated(condition, {"mapping": mapping}) is True
    mapping["status"]["conditions"] = [{"type": "Ready", "status": "False"}, {"type": "Synced", "status": "True"}]
    assert evaluated(condition, {"mapping": mapping}) is False


def test_kro_shows_fields_of_the_status() -> None:
    shown = only("kro/table-consumer.yaml")["spec"]["schema"]["status"]
    assert evaluated(shown, graph()) == {"mappingUUID": "11111111-2222", "mappingState": "Enabled"}
    for expression in shown.values():
        assert has_field(crd(), re.fullmatch(r"[$][{]mapping[.](.*)[}]", expression)[1])  # pyright: ignore[reportOptionalSubscript]


def test_the_instance_of_kro_has_the_fields_of_its_kind() -> None:
    schema, instance = only("kro/table-consumer.yaml")["spec"]["schema"], only("kro/orders.yaml")
    assert instance["spec"].keys() == schema["spec"].keys()
    assert (instance["apiVersion"], instance["kind"]) == (f"{schema['group']}/{schema['apiVersion']}", schema["kind"])


def test_kro_may_write_all_that_it_makes() -> None:
    made = [one for name, one in graph().items() if name != "schema"]
    needed = {(one["apiVersion"].partition("/")[0], plural_of(one["kind"])) for one in (*made, only("kro/orders.yaml"))}
    instance = ("shop.example.com", "tableconsumers/status")
    assert granted("kro/cluster-role.yaml") == {*needed, instance}


# Crossplane


def step() -> Manifest:
    """The step of the Composition that makes the objects."""
    (found,) = only("crossplane/composition.yaml")["spec"]["pipeline"]
    return found


def part(manifest: Any, path: str) -> Any:
    for name in path.split("."):
        manifest = manifest[name]
    return manifest


def patches(resource: Manifest, kind: str) -> list[Manifest]:
    return [one for one in resource["patches"] if one.get("type", "FromCompositeFieldPath") == kind]


def patched(resource: Manifest, composite: Manifest) -> Manifest:
    """The object that function-patch-and-transform makes of a resource."""
    made = deepcopy(resource["base"])
    for patch in patches(resource, "FromCompositeFieldPath"):
        *around, last = patch["toFieldPath"].split(".")
        holder = made
        for name in around:
            holder = holder.setdefault(name, {})
        holder[last] = part(composite, patch["fromFieldPath"])
    return made


def composed() -> dict[str, Manifest]:
    composite = only("crossplane/orders.yaml")
    return {one["name"]: patched(one, composite) for one in step()["input"]["resources"]}


def test_crossplane_makes_a_mapping_of_its_queue_and_a_function() -> None:
    made, composite = composed(), only("crossplane/orders.yaml")
    assert is_mapping(made["mapping"])
    assert validate.problems_of(made["mapping"], NOW) == []
    function = ("lambda.aws.m.upbound.io/v1beta1", "Function", composite["spec"]["functionName"])
    assert references(made["mapping"]) == {named(made["queue"]), function}


def test_the_composition_uses_fields_of_its_kind_and_of_the_status() -> None:
    (version,) = only("crossplane/definition.yaml")["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    for resource in step()["input"]["resources"]:
        given = patches(resource, "FromCompositeFieldPath")
        shown = patches(resource, "ToCompositeFieldPath")
        assert len(given) + len(shown) == len(resource["patches"])
        paths = {one["fromFieldPath"] for one in given} - {"metadata.name"}
        assert [path for path in paths if not has_field(schema, path)] == []
        assert [one["toFieldPath"] for one in shown if not has_field(schema, one["toFieldPath"])] == []
        if is_mapping(resource["base"]):
            assert [one["fromFieldPath"] for one in shown if not has_field(crd(), one["fromFieldPath"])] == []
            (check,) = resource["readinessChecks"]
            assert check == {"type": "MatchCondition", "matchCondition": READY}


def test_the_definition_the_composition_and_the_object_have_one_kind() -> None:
    definition, composite = only("crossplane/definition.yaml"), only("crossplane/orders.yaml")
    spec = definition["spec"]
    (version,) = spec["versions"]
    assert definition["metadata"]["name"] == f"{spec['names']['plural']}.{spec['group']}"
    kind = {"apiVersion": f"{spec['group']}/{version['name']}", "kind": spec["names"]["kind"]}
    assert only("crossplane/composition.yaml")["spec"]["compositeTypeRef"] == kind
    assert {name: composite[name] for name in kind} == kind
    fields = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert set(fields["required"]) == composite["spec"].keys() == fields["properties"].keys()


def test_crossplane_has_the_function_and_the_right_that_it_needs() -> None:
    functions = {
        one["metadata"]["name"] for one in documents("crossplane/prerequisites.yaml") if one["kind"] == "Function"
    }
    assert functions == {step()["functionRef"]["name"]}
    assert granted("crossplane/prerequisites.yaml") == {("lambda.esm-operator.io", "eventsourcemappings")}


# The pages

TEMPLATES = [
    *embedded(only("kro/table-consumer.yaml")),
    *embedded(only("crossplane/composition.yaml")),
]
ON_PAGES = [
    (block, one)
    for block in blocks("yaml")
    if "lambda.esm-operator.io" in block.text
    for whole in yaml.safe_load_all(block.text)
    for one in embedded(whole)
]


def test_the_page_has_the_templates_of_the_examples() -> None:
    shown = [one for block, one in ON_PAGES if block.page == PAGE]
    assert [one for one in TEMPLATES if one not in shown] == []


@pytest.mark.parametrize(
    ("block", "template"),
    [(block, one) for block, one in ON_PAGES if one not in TEMPLATES],
    ids=lambda one: str(one) if isinstance(one, Block) else "",
)
def test_other_templates_of_pages_are_valid_with_the_values_of_kro(block: Block, template: Manifest) -> None:
    assert validate.problems_of(evaluated(template, graph()), NOW) == [], block


def test_a_field_that_the_kinds_do_not_have_is_found() -> None:
    with pytest.raises(KeyError, match="streamARN"):
        evaluated("${table.status.streamARN}", graph())
