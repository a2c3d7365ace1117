"""The inventory: the last known state of mappings, and when absence means that a mapping was deleted."""

import json
import time
import tracemalloc
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from esm_operator.api.identity import ConsumerGroup, Identity
from esm_operator.aws.answer_limits import MEMORY_OF_MAPPING
from esm_operator.aws.errors import RepeatedIdentityError, TooLongListError
from esm_operator.aws.inventory import MOST_OF_IDENTITY, TAGS_VISIBLE, Inventory
from esm_operator.clock import monotonic
from esm_operator.planning.ownership import Owner
from tests.unit.clock import ShiftedClock

HERE = "eu-west-1:123456789012"
QUEUE = f"arn:aws:sqs:{HERE}:orders"


def mapping(uuid: str = "1", state: str = "Enabled", **members: Any) -> dict[str, Any]:
    return {
        "UUID": uuid,
        "State": state,
        "FunctionArn": f"arn:aws:lambda:{HERE}:function:orders",
        "EventSourceArn": QUEUE,
        **members,
    }


def kafka(uuid: str, *servers: str) -> dict[str, Any]:
    endpoints = {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": list(servers)}}
    return mapping(uuid, EventSourceArn=None, SelfManagedEventSource=endpoints, Topics=["orders"])


def msk(uuid: str, group: str, state: str = "Deleting", cluster: str = "orders") -> dict[str, Any]:
    config = {"ConsumerGroupId": group}
    arn = f"arn:aws:kafka:{HERE}:cluster/{cluster}/1"
    return mapping(uuid, state, EventSourceArn=arn, Topics=["orders"], AmazonManagedKafkaEventSourceConfig=config)


def sweep(inventory: Inventory, mappings: list[dict[str, Any]], at: float) -> set[str]:
    """A sweep of one page."""
    return inventory.record_page(mappings, at) | inventory.record_swept(at)


def batch(inventory: Inventory, uuid: str = "1") -> Any:
    entry = inventory.get(uuid)
    return entry.raw.get("BatchSize") if entry is not None else None


def test_a_sweep_reports_changes() -> None:
    inventory = Inventory()
    assert not inventory.swept
    assert sweep(inventory, [mapping("1"), mapping("2")], 1.0) == {"1", "2"}
    assert inventory.swept
    assert sweep(inventory, [mapping("1"), mapping("2", "Disabled"), mapping("3")], 2.0) == {"2", "3"}
    assert sweep(inventory, [mapping("1"), mapping("2", "Disabled"), mapping("3")], 3.0) == set()


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["record", "create", "tags", "forget", "gone", "page", "swept", "resume", "clear"]),
            st.sampled_from(["a", "b", "c"]),
            st.text(max_size=5),
        ),
        max_size=30,
    )
)
def test_the_bytes_are_those_of_the_mappings_and_tags(steps: list[tuple[str, str, str]]) -> None:
    inventory = Inventory()
    for at, (step, uuid, text) in enumerate(steps):
        mapping = {"UUID": uuid, "State": "Enabled", "FunctionArn": text}
        match step:
            case "record":
                inventory.record(mapping, at)
            case "create":
                inventory.record(mapping, at, {"key": text})
            case "tags":
                inventory.record_tags(uuid, {"key": text})
            case "forget":
                inventory.forget_tags(uuid)
                inventory.forget_tags_before(uuid)
            case "gone":
                inventory.record_gone(uuid)
            case "page":
                inventory.record_page([mapping], at)
            case "swept":
                inventory.record_swept(at - 2)
            case "resume":
                inventory.resume()
            case _:
                inventory.clear()
        entries = [inventory.get(one) for one in inventory.uuids()]
        size = sum(entry.size for entry in entries if entry is not None)
        if step in ("swept", "clear"):
            assert inventory.bytes == size
        assert inventory.bytes >= size, "mappings from before the resume count too"
    inventory.record_swept(len(steps) + 1.0)
    assert (len(inventory), inventory.bytes) == (0, 0)


@pytest.mark.parametrize("text", ["orders", "é", "\U0001f642" * 20, "ab" * 500])
@pytest.mark.parametrize("servers", [0, 1, 50])
def test_the_size_of_a_mapping_is_not_less_than_the_memory_it_takes(text: str, servers: int) -> None:
    taken, size = min(memory_and_size(f"{text}{attempt}", servers) for attempt in range(2))
    assert taken <= size <= 4 * taken


