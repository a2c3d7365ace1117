"""The ConfigMap of ``spec.outputs``, when requests are interrupted and objects change at the same time."""

from typing import Any

import pytest

from esm_operator.api.annotations import OUTPUTS_OF
from esm_operator.reconcile.outputs import AUDIT
from tests.model.aws import QUEUE, STREAM
from tests.model.calls import Call
from tests.model.objects import FUNCTION_REF, SOURCE_REF
from tests.model.script import ONE, SQS, TWO, Script
from tests.model.world import SWEEP_INTERVAL

MAPS = "/api/v1/namespaces/a/configmaps"
OUTPUTS: dict[str, Any] = {**SQS, "outputs": {"configMapName": "out"}}
#: Longer than the back-off of a ConfigMap that cannot be written.
HEALED = 2 * 300.0 + SWEEP_INTERVAL


def config_map(script: Script, name: str = "out") -> dict[str, Any] | None:
    return script.cluster.others.get(f"{MAPS}/{name}")


def data(script: Script, name: str = "out") -> dict[str, str]:
    found = config_map(script, name)
    return found["data"] if found is not None else {}


def expected(script: Script, key: Any = ONE) -> dict[str, str]:
    status = script.status(key)
    return {name: status[name] for name in ("uuid", "arn", "functionARN", "state")}


def foreign(script: Script, name: str = "out") -> dict[str, Any]:
    """A ConfigMap of somebody else."""
    body = {"metadata": {"name": name, "namespace": "a", "uid": "u", "resourceVersion": "1"}, "data": {"theirs": "1"}}
    script.cluster.others[f"{MAPS}/{name}"] = body
    return body


def requests(script: Script) -> list[str]:
    """All requests for ConfigMaps so far."""
    return [line for line in script.world.history if "/configmaps" in line]


def of_map(method: str) -> Any:
    return lambda call: call.name == method and "/configmaps" in str(call.what.get("path"))


def of_status(call: Call) -> bool:
    return call.name == "PATCH" and str(call.what.get("path")).endswith("/status")


def test_the_config_map_has_the_values_of_the_status(script: Script) -> None:
    script.apply(**OUTPUTS)
    script.begin()
    found = config_map(script)
    assert found is not None
    assert found["data"] == expected(script)
    meta, uid = found["metadata"], script.cluster.mappings[ONE]["metadata"]["uid"]
    assert meta["labels"][OUTPUTS_OF] == uid
    assert [(one["uid"], one["name"], one["controller"]) for one in meta["ownerReferences"]] == [(uid, "one", True)]
    assert script.status()["outputs"] == {"configMapName": "out"}
    assert script.reason() == "Enabled"


def test_without_outputs_there_is_no_request(script: Script) -> None:
    script.apply(**SQS)
    script.begin()
    script.calmly(2 * AUDIT)
    assert requests(script) == []


def test_in_steady_state_and_after_a_restart_nothing_is_written(script: Script) -> None:
    script.apply(**OUTPUTS)
    script.begin()
    before, asked = (config_map(script), script.cluster.mappings[ONE]), len(requests(script))
    script.world.crash()
    script.world.start()
    script.calmly(2 * AUDIT)
    assert (config_map(script), script.cluster.mappings[ONE]) == before
    assert not [one for one in requests(script)[asked:] if " GET " not in one]


def test_values_follow_the_mapping(script: Script) -> None:
    script.apply(**OUTPUTS)
    script.begin()
    script.edit(enabled=False)
    script.calmly(SWEEP_INTERVAL)
    assert data(script)["state"] == "Disabled"
    first = data(script)["uuid"]
    script.aws.standing.clear()
    script.calmly(2 * SWEEP_INTERVAL)
    assert data(script)["uuid"] != first
    assert data(script) == expected(script)


@pytest.mark.parametrize("fate", ["carried out", "dropped"])
@pytest.mark.parametrize("edit", [{}, {"outputs": None}, {"outputs": {"configMapName": "other"}}])
@pytest.mark.parametrize("at", ["GET", "POST", "status"])
def test_a_kill_leaves_the_right_config_maps(script: Script, at: str, edit: dict[str, Any], fate: str) -> None:
    script.apply(**OUTPUTS)
    script.world.start()
    script.until(of_map("GET"))
    call = script.until(of_status if at == "status" else of_map(at))
    if fate == "carried out":
        script.world.decide(call, fate)
    script.world.crash()
    if edit:
        script.edit(**edit)
    script.begin()
    script.calmly(2 * AUDIT)
    wanted = (OUTPUTS | edit)["outputs"]
    names = [wanted["configMapName"]] if wanted else []
    assert [path.rpartition("/")[2] for path in script.cluster.others if path.startswith(MAPS)] == names
    for name in names:
        assert data(script, name) == expected(script)
    script.converge()


def test_another_name_moves_the_config_map(script: Script) -> None:
    script.apply(**OUTPUTS)
    script.begin()
    script.edit(outputs={"configMapName": "other"})
    script.calmly(SWEEP_INTERVAL)
    assert config_map(script) is None
    assert data(script, "other") == expected(script)
    script.edit(outputs=None)
    script.calmly(SWEEP_INTERVAL)
    assert config_map(script, "other") is None
    assert "outputs" not in script.status()


