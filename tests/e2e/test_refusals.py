"""`kubectl apply` refuses bad input, with a message that names the field, the source and the remedy.

The cases are those of `tests/refusals.py`. Most are sent with the Python client, because it is faster than kubectl.
kubectl prints the same message.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from esm_operator.commands import validate
from tests import changes, refusals
from tests.changes import Change
from tests.controlplane import ControlPlane
from tests.refusals import Refusal
from tests.specs import BASES, Spec, manifest, spec
from tests.waiting import eventually

NOW = datetime(2026, 11, 24, tzinfo=UTC)
KIND = ("lambda.esm-operator.io", "v1", "default", "eventsourcemappings")


class Server:
    """A client whose answers are the message of the refusal, or empty."""

    def __init__(self, api: client.CustomObjectsApi) -> None:
        self._api = api

    def create(self, of: Spec, name: str = "orders", *, dry_run: bool = True) -> str:
        mode = {"dry_run": "All"} if dry_run else {}
        return self._refusal(
            self._api.create_namespaced_custom_object,
            manifest(of, name),
            field_validation="Strict",
            **mode,
        )

    def change(self, name: str, of: Spec) -> str:
        present: Any = self._api.get_namespaced_custom_object(*KIND, name)
        return self._refusal(self._api.replace_namespaced_custom_object, name, present | {"spec": of}, dry_run="All")

    def delete(self, name: str) -> None:
        self._api.delete_namespaced_custom_object(*KIND, name)

    @staticmethod
    def _refusal(call: Any, *arguments: Any, **options: Any) -> str:
        try:
            call(*KIND, *arguments, **options)
        except ApiException as error:
            if error.status not in (400, 422):
                raise
            return str(json.loads(error.body or "{}")["message"])
        return ""


@pytest.fixture(scope="module")
def server(control_plane: ControlPlane) -> Iterator[Server]:
    with config.new_client_from_config(str(control_plane.kubeconfig)) as api_client:
        server = Server(client.CustomObjectsApi(api_client))
        eventually(lambda: server.create(spec("sqs", {"batchSize": 0})), "the rules are in force")
        yield server


@pytest.mark.parametrize(
    "case", refusals.REFUSALS + refusals.REFERENCE_REFUSALS + refusals.TYPE_REFUSALS, ids=lambda case: case.name
)
def test_a_refusal_names_the_field_the_source_and_the_remedy(server: Server, case: Refusal) -> None:
    message = server.create(case.spec)
    assert all(word in message for word in case.says), message
    assert server.create(case.opposite) == ""


@pytest.mark.parametrize("case", refusals.UNKNOWN_FIELDS, ids=lambda case: case.name)
def test_an_unknown_field_is_refused(server: Server, case: Refusal) -> None:
    message = server.create(case.spec)
    assert "unknown field" in message
    assert all(word in message for word in case.says), message
    assert server.create(case.opposite) == ""


@pytest.mark.parametrize("base", BASES)
def test_the_smallest_spec_of_each_source_is_accepted(server: Server, base: str) -> None:
    assert server.create(spec(base, {})) == ""


@pytest.mark.parametrize("case", refusals.REFUSALS + refusals.REFERENCE_REFUSALS, ids=lambda case: case.name)
def test_the_offline_check_gives_the_same_messages(server: Server, case: Refusal) -> None:
    message = server.create(case.spec)
    report = validate.Report()
    validate.check_text("file.yaml", yaml.safe_dump(manifest(case.spec)), report, NOW)
    assert report.problems
    for problem in report.problems:
        assert problem.message in message
        assert problem.field in message
    assert message.count("spec.") >= len(report.problems)


def test_each_field_with_problems_is_named(server: Server) -> None:
    message = server.create(refusals.MANY_PROBLEMS)
    for field in refusals.FIELDS_WITH_PROBLEMS:
        assert f"{field}: " in message
    report = validate.Report()
    validate.check_text("file.yaml", yaml.safe_dump(manifest(refusals.MANY_PROBLEMS)), report, NOW)
    assert len(report.problems) >= len(refusals.FIELDS_WITH_PROBLEMS)
    for problem in report.problems:
        assert problem.message in message


@pytest.mark.parametrize("case", refusals.OFFLINE_REFUSALS, ids=lambda case: case.name)
def test_specs_that_cel_cannot_check_are_accepted(server: Server, case: Refusal) -> None:
    assert server.create(case.spec) == ""


def test_a_null_field_counts_as_missing(server: Server) -> None:
    of = spec("sqs", {}) | {"enabled": None, "startingPosition": None}
    assert server.create(of) == ""
    report = validate.Report()
    validate.check_text("file.yaml", yaml.safe_dump(manifest(of)), report, NOW)
    assert report.problems == []


@pytest.mark.parametrize("case", changes.CHANGES, ids=lambda case: case.name)
def test_a_change_of_an_immutable_field_is_refused(server: Server, case: Change) -> None:
    before = spec(case.base, case.before)
    after = spec(case.base, {**case.before, **case.after})
    assert server.create(before, "changed", dry_run=False) == ""
    try:
        message = server.change("changed", after)
        assert all(word in message for word in case.says), message
        recreated = server.change("changed", after | {"replacePolicy": "Recreate"})
        assert (recreated == "") == case.replaceable, recreated
        assert server.change("changed", before) == ""
    finally:
        server.delete("changed")


@pytest.mark.parametrize("case", changes.HARMLESS_CHANGES, ids=lambda case: case.name)
def test_a_change_of_a_mutable_field_is_accepted(server: Server, case: Change) -> None:
    assert server.create(spec(case.base, case.before), "changed", dry_run=False) == ""
    try:
        assert server.change("changed", spec(case.base, {**case.before, **case.after})) == ""
    finally:
        server.delete("changed")


@pytest.mark.usefixtures("server")
def test_kubectl_apply_prints_the_message(control_plane: ControlPlane) -> None:
    for name in ("a position on SQS", "batch 0", "47 tags", "an unknown field"):
        case = next(row for row in refusals.REFUSALS + refusals.UNKNOWN_FIELDS if row.name == name)
        document = json.dumps(manifest(case.spec, "printed"))
        done = control_plane.kubectl("apply", "--filename=-", input=document, check=False)
        assert done.returncode != 0
        assert all(word in done.stderr for word in case.says), done.stderr
    assert "printed" not in control_plane.kubectl("get", "esm", "--output=name").stdout


@pytest.mark.usefixtures("server")
def test_kubectl_apply_refuses_a_changed_topic(control_plane: ControlPlane) -> None:
    document = manifest(spec("msk", {}), "topics")
    control_plane.kubectl("apply", "--filename=-", input=json.dumps(document))
    document["spec"]["topics"] = ["returns"]
    done = control_plane.kubectl("apply", "--filename=-", input=json.dumps(document), check=False)
    control_plane.kubectl("delete", "esm", "topics")
    assert "spec.topics" in done.stderr
    assert "replacePolicy: Recreate" in done.stderr


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("defaultTags", tags) for tags in ({"AWS:x": "y"}, {"a#b": "y"}, {"a": "v*"})],
        ("endpointURL", "http://user:S3CRET@aws.example.com"),
        ("endpointURL", "https://aws.example.com/?token=S3CRET"),
        ("endpointURL", "https://aws.example.com\n"),
    ],
)
def test_kubectl_apply_refuses_a_wrong_provider_config(control_plane: ControlPlane, field: str, value: object) -> None:
    document = {
        "apiVersion": "lambda.esm-operator.io/v1",
        "kind": "ProviderConfig",
        "metadata": {"name": "wrong"},
        "spec": {field: value},
    }
    done = control_plane.kubectl("apply", "--dry-run=server", "--filename=-", input=json.dumps(document), check=False)
    assert done.returncode != 0
    assert f"spec.{field}" in done.stderr
