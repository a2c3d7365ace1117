"""The API server fails, forgets or is meddled with: no mapping is lost, doubled or deleted that should stay."""

import re
import threading
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.aws import FaultKind
from tests.bed import FINALIZER, Bed
from tests.controlplane.client import path
from tests.e2e.manifests import queue
from tests.e2e.proxy import Proxy, kubeconfig_through
from tests.e2e.scraped import reader
from tests.operator_process import OperatorProcess
from tests.waiting import eventually

#: Seconds for which the API server is down. The lease ends meanwhile.
AWAY = 30.0


@pytest.fixture(autouse=True)
def tags_are_late(bed: Bed) -> None:
    """In addition to each fault, the tags of a Create become visible seconds after the mapping."""
    bed.control.set(tag_delay=3.0)


@pytest.mark.long
def test_all_changes_are_made_after_the_api_server_was_down_for_half_a_minute(bed: Bed) -> None:
    """An edit, a creation and a deletion are in progress, and mappings change in AWS meanwhile."""
    bed.operator("--sweep-interval=2")
    bed.apply(*(queue(name, batchSize=5) for name in ("edited", "drifts", "deleted", "edited-after")))
    uuids = {name: bed.wait_ready(name)["status"]["uuid"] for name in ("edited", "drifts", "deleted", "edited-after")}
    for operation in ("UpdateEventSourceMapping", "CreateEventSourceMapping", "DeleteEventSourceMapping"):
        bed.control.fault(FaultKind.DELAY_ANSWER, operation, times=1, seconds=AWAY / 2)
    bed.patch("edited", {"batchSize": 6})
    bed.apply(queue("made"))
    bed.delete("deleted")
    eventually(lambda: {"UpdateEventSourceMapping", "DeleteEventSourceMapping"} <= bed.calls().keys())
    eventually(lambda: bed.calls()["CreateEventSourceMapping"] == 5)
    bed.plane.stop_apiserver()
    try:
        bed.control.edit_mapping(uuids["drifts"], BatchSize=1)
        time.sleep(AWAY)
    finally:
        bed.plane.start_apiserver()
    bed.patch("edited-after", {"batchSize": 7})
    bed.apply(queue("made-after"))

    bed.wait_gone("deleted")
    for name in ("edited", "drifts", "edited-after", "made", "made-after"):
        bed.wait_ready(name)
    eventually(lambda: bed.mapping("drifts")["BatchSize"] == 5, "the drift is corrected")
    assert [bed.mapping(name)["BatchSize"] for name in ("edited", "edited-after")] == [6, 7]
    assert {name: bed.status(name)["uuid"] for name in ("edited", "drifts", "edited-after")}.items() <= uuids.items()
    assert bed.functions() == Counter(["edited", "drifts", "edited-after", "made", "made-after"])
    assert bed.calls()["CreateEventSourceMapping"] == 6
    assert all("CreatedAgain" not in bed.events(name) for name in ("edited", "made", "made-after"))


def test_deletions_are_noticed_after_the_history_was_compacted(
    bed: Bed, operator_kubeconfig: Path, tmp_path: Path
) -> None:
    """The watch cannot continue (410 Gone), and resources were deleted meanwhile without a watch event."""
    with Proxy(*bed.plane.address) as proxy:
        operator_through(bed, proxy, operator_kubeconfig, tmp_path)
        names = ("forced", "forced-and-made-anew", "deleted", "edited")
        bed.apply(*(queue(name, batchSize=5) for name in names))
        uuids = {name: bed.wait_ready(name)["status"]["uuid"] for name in names}
        proxy.refuse()
        for name in ("forced", "forced-and-made-anew"):
            bed.remove_finalizers(name)
            bed.delete(name)
            bed.wait_gone(name)
        bed.apply(queue("forced-and-made-anew", batchSize=6), queue("made"))
        bed.patch("edited", {"batchSize": 7})
        bed.delete("deleted")
        bed.plane.stop_apiserver()
        bed.plane.compact_etcd()
        bed.plane.start_apiserver()
        proxy.restore()

        bed.wait_gone("deleted")
        for name in ("forced-and-made-anew", "made", "edited"):
            bed.wait_ready(name)
        assert bed.status("forced-and-made-anew")["uuid"] == uuids["forced-and-made-anew"]
        assert [bed.mapping(name)["BatchSize"] for name in ("forced-and-made-anew", "edited")] == [6, 7]
        assert bed.functions() == Counter(["forced", "forced-and-made-anew", "made", "edited"])
        assert bed.requests("DeleteEventSourceMapping") == [{"UUID": uuids["deleted"]}]

        bed.apply(queue("forced"))
        assert bed.wait_ready("forced")["status"]["uuid"] == uuids["forced"]
        assert bed.calls()["CreateEventSourceMapping"] == 5


