"""`make demo` as people run it: to its end by itself, as a guest in a cluster, and played with until Ctrl-C."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from pathlib import Path

import pytest

from tests.controlplane import ControlPlane
from tests.e2e.terminal import LIMIT, Terminal, assert_nothing_left

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "tests.demo"]
EXAMPLES = len(list((ROOT / "examples").glob("*.yaml")))
CRD = "eventsourcemappings.lambda.esm-operator.io"

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def cluster() -> Generator[ControlPlane]:
    """Somebody's cluster, without anything of ours."""
    with ControlPlane() as plane:
        yield plane


@pytest.fixture
def marked(tmp_path: Path) -> Mapping[str, str]:
    """An environment that all processes of a demo inherit: its temporary folder identifies them."""
    (tmp_path / "tmp").mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DEMO_")}
    return environment | {"TMPDIR": str(tmp_path / "tmp")}


def run_once(environment: Mapping[str, str], **more: str) -> subprocess.CompletedProcess[str]:
    """The demo with its script."""
    return subprocess.run(
        COMMAND,
        cwd=ROOT,
        env={**environment, "DEMO_ONCE": "1", **more},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


def assert_told_all(told: str) -> None:
    assert "Creating" in told
    assert len(re.findall(r"condition met$", told, re.MULTILINE)) == EXAMPLES
    assert f"AWS has {EXAMPLES} mappings, each with its owner in its tags." in told
    assert "At AWS it is 7." in told
    assert "At AWS it is 10." in told
    assert f"AWS has {EXAMPLES - 1} mappings left." in told
    assert "AWS has no mapping left, and no finalizer holds anything back." in told


def test_once(marked: Mapping[str, str]) -> None:
    done = run_once(marked)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_told_all(done.stdout)
    assert_nothing_left(marked)


def test_ctrl_c_while_it_is_played_with(marked: Mapping[str, str]) -> None:
    demo = Terminal(COMMAND, marked)
    demo.wait_for("Ctrl-C ends the demo")
    assert "export KUBECONFIG=" in demo.seen
    assert "export AWS_ENDPOINT_URL=" in demo.seen
    demo.press_ctrl_c()
    assert demo.exit_status() == 0, demo.seen
    assert "Everything is stopped and removed." in demo.seen
    assert "Traceback" not in demo.seen
    assert_nothing_left(marked)


def test_ctrl_c_in_the_middle_and_again(marked: Mapping[str, str]) -> None:
    demo = Terminal(COMMAND, marked)
    demo.wait_for("The operator is started")
    demo.press_ctrl_c()
    time.sleep(0.2)
    demo.press_ctrl_c()
    assert demo.exit_status() == 0, demo.seen
    assert "Traceback" not in demo.seen
    assert_nothing_left(marked)


def test_a_kill_leaves_no_process(marked: Mapping[str, str]) -> None:
    demo = Terminal(COMMAND, marked)
    demo.wait_for("Ctrl-C ends the demo")
    os.kill(demo.pid, signal.SIGKILL)
    assert demo.exit_status() == -signal.SIGKILL
    assert_nothing_left(marked, files=True)


def as_guest(environment: Mapping[str, str], cluster: ControlPlane, context: str | None = None) -> dict[str, str]:
    name = cluster.kubectl("config", "current-context").stdout.strip()
    return {**environment, "KUBECONFIG": str(cluster.kubeconfig), "DEMO_CONTEXT": context or name}


def ours(cluster: ControlPlane) -> set[str]:
    """What has the demo's label and is not on its way out (without a controller manager a namespace stays so)."""
    kinds = "customresourcedefinitions,clusterroles,clusterrolebindings"
    selector = "app.kubernetes.io/managed-by=esm-operator-demo"
    return set(cluster.kubectl("get", kinds, f"--selector={selector}", "--output=name").stdout.split())


def test_as_a_guest(marked: Mapping[str, str], cluster: ControlPlane) -> None:
    before = cluster.kubeconfig.read_bytes()
    done = run_once(as_guest(marked, cluster))
    assert done.returncode == 0, done.stdout + done.stderr
    assert_told_all(done.stdout)
    assert cluster.kubeconfig.read_bytes() == before
    assert ours(cluster) == set()
    assert cluster.kubectl("get", "crds", "--output=name").stdout == ""
    assert cluster.kubectl("get", "namespace", "esm-demo", "--output=jsonpath={.status.phase}").stdout == "Terminating"
    assert_nothing_left(marked)


def test_a_guest_stays_out_where_the_operator_is(marked: Mapping[str, str], cluster: ControlPlane) -> None:
    cluster.kubectl("apply", "--kustomize", ROOT / "crds")
    try:
        done = run_once(as_guest(marked, cluster))
        assert done.returncode == 1
        assert "has CRDs of this operator already" in done.stderr
        assert "Traceback" not in done.stderr
        assert CRD in cluster.kubectl("get", "crds", "--output=name").stdout
    finally:
        cluster.kubectl("delete", "--kustomize", ROOT / "crds")
    assert_nothing_left(marked)


def test_a_context_that_is_unknown(marked: Mapping[str, str], cluster: ControlPlane) -> None:
    done = run_once(as_guest(marked, cluster, "nowhere"))
    assert done.returncode == 1
    assert "DEMO_CONTEXT is nowhere, and your kubeconfig has no such context. It has " in done.stderr
    assert "Traceback" not in done.stderr
    assert_nothing_left(marked)
