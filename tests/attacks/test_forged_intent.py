"""A forged annotation with an intent blocks nothing: it is ignored, reported and replaced."""

import json

import pytest

from tests.bed import Bed
from tests.e2e.manifests import queue
from tests.waiting import eventually

INTENT = "lambda.esm-operator.io/intent"
LONG = "x" * 50_000


def forged(bed: Bed, **members: object) -> str:
    """The operator's own annotation with other members."""
    resource = bed.get("orders")
    assert resource is not None
    return json.dumps({**json.loads(resource["metadata"]["annotations"][INTENT]), **members})


@pytest.mark.parametrize(
    "members",
    [{"function": LONG}, {"region": "eu-west-2/../x", "account": "1"}, {"fields": ["a b"] * 5_000}],
    ids=["a long function", "another place", "many fields"],
)
def test_a_resource_with_a_forged_intent_is_deleted_with_its_mapping(bed: Bed, members: dict[str, object]) -> None:
    operator = bed.operator()
    bed.apply(queue())
    bed.wait_ready("orders")
    operator.stop()
    bed.mark("orders", {INTENT: forged(bed, **members)})
    bed.write_status("orders", None)
    bed.delete("orders")
    operator.start()
    bed.wait_gone("orders")
    assert bed.mappings() == []
    assert f"The annotation {INTENT} is ignored" in operator.log.read_text()


def test_a_forged_intent_is_replaced(bed: Bed) -> None:
    operator = bed.operator()
    bed.apply(queue())
    bed.wait_ready("orders")
    before = forged(bed)
    bed.mark("orders", {INTENT: forged(bed, function=LONG)})
    eventually(lambda: json.loads(forged(bed)) == json.loads(before), what="the intent is written again")
    bed.patch("orders", {"batchSize": 7})
    eventually(lambda: bed.mapping("orders")["BatchSize"] == 7, what="an edit is applied")
    assert operator.log.read_text().count(f"The annotation {INTENT} is ignored") == 1