def test_a_config_map_of_somebody_else_is_not_changed(script: Script) -> None:
    before = foreign(script)
    script.apply(**OUTPUTS)
    script.begin()
    assert config_map(script) == before
    assert script.reason() == "OutputsConflict"
    assert script.mapping().state == "Enabled", "the mapping is managed"
    assert "does not belong to this resource" in script.status()["outputs"]["message"]
    del script.cluster.others[f"{MAPS}/out"]
    script.calmly(HEALED)
    assert data(script) == expected(script)
    assert script.reason() == "Enabled"


def test_a_forged_name_in_the_status_is_not_requested(script: Script) -> None:
    script.apply(**SQS)
    script.begin()
    script.cluster.edit(ONE, {"status": {"outputs": {"configMapName": "../secrets/x"}}})
    script.edit(batchSize=7)
    script.calmly(60)
    assert not [line for line in script.world.history if "secrets" in line]
    assert "outputs" not in script.status()


@pytest.mark.parametrize("marks", ["label", "owner"])
def test_one_mark_of_the_resource_is_not_enough(script: Script, marks: str) -> None:
    script.apply(**OUTPUTS)
    uid = script.cluster.mappings[ONE]["metadata"]["uid"]
    body = foreign(script)
    body["metadata"] |= {"labels": {OUTPUTS_OF: uid}} if marks == "label" else {"ownerReferences": [{"uid": uid}]}
    script.begin()
    script.calmly(AUDIT)
    assert data(script) == {"theirs": "1"}
    script.edit(outputs=None)
    script.calmly(2 * AUDIT)
    assert data(script) == {"theirs": "1"}, "it is not deleted"


def test_a_config_map_that_was_replaced_by_somebody_else_is_not_changed(script: Script) -> None:
    script.apply(**OUTPUTS)
    script.begin()
    before = foreign(script)
    script.edit(enabled=False)
    script.calmly(SWEEP_INTERVAL)
    assert config_map(script) == before
    assert script.reason() == "OutputsConflict"
    script.edit(outputs=None)
    script.calmly(SWEEP_INTERVAL)
    assert config_map(script) == before, "it is not deleted"


def test_the_first_of_two_resources_has_the_config_map(script: Script) -> None:
    script.apply(**OUTPUTS)
    script.begin()
    script.apply(TWO, **{**OUTPUTS, "functionName": "returns"})
    script.calmly(SWEEP_INTERVAL)
    assert data(script) == expected(script)
    assert script.reason(TWO) == "OutputsConflict"
    assert "but to EventSourceMapping one" in script.status(TWO)["outputs"]["message"]
    script.edit(outputs=None)
    script.calmly(HEALED)
    assert data(script) == expected(script, TWO)
    assert script.reason(TWO) == "Enabled"


@pytest.mark.parametrize("change", [{"data": {"uuid": "forged", "more": "1"}}, None])
def test_a_changed_or_deleted_config_map_is_corrected(script: Script, change: dict[str, Any] | None) -> None:
    script.apply(**OUTPUTS)
    script.begin()
    found = config_map(script)
    assert found is not None
    if change is None:
        del script.cluster.others[f"{MAPS}/out"]
    else:
        script.cluster.others[f"{MAPS}/out"] = found | change
    before = script.cluster.mappings[ONE]
    script.calmly(2 * AUDIT)
    assert data(script) == expected(script)
    assert script.cluster.mappings[ONE] == before, "the status is not written"


def test_a_missing_right_is_reported_and_heals(script: Script) -> None:
    script.cluster.forbidden = "configmaps"
    script.apply(**OUTPUTS)
    script.begin()
    assert script.reason() == "OutputsForbidden"
    assert "outputs.enabled" in script.status()["outputs"]["message"]
    assert script.mapping().state == "Enabled"
    script.cluster.forbidden = ""
    script.calmly(HEALED)
    assert data(script) == expected(script)
    assert script.reason() == "Enabled"


@pytest.mark.parametrize("fate", ["taken", "failed"])
@pytest.mark.parametrize(
    "refers",
    [
        pytest.param({"functionRef": FUNCTION_REF, "eventSourceARN": QUEUE}, id="function"),
        pytest.param(
            {"functionName": "orders", "eventSourceRef": SOURCE_REF, "startingPosition": "LATEST"}, id="source"
        ),
    ],
)
def test_a_config_map_that_is_not_written_leaves_the_mapping_of_references(
    script: Script, refers: dict[str, Any], fate: str
) -> None:
    """The status with the name of the ConfigMap is written before. The answer has the spec without the values."""
    script.set_names()
    script.set_source(STREAM)
    script.apply(**refers, replacePolicy="Recreate", batchSize=7)
    script.begin()
    before = script.mapping().answer()
    script.edit(outputs={"configMapName": "out"})
    post = script.until(of_map("POST"))
    if fate == "taken":
        theirs = foreign(script)
        script.world.decide(post, "well")
        script.calmly(60)
        assert config_map(script) == theirs
        assert script.reason() == "OutputsConflict"
        assert script.mapping().answer() == before, "nothing changes in AWS"
        del script.cluster.others[f"{MAPS}/out"]
    else:
        script.world.decide(post, "failed")
    script.calmly(HEALED)
    assert script.mapping().answer() == before, "nothing changes in AWS"
    assert script.reason() == "Enabled"
    script.converge()


def test_a_deleted_resource_writes_no_config_map(script: Script) -> None:
    """Kubernetes deletes the ConfigMap because of the owner reference."""
    script.apply(**OUTPUTS)
    script.begin()
    del script.cluster.others[f"{MAPS}/out"]
    script.delete()
    script.calmly(2 * AUDIT)
    assert script.gone()
    assert config_map(script) is None
