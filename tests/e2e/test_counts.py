"""The number of calls to AWS for a creation, a restart, a sweep, an edit, a failure and a new list of the watch."""

import time

import pytest

from tests.aws import FaultKind
from tests.bed import SWEEPS, WRITES, Bed
from tests.e2e.manifests import provider_config, queue
from tests.waiting import eventually

LIST, TAGS = "ListEventSourceMappings", "GetResources"
#: More than one page of a list, which has 100 items.
MANY = 150
#: The share of the rate that retries may use.
SHARE = 0.2


def many() -> list[str]:
    return [f"orders-{number}" for number in range(MANY)]


def wait_many(bed: Bed) -> None:
    eventually(lambda: sum(ready(one) for one in bed.all()) == MANY, "all are ready")


def ready(resource: dict[str, object]) -> bool:
    status = resource.get("status")
    conditions = status.get("conditions") or [] if isinstance(status, dict) else []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


@pytest.mark.long
def test_a_creation_costs_one_call_and_a_restart_only_lists(bed: Bed) -> None:
    bed.apply(*(queue(name) for name in many()))
    operator = bed.operator("--requests-per-second=20")
    began = time.monotonic()
    wait_many(bed)
    seconds = time.monotonic() - began
    calls = bed.calls()
    assert calls["CreateEventSourceMapping"] == MANY
    assert {one for one in WRITES if one in calls} == {"CreateEventSourceMapping"}
    assert "ListTags" not in calls
    looks = calls.get("GetEventSourceMapping", 0) + calls[LIST]
    # While many changes wait, pages and reads of single mappings take 3 % of the rate each.
    assert looks <= max(0.2 * MANY, 0.06 * 20 * seconds), f"{looks} reads in {seconds:.0f} s: they must be rare"

    before = bed.versions()
    operator.stop()
    bed.control.reset_counts()
    operator.start()
    eventually(lambda: bed.calls().get(TAGS, 0) >= 2, what="the sweep and the tag sweep")
    assert bed.calls() == {"GetCallerIdentity": 1, LIST: 2, TAGS: 2}
    assert bed.versions() == before


def test_a_sweep_is_a_call_for_each_hundred(bed: Bed) -> None:
    bed.control.make_mappings(250, region="eu-west-1", FunctionName="other-{n}", EventSourceArn=f"{ARN}-{{n}}")
    bed.operator("--sweep-interval=3")
    bed.wait_swept(3)
    bed.control.reset_counts()
    began = time.monotonic()
    bed.wait_swept(6)
    sweeps = (time.monotonic() - began) / 3
    calls = bed.calls()
    assert calls.keys() <= SWEEPS
    assert calls[LIST] <= 3 * (sweeps + 1)


def test_two_roles_in_one_account_share_its_sweeps(bed: Bed) -> None:
    bed.operator("--sweep-interval=3")
    names = ("shop", "bills")
    for name in names:
        bed.apply(provider_config(name, roleARN=f"arn:aws:iam::222222222222:role/{name}"))
        arn = f"arn:aws:sqs:eu-west-1:222222222222:{name}"
        bed.apply(queue(name, batchSize=5, eventSourceARN=arn, providerConfigRef={"name": name}))
    for name in names:
        bed.wait_ready(name)
    assert {one["account"] for one in bed.mappings()} == {"222222222222"}
    bed.control.reset_counts()
    began = time.monotonic()
    bed.wait_swept(8)
    passed = time.monotonic() - began
    assert bed.calls()[LIST] <= 2 * (passed / 3 + 1) + 1, "one for each account, that of the operator and the other"

    # One role loses its permission, and the other role still reads the account.
    denied = bed.control.fault(FaultKind.ACCESS_DENIED, LIST, times=1)
    bed.wait_swept(4)
    bed.control.remove_fault(denied)
    for name in names:
        uuid = bed.status(name)["uuid"]
        bed.control.edit_mapping(uuid, BatchSize=7)
        eventually(lambda uuid=uuid: {one["UUID"]: one for one in bed.mappings()}[uuid]["BatchSize"] == 5)


def test_an_edit_is_one_update(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue(batchSize=1))
    bed.wait_ready("orders")
    bed.control.reset_counts()
    bed.patch("orders", {"batchSize": 2})
    eventually(lambda: bed.mapping("orders")["BatchSize"] == 2)
    bed.wait_ready("orders")
    calls = bed.calls()
    assert calls["UpdateEventSourceMapping"] == 1
    assert calls.keys() <= SWEEPS | {"UpdateEventSourceMapping", "GetEventSourceMapping"}
    assert calls.get("GetEventSourceMapping", 0) <= 3


def test_a_deletion_is_one_delete(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue())
    bed.wait_ready("orders")
    bed.control.reset_counts()
    bed.delete("orders")
    bed.wait_gone("orders")
    calls = bed.calls()
    assert calls["DeleteEventSourceMapping"] == 1
    assert calls.get("ListTags", 0) <= 1, "its owner, because the mapping might have another owner by now"
    assert calls.keys() <= SWEEPS | {"DeleteEventSourceMapping", "ListTags", "GetEventSourceMapping"}


@pytest.mark.long
def test_a_failing_resource_costs_a_call_each_time_and_after_a_restart_as_well(bed: Bed) -> None:
    """A resource that failed before the restart waits with the failing ones, and its status is not written again."""
    count, rate, watched = 60, 10.0, 10.0
    bed.control.fault(
        FaultKind.ERROR, "CreateEventSourceMapping", code="InvalidParameterValueException", message="It can't be."
    )
    operator = bed.operator(f"--requests-per-second={rate:.0f}")
    names = [f"orders-{number}" for number in range(count)]
    bed.apply(*(queue(name) for name in names))
    for name in names:
        bed.wait_condition(name, "Stalled", "True", "RefusedByAWS")
    calls = bed.calls()
    assert calls["CreateEventSourceMapping"] == count
    assert calls.keys() <= SWEEPS | {"CreateEventSourceMapping"}

    before = bed.versions()
    operator.stop()
    bed.control.reset_counts()
    operator.start()
    began = time.monotonic()
    eventually(lambda: time.monotonic() >= began + watched and "CreateEventSourceMapping" in bed.calls())
    tried, share = bed.calls()["CreateEventSourceMapping"], SHARE * rate * (time.monotonic() - began)
    assert 1 <= tried <= share * 1.25 + 3, f"{tried} attempts, and a fifth of the rate is {share:.0f}"
    assert bed.versions() == before


def test_a_new_list_of_the_watch_costs_no_call(bed: Bed) -> None:
    bed.operator("--sweep-interval=600")
    names = [f"orders-{number}" for number in range(20)]
    bed.apply(*(queue(name) for name in names))
    for name in names:
        bed.wait_ready(name)
    before = bed.versions()
    bed.control.reset_counts()
    bed.plane.stop_apiserver()
    bed.plane.compact_etcd()
    bed.plane.start_apiserver()
    bed.apply(queue("after"))
    bed.wait_ready("after")
    assert bed.calls()["CreateEventSourceMapping"] == 1
    assert bed.calls().keys() <= SWEEPS | {"CreateEventSourceMapping", "GetEventSourceMapping"}
    after = bed.versions()
    assert {name: after[name] for name in names} == before


ARN = "arn:aws:sqs:eu-west-1:123456789012:other"