def memory_and_size(text: str, servers: int) -> tuple[int, int]:
    """The bytes of memory that an inventory takes, and its size. Python may enlarge a table of its own meanwhile."""
    tracemalloc.start()
    inventory = Inventory()
    for item in range(300):
        one = kafka(f"{item:036}", *(f"{text}{item}.{server}" for server in range(servers)))
        one = json.loads(json.dumps(one | {"FunctionArn": f"{text}{item}", "State": f"{text}{item}"}))
        inventory.record(one, 1.0, listed=True)
        inventory.record_tags(one["UUID"], {f"{text}{item}": f"{item}{text}"})
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return taken, inventory.bytes


def test_a_mapping_for_which_there_is_no_room_is_not_recorded() -> None:
    inventory = Inventory(2)
    inventory.record(mapping("1"), 1.0)
    inventory.record(mapping("2", BatchSize=1), 1.0)
    size = inventory.bytes
    with pytest.raises(TooLongListError, match="more than 2 mappings"):
        inventory.record(mapping("3"), 2.0)
    with pytest.raises(TooLongListError):
        inventory.record(mapping("2", FilterCriteria="x" * 2 * MEMORY_OF_MAPPING), 2.0)
    with pytest.raises(TooLongListError):
        inventory.record_tags("2", {"a": "b" * 2 * MEMORY_OF_MAPPING})
    assert (len(inventory), inventory.bytes, batch(inventory, "2")) == (2, size, 1)
    inventory.record(mapping("2", BatchSize=2), 3.0)
    assert batch(inventory, "2") == 2


def test_mappings_and_the_tags_of_a_tag_sweep_share_the_memory() -> None:
    inventory = Inventory(2)
    inventory.record(mapping("1"), 1.0)
    inventory.reserve(2 * MEMORY_OF_MAPPING - inventory.bytes)
    with pytest.raises(TooLongListError):
        inventory.record(mapping("2"), 1.0)
    with pytest.raises(TooLongListError):
        inventory.reserve(2 * MEMORY_OF_MAPPING)
    inventory.reserve(0)
    inventory.record(mapping("2"), 1.0)


def test_mappings_of_one_identity_that_aws_cannot_have_are_refused() -> None:
    inventory = Inventory()
    several = [mapping(str(number)) for number in range(MOST_OF_IDENTITY)]
    sweep(inventory, several, 1.0)
    sweep(inventory, several, 2.0)
    with pytest.raises(RepeatedIdentityError, match="more than 10 mappings have the function and the source of x"):
        inventory.record_page([mapping("x")], 3.0)
    inventory.record(mapping("y", EventSourceArn=f"{QUEUE}-2"), 3.0)
    assert len(inventory.with_identity(Identity("orders", QUEUE))) == MOST_OF_IDENTITY


def test_many_clusters_can_have_topics_of_one_name() -> None:
    inventory = Inventory()
    sweep(inventory, [kafka(str(number), f"{number}:1", f"{number}:2") for number in range(100)], 1.0)
    wanted = Identity("orders", "self-managed-kafka|orders", frozenset({"7:2", "8:1"}))
    assert [one.uuid for one in inventory.with_identity(wanted)] == ["7", "8"]


def test_some_of_many_mappings_that_aws_is_deleting_are_read() -> None:
    inventory = Inventory()
    group = ConsumerGroup("shop", f"arn:aws:kafka:{HERE}:cluster/orders/1")
    for number in range(1_000):
        inventory.record(mapping(f"a{number}", "Deleting"), 1.0)
        inventory.record(msk(f"b{number}", "shop"), 1.0)
    assert len(inventory.leaving(Identity("orders", QUEUE))) == MOST_OF_IDENTITY
    assert len(inventory.leaving_group(group)) == MOST_OF_IDENTITY


def test_the_latest_deleted_mappings_are_remembered() -> None:
    """An endpoint could list other mappings in each sweep, and all of them as being deleted."""
    inventory = Inventory(100)
    for number in range(1_000):
        inventory.record_gone(str(number))
    inventory.record_gone("950")
    assert [number for number in range(1_000) if inventory.is_gone(str(number))] == list(range(900, 1_000))
    inventory.record_gone("new")
    assert inventory.is_gone("950")
    assert not inventory.is_gone("900")


def test_a_sweep_does_not_overwrite_changes_made_after_its_start() -> None:
    inventory = Inventory()
    inventory.record(mapping(BatchSize=5), 2.0)
    assert sweep(inventory, [mapping(BatchSize=1)], 1.0) == set()
    assert batch(inventory) == 5
    assert sweep(inventory, [mapping(BatchSize=7)], 3.0) == {"1"}
    assert batch(inventory) == 7


