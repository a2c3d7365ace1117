"""The CRDs on a real API server: the examples, server-side apply, kubectl explain and get."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import specs
from tests.controlplane import ControlPlane
from tests.specs import BASES, manifest, spec
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
CRDS = (
    "customresourcedefinition.apiextensions.k8s.io/eventsourcemappings.lambda.esm-operator.io",
    "customresourcedefinition.apiextensions.k8s.io/providerconfigs.lambda.esm-operator.io",
)


@pytest.fixture
def plane(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    yield control_plane
    control_plane.kubectl("delete", "esm", "--all", "--namespace=default")


@pytest.mark.parametrize("arguments", [("--filename", ROOT / "crds"), ("--kustomize", ROOT)])
def test_kubectl_applies_the_folder_of_the_crds(control_plane: ControlPlane, arguments: tuple[str, Path]) -> None:
    applied = control_plane.kubectl("apply", *arguments).stdout.splitlines()
    assert sorted(line.split()[0] for line in applied) == sorted(CRDS)


def test_applying_the_examples_again_changes_nothing(plane: ControlPlane) -> None:
    first = plane.kubectl("apply", "--server-side", f"--filename={EXAMPLES}").stdout.splitlines()
    assert len(first) == 10
    # The default of the status is stored with the first write after the creation, whatever that is.
    plane.kubectl("apply", "--server-side", f"--filename={EXAMPLES}")
    before = plane.kubectl("get", "esm", "--output=json", "--show-managed-fields").stdout
    plane.kubectl("apply", "--server-side", f"--filename={EXAMPLES}")
    assert plane.kubectl("get", "esm", "--output=json", "--show-managed-fields").stdout == before
    assert before.count('"generation": 1,') == 10
    assert plane.kubectl("diff", "--server-side", f"--filename={EXAMPLES}", check=False).stdout == ""


def test_the_examples_apply_with_client_side_apply(plane: ControlPlane) -> None:
    plane.kubectl("apply", f"--filename={EXAMPLES}")
    second = plane.kubectl("apply", f"--filename={EXAMPLES}").stdout.splitlines()
    assert all(line.endswith(" unchanged") for line in second)


def test_the_api_server_adds_nothing_to_a_spec(plane: ControlPlane) -> None:
    for base in BASES:
        document = manifest(spec(base, {}), base)
        plane.kubectl("apply", "--filename=-", input=json.dumps(document))
        stored = json.loads(plane.kubectl("get", "esm", base, "--output=json").stdout)
        assert stored["spec"] == document["spec"]
        assert stored["status"] == {"observedGeneration": -1}


def test_two_people_apply_tags_and_filters_of_one_mapping(plane: ControlPlane) -> None:
    def apply(who: str, more: specs.Edit) -> None:
        document = manifest(spec("sqs", more), "shared")
        arguments = ("--server-side", f"--field-manager={who}", "--filename=-")
        plane.kubectl("apply", *arguments, input=json.dumps(document))

    one, two = specs.filters(2)
    apply("one", {"tags": {"one": "1"}, "filterCriteria.filters": [one]})
    apply("two", {"tags": {"two": "2"}, "filterCriteria.filters": [two]})
    shared = json.loads(plane.kubectl("get", "esm", "shared", "--output=json").stdout)["spec"]
    assert shared["tags"] == {"one": "1", "two": "2"}
    assert shared["filterCriteria"]["filters"] == [one, two]


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        (
            "esm.spec.batchSize",
            [
                "The maximum number of records in one batch",
                "From 1 to 10,000.",
                "Default of AWS: 10 (Amazon SQS), 100 (Amazon Kinesis",
                "For all source types.",
            ],
        ),
        ("esm.spec.deletionPolicy", ["ENUM: Delete Retain"]),
        ("esm.spec.startingPosition", ["ENUM: TRIM_HORIZON LATEST AT_TIMESTAMP"]),
        ("esm.spec.sourceAccessConfigurations.type", ["ENUM: BASIC_AUTH VIRTUAL_HOST VPC_SUBNET VPC_SECURITY_GROUP"]),
        ("esm.spec.functionResponseTypes", ["Values: ReportBatchItemFailures."]),
        ("esm.spec.maximumRecordAgeInSeconds", ["-1 or from 60 to 604,800."]),
        ("providerconfig.spec.ownership", ["ENUM: Tags ResourceOnly"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_kubectl_explain_shows_values_and_defaults(control_plane: ControlPlane, field: str, shown: list[str]) -> None:
    name = field.rsplit(".", 1)[-1]

    def explained() -> str:
        text = control_plane.kubectl("explain", field, check=False).stdout
        return text if name in text else ""

    flat = " ".join(eventually(explained, "the API server has published the schema").split())
    assert [part for part in shown if part not in flat] == [], flat


def test_kubectl_get_shows_the_columns(plane: ControlPlane) -> None:
    plane.kubectl("apply", "--filename=-", input=json.dumps(manifest(spec("sqs", {}))))
    header = plane.kubectl("get", "aws").stdout.splitlines()[0].split()
    assert header == ["NAME", "FUNCTION", "SOURCE", "STATE", "READY", "REASON", "PROCESSING", "AGE"]
    wide = plane.kubectl("get", "esm", "--output=wide").stdout.splitlines()[0].split()
    assert wide == [*header, "LAST-RESULT", "FUNCTION-ARN", "SOURCE-ARN", "SYNCED", "PAUSED", "UUID", "MESSAGE"]
