"""A tenant or an endpoint makes a text so long that the API server refuses the status for ever."""

import json
from typing import Any

import pytest

from tests.aws import FaultKind
from tests.bed import Bed
from tests.e2e.manifests import queue
from tests.waiting import eventually

#: Characters of a filter pattern that AWS accepts (FilterCriteria, Pattern).
_LONGEST_PATTERN = 4_096
_SECONDLY = "--sweep-interval=1"


def filters(letter: str) -> dict[str, Any]:
    """As many filters as AWS accepts, each as long as it accepts."""
    frame = len(json.dumps({"body": {"kind": ["00"]}}))
    text = letter * (_LONGEST_PATTERN - frame)
    return {"filters": [{"pattern": json.dumps({"body": {"kind": [f"{number:02}{text}"]}})} for number in range(10)]}


def is_current(bed: Bed, name: str) -> bool:
    """Whether the status is about the present spec."""
    found = bed.get(name) or {}
    return found["status"].get("observedGeneration") == found["metadata"]["generation"]


@pytest.mark.parametrize("way", ["paused", "Observe"])
def test_the_longest_filters_do_not_block_the_status(bed: Bed, way: str) -> None:
    bed.operator(_SECONDLY)
    bed.apply(queue(filterCriteria=filters("a")))
    bed.wait_ready("orders")
    if way == "paused":
        bed.annotate("orders", paused="true")
        bed.patch("orders", {"filterCriteria": filters("b")})
    else:
        bed.patch("orders", {"filterCriteria": filters("b"), "managementPolicy": "Observe"})
    eventually(lambda: is_current(bed, "orders"), lambda: f"the status is about the edit: {bed.status('orders')}")
    reported = [one["message"] for one in bed.status("orders")["conditions"] if one["status"] != "True"]
    assert any("more characters" in message for message in reported)
    assert all(len(message) < 1_500 for message in reported)


def test_a_long_error_of_an_endpoint_does_not_block_the_status(bed: Bed) -> None:
    bed.control.fault(
        FaultKind.ERROR,
        "CreateEventSourceMapping",
        code="InvalidParameterValueException",
        message="The endpoint says " + "no " * 33_000,
        status=400,
    )
    bed.operator(_SECONDLY)
    bed.apply(queue())
    message = bed.wait_condition("orders", "Ready", "False", "RefusedByAWS")["message"]
    assert "more characters" in message
    assert message.endswith("otherwise normally within 30 minutes.")
    assert "more characters" in bed.event("orders", "RefusedByAWS")
