"""Two operators that manage the same resources by mistake report each other. Operators that share a cluster do not."""

from tests.bed import Bed
from tests.e2e.manifests import queue
from tests.e2e.test_cluster_lacks import probe
from tests.operator_process import OperatorProcess
from tests.waiting import eventually

SAID = "Another operator changes the same resources"
LAST = "was the last to change "
NUMBER = "Other operators change or changed the same resources (1)"


def leased(bed: Bed, name: str, *arguments: str) -> OperatorProcess:
    """An operator with its own lease name."""
    return bed.operator("--sweep-interval=1", *arguments, environment={"ESM_OPERATOR_LEASE_NAME": name})


def said(operator: OperatorProcess) -> str:
    """The answer of the readiness probe of a ready operator."""
    status, text = probe(operator)
    assert status == 200, text
    return text


def test_a_second_operator_on_the_same_scope_is_reported(bed: Bed) -> None:
    first = leased(bed, f"one-{bed.namespace}")
    bed.apply(queue("orders"))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    assert SAID not in first.tail(1000)

    second = leased(bed, f"two-{bed.namespace}")
    eventually(lambda: NUMBER in said(second), what="the probe of the second reports the last writer")
    assert f"{LAST}1 resource" in second.tail(1000)
    sizes = iter(range(1, 1000))

    def both_say_it() -> bool:
        bed.patch("orders", {"batchSize": next(sizes)})
        bed.wait_ready("orders")
        return all(SAID in one.tail(1000) and NUMBER in said(one) for one in (first, second))

    eventually(both_say_it)
    for operator, other in ((first, "two"), (second, "one")):
        assert said(operator).startswith("ready: leading")
        assert bed.namespace not in said(operator), "everybody can read the answer of the probe"
        text = operator.tail(1000)
        assert f"{other}-{bed.namespace}, " in text
        assert "stop one of the two, or set --namespaces, --namespace-selector or --selector" in text
    bed.event("orders", "AnotherOperator")
    assert [one["UUID"] for one in bed.mappings()] == [uuid]

    second.stop()
    bed.delete("orders")
    bed.wait_gone("orders")
    assert bed.mappings() == []


def test_operators_that_share_a_cluster_do_not_report_each_other(bed: Bed) -> None:
    here = leased(bed, f"a-{bed.namespace}", "--selector=shard=a")
    there = leased(bed, f"b-{bed.namespace}", "--selector=shard=b")
    moving = queue("moves")
    moving["metadata"]["labels"] = {"shard": "a"}
    bed.apply(moving)
    bed.wait_ready("moves")
    for size, shard in enumerate("bab", start=1):
        bed.label("moves", shard=shard)
        bed.patch("moves", {"batchSize": size})
        bed.wait_ready("moves")
        eventually(lambda size=size: bed.mapping("moves")["BatchSize"] == size)
    assert SAID not in here.tail(1000)
    assert said(here).splitlines() == ["ready: leading"]
    assert said(there).splitlines() == ["ready: leading"]


def test_replicas_do_not_report_each_other(bed: Bed) -> None:
    lease = f"shared-{bed.namespace}"
    first = leased(bed, lease)
    bed.apply(queue("orders"))
    bed.wait_ready("orders")
    second = leased(bed, lease)
    first.stop()
    eventually(lambda: "begins to reconcile" in second.tail(1000) and said(second).startswith("ready: leading"))
    bed.patch("orders", {"batchSize": 3})
    bed.wait_ready("orders")
    eventually(lambda: bed.mapping("orders")["BatchSize"] == 3)
    assert SAID not in second.tail(1000)
    assert LAST not in second.tail(1000)