def test_a_mapping_created_after_the_start_of_a_sweep_does_not_count_as_missing() -> None:
    inventory = Inventory()
    inventory.record(mapping(), 2.0)
    assert sweep(inventory, [], 1.0) == set()
    assert inventory.get("1") is not None


def test_a_sweep_is_as_old_as_its_first_page() -> None:
    inventory = Inventory()
    inventory.record_page([mapping("1")], 5.0)
    inventory.record_page([mapping("2")], 9.0)
    inventory.record_swept(5.0)
    assert inventory.swept_from == 5.0, "its first page can't show what was created after that"


def test_absence_from_a_sweep_is_reported_and_proves_nothing() -> None:
    inventory = Inventory()
    inventory.record(mapping(), 1.0)
    assert sweep(inventory, [], 2.0) == {"1"}
    assert inventory.get("1") is None
    assert not inventory.is_gone("1")


def test_a_mapping_that_was_being_deleted_and_is_absent_counts_as_deleted() -> None:
    inventory = Inventory()
    inventory.record(mapping(state="Deleting"), 1.0)
    assert sweep(inventory, [], 2.0) == {"1"}
    assert inventory.is_gone("1")


def test_a_late_page_does_not_restore_a_deleted_mapping() -> None:
    inventory = Inventory()
    inventory.record(mapping(), 1.0)
    inventory.record_gone("1")
    assert sweep(inventory, [mapping()], 2.0) == set()
    assert inventory.is_gone("1")
    assert inventory.with_identity(Identity("orders", QUEUE)) == []


def test_a_page_does_not_overwrite_changes_made_after_its_request() -> None:
    inventory = Inventory()
    sweep(inventory, [mapping("1", BatchSize=1), mapping("2", BatchSize=1)], 1.0)
    assert inventory.record_page([mapping("1", BatchSize=2)], 10.0) == {"1"}
    inventory.record(mapping("2", BatchSize=5), 12.0)
    assert inventory.record_page([mapping("2", BatchSize=1)], 11.0) == set()
    assert batch(inventory, "2") == 5
    assert inventory.record_swept(10.0) == set()


def test_a_mapping_that_a_sweep_should_have_shown_is_overdue_and_not_deleted() -> None:
    inventory = Inventory()
    inventory.record_page([mapping("1"), mapping("2", "Deleting"), mapping("3")], 1.0)
    inventory.record_page([mapping("4")], 2.0)
    inventory.record(mapping("5"), 1.5)
    inventory.record_swept(1.0)
    inventory.record_page([mapping("3")], 5.0)
    assert inventory.drop_overdue(2.0, 10) == {"1"}
    assert inventory.get("1") is None
    assert not inventory.is_gone("1")
    assert inventory.get("2") is not None, "the end of a sweep shows that a mapping that was being deleted is gone"
    assert inventory.get("5") is not None, "nobody knows on which page it is"
    assert inventory.record_swept(5.0) == {"2", "4", "5"}
    assert inventory.is_gone("2")


def test_the_number_of_mappings_reported_as_overdue_together_is_limited() -> None:
    inventory = Inventory()
    inventory.record_page([mapping(str(number)) for number in range(9)], 1.0)
    assert len(inventory.drop_overdue(2.0, 4)) == 4
    assert len(inventory) == 5


def test_the_time_since_which_a_mapping_is_in_its_state_is_kept() -> None:
    inventory = Inventory()
    for at, state in ((1.0, "Creating"), (2.0, "Creating"), (3.0, "Enabled"), (4.0, "Enabled")):
        inventory.record(mapping(state=state, LastModified=at), at)
        entry = inventory.get("1")
        assert entry is not None
        assert entry.since == (1.0 if state == "Creating" else 3.0)
        assert entry.seen == at


def test_mappings_are_found_by_identity_except_those_being_deleted() -> None:
    inventory = Inventory()
    sweep(inventory, [mapping("1"), mapping("2", "Deleting"), mapping("3", EventSourceArn=f"{QUEUE}-2")], 1.0)
    assert [one.raw["UUID"] for one in inventory.with_identity(Identity("orders", QUEUE))] == ["1"]
    moved = mapping("1", FunctionArn=f"arn:aws:lambda:{HERE}:function:payments")
    inventory.record(moved, 2.0)
    assert inventory.with_identity(Identity("orders", QUEUE)) == []
    assert [one.raw["UUID"] for one in inventory.with_identity(Identity("payments", QUEUE))] == ["1"]


