"""Events report the start and the end of actions: once, counted when they recur, and without a storm."""

import time
from typing import Any

from tests.bed import Bed
from tests.controlplane.client import path
from tests.e2e.manifests import provider_config, queue, stream
from tests.waiting import eventually

#: Events a second over all resources; a burst for one resource; seconds until one more (docs/how-to/console.md).
RATE, BURST, REFILL = 20.0, 20, 60.0


def events(bed: Bed, reason: str = "", name: str = "") -> list[dict[str, Any]]:
    """The Events of the scenario's namespace, oldest first."""
    return [
        one
        for one in sorted(bed.list_events(), key=lambda one: one["metadata"]["creationTimestamp"])
        if reason in ("", one["reason"]) and name in ("", one["involvedObject"]["name"])
    ]


def counted(bed: Bed, reason: str, name: str = "orders") -> int:
    """The count of an Event; there is only one object."""
    found = events(bed, reason, name)
    assert len(found) <= 1, found
    return found[0]["count"] if found else 0


def test_what_recurs_is_counted_in_the_existing_event(bed: Bed) -> None:
    bed.operator("--sweep-interval=1")
    bed.apply(stream(batchSize=10))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    for times in (1, 2, 3):
        bed.control.edit_mapping(uuid, LastProcessingResult="PROBLEM: Function call failed")
        eventually(
            lambda times=times: counted(bed, "ProcessingProblem") == times, what=f"the Event counts {times} times"
        )
        bed.control.edit_mapping(uuid, LastProcessingResult="OK")
        eventually(lambda times=times: counted(bed, "ProcessingRecovered") == times, what=f"and its end {times} times")
    (told,) = events(bed, "ProcessingProblem")
    assert told["firstTimestamp"] <= told["lastTimestamp"]
    assert told["type"] == "Warning"
    assert "(x3 over" in bed.kubectl("describe", "esm", "orders")


def test_a_deleted_event_is_posted_again_with_its_count(bed: Bed) -> None:
    """The API server forgets Events after an hour."""
    bed.operator("--sweep-interval=1")
    bed.apply(stream())
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    bed.control.edit_mapping(uuid, LastProcessingResult="PROBLEM: Function call failed")
    eventually(lambda: counted(bed, "ProcessingProblem") == 1)
    bed.control.edit_mapping(uuid, LastProcessingResult="OK")
    eventually(lambda: counted(bed, "ProcessingRecovered") == 1)
    bed.client.delete(path("Event", namespace=bed.namespace))
    bed.control.edit_mapping(uuid, LastProcessingResult="PROBLEM: Function call failed")
    eventually(lambda: counted(bed, "ProcessingProblem") == 2)


def test_an_unchanged_state_is_not_reported_again_by_sweeps_nor_after_a_restart(bed: Bed) -> None:
    operator = bed.operator("--sweep-interval=1")
    bed.apply(stream("watched", batchSize=10))
    uuid = bed.wait_ready("watched")["status"]["uuid"]
    bed.patch("watched", {"managementPolicy": "Observe"})
    bed.wait_condition("watched", "Ready", "True", "Observed")
    bed.control.edit_mapping(uuid, BatchSize=20)
    bed.wait_condition("watched", "Synced", "False", "Observed")
    bed.apply(provider_config("shop"), queue("held", providerConfigRef={"name": "shop"}))
    bed.wait_ready("held")
    bed.delete_config("shop")
    bed.apply(queue("lost", providerConfigRef={"name": "missing"}))
    bed.wait_condition("lost", "Reconciling", "True", "ProviderConfigNotFound")
    for reason in ("DriftObserved", "ProviderConfigNotFound"):
        eventually(lambda reason=reason: events(bed, reason), what=reason)
    eventually(lambda: config_events(bed), what="an Event of the ProviderConfig")

    before = {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in events(bed)}
    of_config = config_events(bed)
    bed.wait_swept(3)
    operator.stop()
    operator.start()
    bed.wait_swept(3)
    assert {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in events(bed)} == before
    assert config_events(bed) == of_config


def config_events(bed: Bed) -> list[str]:
    """The Events of this scenario's ProviderConfig, with their versions."""
    uid = (bed.config("shop") or {})["metadata"]["uid"]
    found = bed.client.items(f"{path('Event', namespace='default')}?fieldSelector=involvedObject.uid={uid}")
    return [f"{one['metadata']['name']} {one['metadata']['resourceVersion']}" for one in found]


def test_many_concurrent_failures_are_no_storm_of_events(bed: Bed) -> None:
    names = [f"orders-{number}" for number in range(200)]
    bed.apply(*(queue(name, providerConfigRef={"name": "missing"}) for name in names))
    began = time.monotonic()
    bed.operator()
    eventually(lambda: all(bed.status(name).get("conditions") for name in (names[0], names[-1])))

    def all_are_told() -> bool:
        told = len(events(bed, "ProviderConfigNotFound"))
        passed = time.monotonic() - began
        assert told <= RATE * passed + 5, f"{told} Events within {passed:.1f} s"
        return told == len(names)

    eventually(all_are_told)
    assert {one["involvedObject"]["name"] for one in events(bed, "ProviderConfigNotFound")} == set(names)


def test_one_resource_has_no_more_than_its_share(bed: Bed) -> None:
    """Edits without end are reported as long as they are few; the rest is a line in the log."""
    began = time.monotonic()
    operator = bed.operator("--requests-per-second=1000", "--sweep-interval=1")
    bed.control.set(pace=0.01)
    bed.apply(stream(batchSize=1))
    bed.wait_ready("orders")
    for size in range(2, BURST + 10):
        bed.patch("orders", {"batchSize": size})
        eventually(lambda size=size: bed.mapping("orders")["BatchSize"] == size)
    eventually(lambda: "The operator left out" in operator.log.read_text(), what="a line of the log reports it")
    eventually(lambda: len(events(bed, name="orders")) >= BURST)
    assert len(events(bed, name="orders")) <= BURST + 1 + (time.monotonic() - began) / REFILL