def test_all_changes_are_made_while_the_watch_is_cut_repeatedly(
    bed: Bed, operator_kubeconfig: Path, tmp_path: Path
) -> None:
    with Proxy(*bed.plane.address) as proxy:
        operator_through(bed, proxy, operator_kubeconfig, tmp_path)
        bed.apply(queue("edited"), queue("returns"))
        uuid = bed.wait_ready("edited")["status"]["uuid"]
        for batch_size in (2, 3, 4, 5, 6):
            proxy.cut()
            bed.patch("edited", {"batchSize": batch_size})
            proxy.cut()
            bed.apply(queue(f"made-{batch_size}"))
        proxy.cut()
        bed.delete("returns")
        proxy.cut()
        bed.wait_gone("returns")
        bed.apply(queue("returns"))
        names = ["edited", "returns", *(f"made-{number}" for number in (2, 3, 4, 5, 6))]
        for name in names:
            bed.wait_ready(name)
        assert bed.mapping("edited")["BatchSize"] == 6
        assert bed.status("edited")["uuid"] == uuid
        assert bed.functions() == Counter(names)
        assert bed.calls()["CreateEventSourceMapping"] == 8


def test_failures_are_counted_with_their_request_and_their_end_is_logged(
    bed: Bed, operator_kubeconfig: Path, tmp_path: Path
) -> None:
    """The operator corrects drift in AWS, and cannot write the statuses."""
    with Proxy(*bed.plane.address) as proxy:
        kubeconfig = kubeconfig_through(operator_kubeconfig, proxy, tmp_path / "kubeconfig")
        operator = bed.operator("--sweep-interval=1", "--lease-duration=600", kubeconfig=kubeconfig)
        names = [f"orders-{number}" for number in range(8)]
        bed.apply(*(queue(name, batchSize=5) for name in names))
        uuids = {name: bed.wait_ready(name)["status"]["uuid"] for name in names}
        proxy.refuse()
        for name in names:
            bed.control.edit_mapping(uuids[name], LastProcessingResult="PROBLEM: Function call failed")
        read = reader(operator)
        failures = partial(read, "reconciles_total", result="kubernetes_error")
        eventually(lambda: failures() >= 30, "the API server has failed 30 times")
        proxy.restore()
        again = "The API server answers the requests for all resources again, after"
        eventually(lambda: again in operator.log.read_text(), "the end is logged")
        for name in names:
            bed.wait_condition(name, "Processing", "False", "ProcessingProblem")
    lines = [line for line in operator.log.read_text().splitlines() if "The operator retries" in line]
    assert 1 <= len(lines) <= 10, "one line a minute for each cause"
    for line in lines:
        assert re.search(
            r"(PATCH|GET) \S+/orders-\d\S* got no answer \(.+\)\. The operator retries \S+/orders-\d in", line
        )


def test_all_changes_are_made_while_another_client_writes_constantly(bed: Bed) -> None:
    """Some writes of the operator are refused (409), and sent again for the current version."""
    bed.operator()
    names = [f"orders-{number}" for number in range(4)]
    with meddling(bed, names) as writes:
        bed.apply(*(queue(name, batchSize=5) for name in names))
        for name in names:
            eventually(lambda name=name: bed.status(name).get("uuid"), what=f"{name} is made")
            bed.patch(name, {"batchSize": 6})
        for name in names:
            eventually(lambda name=name: bed.mapping(name)["BatchSize"] == 6, what=f"{name} is changed")
        bed.delete("orders-0")
        bed.wait_gone("orders-0")
        eventually(lambda: writes[0] > 50)
    for name in names[1:]:
        bed.wait_ready(name)
    assert bed.functions() == Counter(names[1:])
    assert bed.calls()["CreateEventSourceMapping"] == 4