def test_self_managed_mappings_are_found_by_any_server_in_common() -> None:
    inventory = Inventory()
    sweep(inventory, [kafka("1", "a:1", "b:1"), kafka("2", "c:1")], 1.0)
    source = inventory.with_identity(Identity("orders", "self-managed-kafka|orders", frozenset({"b:1", "d:1"})))
    assert [one.raw["UUID"] for one in source] == ["1"]


def test_mappings_in_transition_are_known() -> None:
    inventory = Inventory()
    sweep(inventory, [mapping("1", "Creating"), mapping("2", "Updating"), mapping("3")], 1.0)
    assert inventory.in_transition() == {"1", "2"}
    inventory.record(mapping("1"), 2.0)
    inventory.record_gone("2")
    assert inventory.in_transition() == frozenset()


def test_tags_stay_known_through_sweeps() -> None:
    inventory = Inventory()
    inventory.record(mapping(state="Creating"), 1.0, tags={"team": "shop"})
    sweep(inventory, [mapping()], 2.0)
    entry = inventory.get("1")
    assert entry is not None
    assert entry.observed().tags == {"team": "shop"}
    inventory.record_tags("1", {"team": "else"})
    assert entry.observed().tags == {"team": "else"}


@pytest.mark.parametrize("answered", [True, False], ids=["answered again", "not answered yet"])
@pytest.mark.parametrize("read_again", [True, False])
def test_only_tags_from_before_a_resumed_term_are_forgotten(*, answered: bool, read_again: bool) -> None:
    inventory = Inventory()
    inventory.record(mapping(), monotonic())
    inventory.record_tags("1", {"team": "shop"})
    inventory.resume()
    if answered:
        inventory.record(mapping(), monotonic())
    if read_again:
        inventory.record_tags("1", {"team": "else"})
    inventory.forget_tags_before("1")
    inventory.record(mapping(), monotonic())
    known = {"team": "else"} if answered and read_again else None
    assert inventory.tags("1") == known


def test_filters_that_lists_hide_are_remembered() -> None:
    inventory = Inventory()
    shown = {"Filters": [{"Pattern": "{}"}]}
    sweep(inventory, [mapping(KMSKeyArn="key", FilterCriteria=None)], 1.0)
    entry = inventory.get("1")
    assert entry is not None
    assert entry.observed().filters_hidden
    inventory.record(mapping(KMSKeyArn="key", FilterCriteria=shown), 2.0)
    sweep(inventory, [mapping(KMSKeyArn="key", FilterCriteria=None)], 3.0)
    entry = inventory.get("1")
    assert entry is not None
    assert not entry.observed().filters_hidden
    assert entry.observed().values["filterCriteria"] == ("{}",)


OWNED = {"team": "shop", **Owner("blue", "shop", "orders", "u").tags()}


def tagged(*, written: bool = False, modified: float = 0.0) -> Inventory:
    """An inventory with one mapping.

    Args:
        written: whether the operator has just created it with tags.
        modified: seconds since it was modified.
    """
    inventory = Inventory()
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - modified))
    inventory.record(mapping(LastModified=moment), monotonic(), OWNED if written else None)
    return inventory


def may_follow(inventory: Inventory) -> bool:
    entry = inventory.get("1")
    assert entry is not None
    return entry.observed().tags_may_follow


def test_owner_tags_that_are_missing_on_a_new_mapping_may_follow_for_a_while(shifted_clock: ShiftedClock) -> None:
    inventory = tagged()
    assert not may_follow(inventory), "they have not been read"
    inventory.record_tags("1", {})
    assert may_follow(inventory)
    shifted_clock.ahead += TAGS_VISIBLE + 1
    inventory.record_tags("1", {})
    assert not may_follow(inventory)


def test_owner_tags_that_are_missing_on_an_old_mapping_are_missing() -> None:
    inventory = tagged(modified=3600)
    inventory.record_tags("1", {})
    assert not may_follow(inventory)


def test_a_mapping_that_shows_other_tags_has_no_owner_tags() -> None:
    inventory = tagged()
    inventory.record_tags("1", {"team": "shop"})
    assert not may_follow(inventory)


def test_owner_tags_that_the_operator_removed_do_not_follow() -> None:
    inventory = tagged()
    inventory.record_tags("1", {}, written=monotonic())
    assert not may_follow(inventory)


