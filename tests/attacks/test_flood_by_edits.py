"""A tenant edits its resources again and again, to fill the log. Lines about changes in AWS remain."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.bed import Bed
from tests.e2e.manifests import queue
from tests.waiting import eventually

ENTRY = f"{__name__}:main"
PREFIX = "lambda.esm-operator.io"
INTENT = f"{PREFIX}/intent"
BURST = 3
#: Edits, of which each causes a line without the limit.
EDITS = 8


def main() -> None:
    """Run the operator with a limit of a few lines."""
    from esm_operator.ratelimit import log_limiter
    from tests import forked_operator

    log_limiter.BURST, log_limiter.RATE = float(BURST), 0.001
    forked_operator.main()


def metadata(bed: Bed) -> dict[str, Any]:
    found = bed.get("orders")
    assert found is not None
    return found["metadata"]


def forge_intent(bed: Bed, number: int) -> None:
    """Write an intent that is ignored, and wait until the operator has replaced it."""
    forged = f"forged {number}"
    bed.mark("orders", {INTENT: forged})
    eventually(lambda: metadata(bed)["annotations"][INTENT] != forged)


def add_annotation(bed: Bed, number: int) -> None:
    """Write an annotation that the operator does not know, and wait until the status reports it."""
    bed.mark("orders", {f"{PREFIX}/unknown-{number}": ""})
    eventually(lambda: f"unknown-{number}" in bed.condition("orders", "UnknownAnnotations").get("message", ""))


@pytest.mark.parametrize("edit", [forge_intent, add_annotation])
def test_edits_write_a_limited_number_of_lines(bed: Bed, edit: Callable[[Bed, int], None]) -> None:
    operator = bed.operator("--log-level=info", entry=ENTRY)
    bed.apply(queue())
    bed.wait_ready("orders")
    for number in range(EDITS):
        edit(bed, number)
    warnings = [line for line in operator.log.read_text().splitlines() if " WARNING " in line]
    assert len([line for line in warnings if "/orders " in line]) == BURST
    assert len([line for line in warnings if "Lines left out: 1." in line]) == 1
    for size in range(1, EDITS):
        bed.patch("orders", {"batchSize": size})
        eventually(lambda size=size: bed.mapping("orders")["BatchSize"] == size)
    assert operator.log.read_text().count(" Cause: edit.") == EDITS - 1
