"""Scripted scenarios in which a user writes the UUID of another owner's mapping to a status, with own owner tags."""

from collections.abc import Mapping
from typing import Any

import pytest

from esm_operator.api.annotations import PAUSED
from esm_operator.api.resource import FINALIZER, Key
from esm_operator.clock import replaced
from esm_operator.planning.ownership import Owner
from tests.model.aws import QUEUE, Standing
from tests.model.script import KINESIS, SQS, Script, answers, forge
from tests.model.world import CLUSTER_NAME, SWEEP_INTERVAL

#: The resource with the forged status.
SPY = Key("b", "spy")
HOUR = 3600.0


def victim_in(script: Script, cluster: str) -> Standing:
    """The mapping of a resource of this cluster or of another one."""
    if cluster == CLUSTER_NAME:
        script.apply(functionName="payments", eventSourceARN=QUEUE)
    else:
        with replaced(script.world.clock):
            script.aws.make("payments", QUEUE, Owner(cluster, "green", "green", "green").tags())
    script.begin()
    script.world.crash()
    script.begin()
    return script.mapping()


def record_statuses(script: Script) -> list[Mapping[str, Any]]:
    """The statuses that the operator writes to the resource from now on."""
    written: list[Mapping[str, Any]] = []
    really = script.cluster.request

    def request(method: str, path: str, body: Any) -> Any:
        answer = really(method, path, body)
        if method == "PATCH" and path.endswith(f"/{SPY.name}/status"):
            written.append(script.status(SPY))
        return answer

    script.cluster.request = request
    return written


@pytest.mark.parametrize("paused", [True, False])
@pytest.mark.parametrize("source", [QUEUE, f"{QUEUE}-mine"])
@pytest.mark.parametrize("cluster", [CLUSTER_NAME, "green"])
def test_a_forged_status_shows_nothing_of_a_mapping_of_another_owner(
    script: Script, cluster: str, source: str, *, paused: bool
) -> None:
    victim = victim_in(script, cluster)
    script.apply(SPY, functionName="payments", eventSourceARN=source)
    annotations = {PAUSED: "true"} if paused else {}
    script.cluster.edit(SPY, {"metadata": {"finalizers": [FINALIZER], "annotations": annotations}})
    forge(script, SPY, victim.uuid)
    written = record_statuses(script)
    script.calmly(2 * SWEEP_INTERVAL)
    assert written, "the operator has written the status"
    for status in written:
        if status.get("uuid") == victim.uuid:
            assert not status.keys() & {"state", "arn", "functionARN", "lastModified", "stateTransitionReason"}
        assert victim.source not in str(status.get("conditions")) or victim.source == source
    assert script.reason(SPY) in {QUEUE: ["Conflict"]}.get(source, ["Enabled", "Paused"])
    assert victim.state == "Enabled"


def count_list_tags(script: Script) -> list[str]:
    """The mappings whose tags the operator reads with ListTags from now on."""
    reads: list[str] = []
    answers(script, "list_tags", lambda really, asked: reads.append(asked["Resource"]) or really(**asked))
    return reads


def patches(script: Script) -> int:
    return len([line for line in script.world.history if " PATCH " in line and "/leases/" not in line])


def test_a_restart_without_changes_costs_no_call_for_a_mapping_and_no_write(script: Script) -> None:
    script.apply(**SQS)
    script.begin()
    script.world.crash()
    reads, before = count_list_tags(script), patches(script)
    script.begin()
    script.calmly(HOUR)
    assert (reads, patches(script)) == ([], before)


def test_a_change_after_a_restart_costs_no_call_if_the_tagging_api_has_confirmed_the_owner(script: Script) -> None:
    script.apply(**KINESIS)
    script.begin()
    script.world.crash()
    reads = count_list_tags(script)
    script.begin()
    script.mapping().result = "PROBLEM: Function call failed"
    script.calmly(2 * SWEEP_INTERVAL)
    assert "Function call failed" in str(script.status())
    assert reads == []


def test_a_change_during_a_restart_is_shown_after_one_call(script: Script) -> None:
    script.apply(**KINESIS)
    script.begin()
    script.world.crash()
    script.mapping().result = "PROBLEM: Function call failed"
    reads = count_list_tags(script)
    script.begin()
    script.calmly(HOUR)
    assert "Function call failed" in str(script.status())
    assert len(reads) == 1
