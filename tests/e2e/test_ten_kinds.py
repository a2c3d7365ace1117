"""The main job: the ten examples, of all kinds of sources, from ``kubectl apply`` to Ready and back."""

from pathlib import Path

from tests.bed import FINALIZER, KIND, WRITES, Bed
from tests.waiting import eventually

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def test_the_examples_from_apply_to_ready_and_back(bed: Bed) -> None:
    bed.operator()
    bed.kubectl("apply", f"--filename={EXAMPLES}")
    bed.kubectl("wait", "--for=condition=Ready", "esm", "--all", "--timeout=200s")

    at_aws = {one["UUID"]: one for one in bed.mappings()}
    assert len(at_aws) == len(bed.all()) == 10
    for item in bed.all():
        status = item["status"]
        answered = at_aws[status["uuid"]]
        assert status["arn"] == answered["EventSourceMappingArn"]
        assert (status["region"], status["account"]) == tuple(status["arn"].split(":")[3:5])
        assert status["functionARN"] == answered["FunctionArn"]
        assert status["state"] == "Enabled"
        assert status["lastModified"].endswith("Z")
        assert status.get("lastProcessingResult") == answered.get("LastProcessingResult")
        assert status["observedGeneration"] == item["metadata"]["generation"]
        assert item["metadata"]["finalizers"] == [FINALIZER]
        assert status["tagsAll"] == answered["Tags"]
        assert status["tagsAll"]["esm-operator.io/name"] == item["metadata"]["name"]
    assert sum("lastProcessingResult" in item["status"] for item in bed.all()) >= 3

    calls = bed.calls()
    assert calls["CreateEventSourceMapping"] == 10
    assert "ListTags" not in calls
    assert {operation for operation in calls if operation in WRITES} == {"CreateEventSourceMapping"}

    bed.kubectl("delete", KIND, "--all", "--timeout=200s")
    eventually(lambda: not bed.mappings(), what="no mapping is left at AWS")
    assert bed.calls()["DeleteEventSourceMapping"] == 10
    assert bed.all() == []
