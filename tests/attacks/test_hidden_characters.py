"""An endpoint and a tenant send characters that change a terminal, reorder a line or forge a line of the log."""

import json
from typing import Any

import pytest

from tests.aws import FaultKind
from tests.bed import Bed
from tests.e2e.manifests import queue, stream
from tests.waiting import eventually

#: Clears the screen, reverses the direction of the line, ends a line in three ways, and cannot be encoded.
NASTY = "\x1b[2J\u202e\u2066\r\n2026-01-01T00:00:00 INFO forged\u2028forged\x85forged\x00\ud800"


def is_visible(text: str) -> bool:
    """Whether each line of a text has only printable characters."""
    return all(line.isprintable() for line in text.split("\n"))


@pytest.mark.parametrize("style", ["text", "json"])
def test_errors_and_results_of_an_endpoint_are_visible_everywhere(bed: Bed, style: str) -> None:
    operator = bed.operator("--sweep-interval=1", f"--log-format={style}")
    bed.apply(stream())
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    bed.control.edit_mapping(uuid, LastProcessingResult=f"PROBLEM: {NASTY}", StateTransitionReason=NASTY)
    bed.wait_condition("orders", "Processing", "False", "ProcessingProblem")
    bed.control.fault(
        FaultKind.ERROR,
        "CreateEventSourceMapping",
        code="InvalidParameterValueException",
        message=f"No. {NASTY}",
        status=400,
    )
    bed.apply(queue("refused"))
    bed.wait_condition("refused", "Ready", "False", "RefusedByAWS")
    bed.event("refused", "RefusedByAWS")
    bed.event("orders", "ProcessingProblem")
    eventually(lambda: "RefusedByAWS" in bed.events("refused"))
    texts: list[str] = [operator.log.read_text(), *(one["message"] for one in bed.list_events())]
    for name in ("orders", "refused"):
        texts += strings(bed.status(name))
    assert [text for text in texts if not is_visible(text)] == []
    logged = operator.log.read_text()
    assert "\n2026-01-01T00:00:00 INFO forged" not in logged
    if style == "json":
        for line in logged.splitlines():
            assert all(map(str.isprintable, strings(json.loads(line))))


def strings(value: Any) -> list[str]:
    """All texts in a value of JSON."""
    if isinstance(value, dict):
        return [text for one in value.values() for text in strings(one)]
    if isinstance(value, list):
        return [text for one in value for text in strings(one)]
    return [value] if isinstance(value, str) else []
