"""Operators that share a cluster by labels: each manages its resources, and a moved resource keeps its mapping."""

from tests.aws import FaultKind
from tests.bed import FINALIZER, WRITES, Bed
from tests.e2e.manifests import provider_config, queue
from tests.waiting import eventually


def labelled(name: str, shard: str, **spec: object) -> dict[str, object]:
    manifest = queue(name, **spec)
    manifest["metadata"]["labels"] = {"shard": shard}
    return manifest


def test_each_operator_manages_the_resources_that_it_selects(bed: Bed) -> None:
    bed.operator("--selector=shard=a")
    bed.apply(labelled("mine", "a"), labelled("others", "b"), queue("nobodys"))
    bed.wait_ready("mine")
    assert len(bed.mappings()) == 1
    for name in ("others", "nobodys"):
        found = bed.get(name)
        assert found is not None
        assert FINALIZER not in found["metadata"].get("finalizers", [])


def test_a_resource_moves_to_another_operator_with_its_mapping(bed: Bed) -> None:
    bed.operator("--selector=shard=a", "--sweep-interval=1")
    bed.operator("--selector=shard in (b, c)", "--sweep-interval=1")
    bed.apply(labelled("moves", "a", batchSize=1), labelled("stays", "a"), labelled("there", "b"))
    for name in ("moves", "stays", "there"):
        bed.wait_ready(name)
    before = bed.status("moves")["uuid"]
    bed.control.reset_counts()
    bed.label("moves", shard="b")
    bed.patch("moves", {"batchSize": 2})
    bed.wait_ready("moves")
    eventually(lambda: bed.mapping("moves")["BatchSize"] == 2)
    assert bed.status("moves")["uuid"] == before
    assert {name: count for name, count in bed.calls().items() if name in WRITES} == {"UpdateEventSourceMapping": 1}
    assert len(bed.mappings()) == 3

    bed.delete("moves")
    bed.wait_gone("moves")
    assert len(bed.mappings()) == 2


def test_a_resource_without_an_operator_is_managed_after_it_is_labelled(bed: Bed) -> None:
    bed.operator("--selector=shard=a", "--sweep-interval=1")
    bed.apply(labelled("orders", "a"))
    before = bed.wait_ready("orders")["status"]["uuid"]
    bed.label("orders", shard="z")
    bed.wait_swept(2)
    assert [one["UUID"] for one in bed.mappings()] == [before], "leaving a shard is no deletion"
    bed.label("orders", shard="a")
    bed.patch("orders", {"batchSize": 3})
    eventually(lambda: bed.mapping("orders")["BatchSize"] == 3)
    assert bed.status("orders")["uuid"] == before


def test_each_operator_holds_the_provider_config_for_its_own_resources(bed: Bed) -> None:
    bed.operator("--selector=shard=a")
    bed.operator("--selector=shard=b")
    bed.apply(provider_config("shop"))
    for shard in ("a", "b"):
        bed.apply(labelled(f"orders-{shard}", shard, providerConfigRef={"name": "shop"}))
    for shard in ("a", "b"):
        bed.wait_ready(f"orders-{shard}")
    bed.delete_config("shop")
    bed.delete("orders-a")
    bed.wait_gone("orders-a")
    bed.patch("orders-b", {"batchSize": 7})
    bed.wait_ready("orders-b")
    eventually(lambda: bed.mapping("orders-b")["BatchSize"] == 7)
    bed.delete("orders-b")
    bed.wait_gone("orders-b")
    eventually(lambda: bed.config("shop") is None)


def test_a_pending_create_of_the_previous_operator_is_awaited(bed: Bed) -> None:
    """The first operator is killed during a Create that AWS carries out later. The resource is deleted, and moves."""
    dying = bed.operator("--selector=shard=a")
    bed.operator("--selector=shard=b", "--sweep-interval=600")
    bed.control.fault(FaultKind.DELAY, "CreateEventSourceMapping", times=1, seconds=3.0)
    bed.apply(labelled("orders", "a"))
    eventually(lambda: bed.calls().get("CreateEventSourceMapping"))
    dying.kill()
    bed.delete("orders")
    bed.label("orders", shard="b")
    bed.wait_gone("orders")
    eventually(lambda: len(bed.control.requests(50)) > 0 and not bed.mappings(), what="no mapping is left behind")
    ended = [one for one in bed.control.requests(200) if one["operation"] == "CreateEventSourceMapping"]
    assert ended, "the late Create was carried out"
    assert bed.mappings() == []


def test_a_create_of_the_previous_operator_that_takes_effect_last_leaves_no_orphan(bed: Bed) -> None:
    """The next operator creates the mapping, and the resource is deleted, before AWS carries out the first Create."""
    dying = bed.operator("--selector=shard=a")
    bed.operator("--selector=shard=b", "--sweep-interval=600")
    bed.control.set(pace=0.05)
    bed.control.fault(FaultKind.DELAY, "CreateEventSourceMapping", times=1, seconds=6.0)
    bed.apply(labelled("orders", "a"))
    eventually(lambda: bed.calls().get("CreateEventSourceMapping"))
    dying.kill()
    bed.label("orders", shard="b")
    bed.wait_ready("orders")
    bed.delete("orders")
    bed.wait_gone("orders")
    sent = bed.calls()["CreateEventSourceMapping"]  # only one, if the next operator was slower than AWS
    eventually(lambda: len(bed.requests("CreateEventSourceMapping")) == sent, what="AWS has answered all")
    assert bed.mappings() == [], "no mapping is left behind"
