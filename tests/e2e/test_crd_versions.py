"""The CRDs in the cluster are older or newer than the operator, as during an upgrade or a rollback."""

from collections.abc import Callable, Generator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tests import role
from tests.aws import AwsServer
from tests.bed import KIND, Bed, install
from tests.bed.cluster import crds, create_namespace
from tests.conftest import PACE
from tests.controlplane import ControlPlane
from tests.controlplane.client import ApiError
from tests.e2e.manifests import queue
from tests.operator_process import OperatorProcess
from tests.waiting import eventually

NAMESPACE = "shop"
#: Fields that an older CRD lacks: one of the spec that no test sets, and two of the status.
OLDER_SPEC, OLDER_STATUS = "loggingConfig", ("tagsAll", "lastProcessingResult")

Schema = dict[str, Any]


@pytest.fixture(scope="module")
def plane() -> Generator[ControlPlane]:
    """A control plane whose CRDs tests may change."""
    with ControlPlane() as running:
        install(running)
        create_namespace(running.client, NAMESPACE)
        yield running


@pytest.fixture
def upgraded(plane: ControlPlane, aws_server: AwsServer, tmp_path: Path) -> Generator[Bed]:
    """A bed on this control plane."""
    aws_server.control.reset()
    aws_server.control.set(pace=PACE)
    kubeconfig = plane.kubeconfig_for(role.NAME, role.NAME)
    with Bed(plane=plane, aws=aws_server, kubeconfig=kubeconfig, namespace=NAMESPACE, folder=tmp_path) as bed:
        yield bed
    install(plane)


def install_changed(bed: Bed, change: Callable[[Schema], object], what: str) -> None:
    """Install the CRD of mappings with another schema, and wait until the API server validates with it."""
    crd = deepcopy(next(one for one in crds() if one["metadata"]["name"] == KIND))
    change(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    crd["metadata"]["annotations"] = {"version": what}
    bed.client.install(crd)


def older(schema: Schema) -> None:
    """Remove fields, and the rules about them."""
    spec, status = schema["properties"]["spec"], schema["properties"]["status"]
    del spec["properties"][OLDER_SPEC]
    spec["x-kubernetes-validations"] = [one for one in spec["x-kubernetes-validations"] if OLDER_SPEC not in str(one)]
    for name in OLDER_STATUS:
        del status["properties"][name]


def newer(schema: Schema) -> None:
    """Add a field to the spec, and another value of a policy."""
    spec = schema["properties"]["spec"]
    spec["properties"]["batchMode"] = {"type": "string"}
    spec["properties"]["deletionPolicy"]["enum"].append("Archive")


def restart(operator: OperatorProcess) -> None:
    """Start the operator again. A watch from before a change of a CRD may show objects with the former schema."""
    operator.stop()
    operator.start()


def accepts(bed: Bed, manifest: dict[str, Any]) -> bool:
    """Whether the API server would create this object."""
    try:
        bed.client.request("POST", f"{bed.resource_path()}?dryRun=All&fieldValidation=Strict", manifest)
    except ApiError:
        return False
    return True


def is_pruned(bed: Bed, name: str, field: str) -> bool:
    """Whether the API server drops a field of the status."""
    where = f"{bed.resource_path(name)}/status?dryRun=All"
    answer = bed.client.merge(where, {"status": {field: {} if field == "tagsAll" else "tried"}})
    return answer is not None and field not in answer["status"]


def test_an_older_crd_lacks_fields_of_the_status(upgraded: Bed) -> None:
    """The API server drops these fields. The operator works, and does not write the status again and again."""
    bed = upgraded
    operator = bed.operator("--sweep-interval=1")
    bed.apply(queue("known", tags={"team": "shop"}))
    uuid = bed.wait_ready("known")["status"]["uuid"]
    install_changed(bed, older, "older")
    eventually(lambda: is_pruned(bed, "known", "lastProcessingResult"), "the API server has the older CRD")
    restart(operator)
    bed.apply(queue("made", batchSize=5, tags={"team": "shop"}))
    bed.wait_ready("made")
    bed.patch("known", {"batchSize": 6})
    bed.wait_ready("known")
    eventually(lambda: bed.mapping("known")["BatchSize"] == 6, "the edit is in AWS")
    bed.control.edit_mapping(bed.mapping("made")["UUID"], BatchSize=9)
    eventually(lambda: bed.mapping("made")["BatchSize"] == 5, "the drift is corrected")
    bed.wait_swept(3)
    before = bed.versions()
    bed.wait_swept(10)
    assert bed.versions() == before, "no write while nothing changes"

    install(bed.plane)
    eventually(lambda: not is_pruned(bed, "known", "lastProcessingResult"), "the API server has the present CRD")
    bed.patch("known", {"batchSize": 7})
    assert bed.wait_ready("known")["status"]["uuid"] == uuid
    eventually(lambda: bed.status("known").get("tagsAll"), "the field is written again")
    bed.delete("made")
    bed.wait_gone("made")
    assert bed.calls()["CreateEventSourceMapping"] == 2


@pytest.mark.parametrize("exists", [True, False], ids=["a mapping exists", "a new resource"])
def test_a_newer_crd_has_a_field_that_the_operator_does_not_know(upgraded: Bed, *, exists: bool) -> None:
    """The operator does not guess what the field means. It changes nothing in AWS, and reports the field."""
    bed = upgraded
    operator = bed.operator("--sweep-interval=1")
    if exists:
        bed.apply(queue("known"))
        bed.wait_ready("known")
    before = bed.functions()
    install_changed(bed, newer, "newer")
    eventually(lambda: accepts(bed, queue("trial", batchMode="small")), "the API server has the newer CRD")
    restart(operator)
    bed.apply(queue("known", batchMode="small", batchSize=6))
    stalled = bed.wait_condition("known", "Stalled", "True", "InvalidSpec")
    assert "does not know the field batchMode. Upgrade the operator, or remove batchMode." in stalled["message"]
    assert bed.functions() == before
    bed.patch("known", {"batchMode": None})
    bed.wait_ready("known")
    eventually(lambda: bed.mapping("known")["BatchSize"] == 6, "the rest of the edit is in AWS")


def test_a_newer_crd_has_a_policy_that_the_operator_does_not_know(upgraded: Bed) -> None:
    """The operator does not guess what the policy means, so it does not delete the mapping."""
    bed = upgraded
    install_changed(bed, newer, "newer")
    eventually(lambda: accepts(bed, queue("trial", deletionPolicy="Archive")), "the API server has the newer CRD")
    bed.operator("--sweep-interval=1")
    bed.apply(queue("made"))
    bed.wait_ready("made")
    bed.patch("made", {"deletionPolicy": "Archive"})
    bed.delete("made")
    stalled = bed.wait_condition("made", "Stalled", "True", "InvalidSpec")
    assert "does not know deletionPolicy Archive." in stalled["message"]
    assert bed.functions() == {"made": 1}
    bed.patch("made", {"deletionPolicy": "Delete"})
    bed.wait_gone("made")
    assert bed.functions() == {}