@pytest.mark.parametrize("owner", ["", "another"])
def test_tags_just_written_outlast_a_read_without_an_owner(shifted_clock: ShiftedClock, owner: str) -> None:
    inventory = tagged(written=True)
    read = Owner("green", "bank", "bills", "v").tags() if owner else {}
    inventory.record_tags("1", read)
    assert inventory.tags("1") == (read or OWNED)
    shifted_clock.ahead += TAGS_VISIBLE + 1
    inventory.record_tags("1", {})
    assert inventory.tags("1") == {}


def test_tags_that_were_visible_and_are_missing_have_been_removed() -> None:
    inventory = tagged(written=True)
    inventory.record_tags("1", OWNED)
    inventory.record_tags("1", {})
    assert inventory.tags("1") == {}
    assert not may_follow(inventory)


def test_mappings_in_a_consumer_group_are_found_until_they_are_deleted() -> None:
    inventory = Inventory()
    shop = ConsumerGroup("shop", f"arn:aws:kafka:{HERE}:cluster/orders/1")
    inventory.record(msk("1", "shop"), 1.0)
    inventory.record(msk("2", "shop", "Enabled"), 1.0)
    inventory.record(msk("3", "returns"), 1.0)
    inventory.record(msk("4", "shop", cluster="others"), 1.0)
    inventory.record(mapping("5", "Deleting"), 1.0)
    assert [one.uuid for one in inventory.leaving_group(shop)] == ["1"]
    assert [one.uuid for one in inventory.in_group(shop)] == ["1", "2"]
    inventory.record(msk("2", "shop"), 2.0)
    assert [one.uuid for one in inventory.leaving_group(shop)] == ["1", "2"]
    inventory.record_gone("1")
    inventory.record_swept(3.0)
    assert inventory.leaving_group(shop) == inventory.in_group(shop) == []


RESULTS = ("No records processed", "OK", "PROBLEM: Function call failed")


@pytest.mark.parametrize("before", RESULTS)
@pytest.mark.parametrize("after", RESULTS)
def test_only_a_result_that_is_a_problem_counts_as_a_change(before: str, after: str) -> None:
    inventory = Inventory()
    inventory.record(mapping(LastProcessingResult=before), 1.0)
    problem = before != after and any(one.startswith("PROBLEM") for one in (before, after))
    assert inventory.record(mapping(LastProcessingResult=after), 2.0) is problem
    entry = inventory.get("1")
    assert entry is not None
    assert entry.report().last_processing_result == after
    assert entry.seen == 2.0
    harmless = before != after and not problem
    assert inventory.take_changed_results() == ({"1"} if harmless else set())
    assert inventory.take_changed_results() == set()


@pytest.mark.parametrize("more", [{"State": "Disabled"}, {"BatchSize": 5}, {"FilterCriteriaError": {"ErrorCode": "X"}}])
def test_a_result_that_changes_with_another_member_is_no_change_of_its_own(more: dict[str, Any]) -> None:
    inventory = Inventory()
    inventory.record(mapping(LastProcessingResult="OK"), 1.0)
    assert inventory.record({**mapping(LastProcessingResult="No records processed"), **more}, 2.0)
    assert inventory.take_changed_results() == set()


def test_the_first_result_is_a_change() -> None:
    inventory = Inventory()
    inventory.record(mapping(), 1.0)
    assert inventory.record(mapping(LastProcessingResult="OK"), 2.0)


def test_a_changed_result_is_forgotten_with_its_mapping() -> None:
    inventory = Inventory()
    inventory.record_page([mapping("1", LastProcessingResult="OK"), mapping("2", LastProcessingResult="OK")], 1.0)
    for uuid in ("1", "2"):
        inventory.record(mapping(uuid, LastProcessingResult="No records processed"), 2.0)
    inventory.record_gone("1")
    inventory.record_swept(3.0)
    assert inventory.take_changed_results() == set()


def test_a_changed_result_keeps_the_tags_and_the_filters() -> None:
    inventory = Inventory()
    inventory.record(
        mapping(LastProcessingResult="OK", KMSKeyArn="k", FilterCriteria={"Filters": []}), 1.0, {"team": "a"}
    )
    inventory.record(mapping(LastProcessingResult="No records processed", KMSKeyArn="k"), 2.0, listed=True)
    entry = inventory.get("1")
    assert entry is not None
    assert (entry.tags, entry.filters, entry.listed) == ({"team": "a"}, {"Filters": []}, True)
