"""docs/how-to/console.md shows what kubectl shows. To write it, run this test with WRITE_CONSOLE=yes."""

import os

from tests.bed import Bed
from tests.gitops.console import PAGE, rendered
from tests.gitops.gallery import STATES, fill
from tests.waiting import eventually


def test_the_page_shows_what_kubectl_shows(bed: Bed) -> None:
    fill(bed)
    eventually(lambda: "Updated" in bed.events("updating"))
    eventually(lambda: "FunctionNotFound" in bed.events("no-function"))
    text = PAGE.read_text()
    now = rendered(text, bed)
    if os.environ.get("WRITE_CONSOLE"):
        PAGE.write_text(now)
    else:
        assert now == text, "run WRITE_CONSOLE=yes pytest tests/gitops/test_console.py"
    for state in STATES:
        assert f"\n{state.name} " in now