def test_a_resource_recreated_during_the_deletion_of_its_mapping_gets_a_new_mapping(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue(batchSize=5))
    old = bed.wait_ready("orders")["status"]["uuid"]
    bed.control.set(hold=True)
    bed.delete("orders")
    eventually(lambda: [one["State"] for one in bed.mappings()] == ["Deleting"])
    bed.remove_finalizers("orders")
    bed.wait_gone("orders")
    bed.apply(queue(batchSize=6))
    told = bed.wait_condition("orders", "Ready", "False", "PredecessorDeleting")
    assert old in told["message"]
    assert "AWS accepts no new mapping until it is deleted" in told["message"]
    bed.control.set(hold=False)
    ready = bed.wait_ready("orders")
    assert [one["UUID"] for one in bed.mappings()] == [ready["status"]["uuid"]]
    assert ready["status"]["uuid"] != old
    assert bed.mapping("orders")["BatchSize"] == 6
    assert bed.events("orders").keys() & {"CreatedAgain", "DriftCorrected"} == set()


def test_a_removed_finalizer_is_added_again(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue())
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    bed.remove_finalizers("orders")
    eventually(lambda: FINALIZER in finalizers(bed, "orders"), what="the finalizer is back")
    bed.wait_ready("orders")
    assert bed.status("orders")["uuid"] == uuid
    bed.delete("orders")
    bed.wait_gone("orders")
    assert bed.mappings() == []


@pytest.mark.parametrize("edit", [False, True], ids=["as it is", "and the spec is edited at once"])
def test_a_removed_status_is_written_again(bed: Bed, edit: bool) -> None:
    bed.operator()
    bed.apply(queue(batchSize=5, tags={"team": "shop"}))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    before = bed.status("orders")
    bed.write_status("orders", None)
    if edit:
        bed.patch("orders", {"batchSize": None, "tags": None, "functionName": "returns"})
    eventually(lambda: bed.status("orders").get("uuid") == uuid, what="the mapping is found again")
    bed.wait_ready("orders")
    assert bed.functions() == Counter(["returns" if edit else "orders"])
    assert bed.mapping("orders")["BatchSize"] == (10 if edit else 5)
    assert bed.mapping("orders")["Tags"].get("team") == (None if edit else "shop")
    assert bed.calls()["CreateEventSourceMapping"] == 1
    assert bed.events("orders").keys() & {"CreatedAgain", "Adopted", "DriftCorrected"} == set()
    if not edit:
        assert bed.status("orders")["applied"] == before["applied"]


def operator_through(bed: Bed, proxy: Proxy, kubeconfig: Path, folder: Path) -> OperatorProcess:
    """An operator that connects to the API server through a proxy."""
    through = kubeconfig_through(kubeconfig, proxy, folder / "kubeconfig")
    return bed.operator(environment={"KUBECONFIG": str(through)})


def finalizers(bed: Bed, name: str) -> list[str]:
    return ((bed.get(name) or {}).get("metadata") or {}).get("finalizers") or []


@contextmanager
def meddling(bed: Bed, names: list[str]) -> Generator[list[int]]:
    """Another client writes an annotation and the status of each resource, about 20 times a second each.

    Yields:
        the number of writes so far, in a list of one.
    """
    writes, stop = [0], threading.Event()

    def meddle() -> None:
        while not stop.wait(0.05):
            for name in names:
                text, where = str(writes[0]), path("EventSourceMapping", name, bed.namespace)
                bed.client.merge(where, {"metadata": {"annotations": {"meddler": text}}})
                bed.client.merge(f"{where}/status", {"status": {"stateTransitionReason": text}})
                writes[0] += 1

    thread = threading.Thread(target=meddle, name="meddler", daemon=True)
    thread.start()
    try:
        yield writes
    finally:
        stop.set()
        thread.join()
