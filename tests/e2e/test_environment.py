"""What the environment of the process says, and what it does not."""

import subprocess
import sys
from pathlib import Path

from tests.e2e.bed import Bed
from tests.e2e.manifests import queue
from tests.operator_process import ROOT


def test_a_netrc_does_not_stand_in_for_the_kubeconfig(bed: Bed, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n")
    proxies = {"HTTPS_PROXY": "http://127.0.0.1:1", "NO_PROXY": "127.0.0.1,localhost"}
    bed.operator("--sweep-interval=1", environment={"NETRC": str(netrc), **proxies})
    bed.apply(queue(batchSize=5))
    bed.wait_ready("orders")


def test_running_takes_no_memory_for_what_only_commands_need() -> None:
    """The library that evaluates CEL brings a console with it."""
    script = (
        "import sys, esm_operator.cli; print([name for name in ('cel', 'rich', 'matplotlib') if name in sys.modules])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(ROOT / "operator")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert loaded.stdout.strip() == "[]"
