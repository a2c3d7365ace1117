"""`make demo`: all steps without a person, at a terminal until Ctrl-C, and in an existing cluster."""

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
from tests.demo import ack
from tests.e2e.terminal import LIMIT, Terminal, assert_nothing_left
from tests.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "tests.demo"]
EXAMPLES = len(list((ROOT / "examples").glob("*.yaml")))
CRD = "eventsourcemappings.lambda.esm-operator.io"

pytestmark = pytest.mark.long


@pytest.fixture
def cluster() -> Generator[ControlPlane]:
    """An existing cluster, without any object of the operator. Namespaces never end in it, so each test has its own."""
    with ControlPlane() as plane:
        yield plane


@pytest.fixture
def marked(tmp_path: Path) -> Mapping[str, str]:
    """An environment that all processes of a demo inherit. Its temporary folder identifies them."""
    (tmp_path / "tmp").mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DEMO_")}
    return environment | {"TMPDIR": str(tmp_path / "tmp")}


def run_once(environment: Mapping[str, str], **more: str) -> subprocess.CompletedProcess[str]:
    """Run all steps of the demo."""
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


def assert_all_shown(shown: str, *, references: bool = True) -> None:
    """``references``: whether the demo has its CRDs of ACK."""
    assert len(re.findall(r"condition met$", shown, re.MULTILINE)) == EXAMPLES
    assert f"AWS has {EXAMPLES} mappings. The tags of each mapping name its resource." in shown
    assert_guards_shown(shown)
    if references:
        assert_references_shown(shown)
    assert "In AWS, the batch size of sqs-queue is 7." in shown
    assert shown.count("In AWS, the batch size of sqs-queue is 10.") == 2, "after the drift, and by default"
    assert f"AWS has {EXAMPLES - 1 + references} mappings left." in shown
    assert "AWS has no mappings left, and the cluster has no resources left." in shown
    assert "AWSUnreachable" not in shown


def assert_guards_shown(shown: str) -> None:
    assert re.search(r"aws lambda update-event-source-mapping --uuid \S+ --batch-size 3$", shown, re.MULTILINE)
    assert re.search(r"Warning +DriftCorrected +eventsourcemapping/sqs-queue .*batchSize: 3 -> 10", shown)
    assert 'The EventSourceMapping "refused" is invalid:' in shown
    assert "Amazon SQS does not take startingPosition" in shown
    assert "The cluster and AWS are unchanged." in shown


def assert_references_shown(shown: str) -> None:
    """The mapping waits for its objects, is created, and follows its function."""
    waits = re.search(r"^refunds +False +ReferenceNotFound ", shown, re.MULTILINE)
    cause = re.search(
        r'^The Function "refunds" does not exist, so the operator cannot get the value of spec.functionRef',
        shown,
        re.MULTILINE,
    )
    ready = re.search(r"^refunds +refunds +sqs/refunds +Enabled +True +Enabled ", shown, re.MULTILINE)
    values = re.search(r"^arn:aws:lambda:\S+:function:refunds,arn:aws:sqs:\S+:refunds$", shown, re.MULTILINE)
    event = re.search(
        r"Normal +ReferenceChanged .*has changed from \S+:refunds to \S+:refunds-v2\.$", shown, re.MULTILINE
    )
    followed = re.search(r"^In AWS, the mapping \S+ now invokes the function refunds-v2\.$", shown, re.MULTILINE)
    places = [one.start() for one in (waits, cause, ready, values, event, followed) if one]
    assert len(places) == 6, shown
    assert places == sorted(places), shown


def test_once(marked: Mapping[str, str]) -> None:
    done = run_once(marked)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_all_shown(done.stdout)
    assert_nothing_left(marked)


def test_ctrl_c_after_the_invitation(marked: Mapping[str, str]) -> None:
    demo = Terminal(COMMAND, marked)
    demo.wait_for("Ctrl-C ends the demo")
    assert "export KUBECONFIG=" in demo.seen
    assert "export AWS_ENDPOINT_URL=" in demo.seen
    shown = demo.seen.replace("\r\n", "\n")
    assert_guards_shown(shown)
    assert_references_shown(shown)
    demo.press_ctrl_c()
    assert demo.exit_status() == 0, demo.seen
    assert "Everything is stopped and removed." in demo.seen
    assert "Traceback" not in demo.seen
    assert_nothing_left(marked)


def test_two_ctrl_c_before_the_end_of_the_start(marked: Mapping[str, str]) -> None:
    demo = Terminal(COMMAND, marked)
    demo.wait_for("Start the operator.")
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
    """The objects with the demo's label, except namespaces, which never end without a controller manager."""
    kinds = "customresourcedefinitions,clusterroles,clusterrolebindings"
    selector = "app.kubernetes.io/managed-by=esm-operator-demo"
    return set(cluster.kubectl("get", kinds, f"--selector={selector}", "--output=name").stdout.split())


def test_in_an_existing_cluster(marked: Mapping[str, str], cluster: ControlPlane) -> None:
    """In which a demo that was killed has left a CRD."""
    left = ack.QUEUE.crd()
    left["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "esm-operator-demo"}
    cluster.client.install(left)
    before = cluster.kubeconfig.read_bytes()
    done = run_once(as_guest(marked, cluster))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Remove the objects that an earlier demo left here." in done.stdout
    assert_all_shown(done.stdout)
    assert cluster.kubeconfig.read_bytes() == before
    assert ours(cluster) == set()
    assert cluster.kubectl("get", "crds", "--output=name").stdout == ""
    assert cluster.kubectl("get", "namespace", "esm-demo", "--output=jsonpath={.status.phase}").stdout == "Terminating"
    assert_nothing_left(marked)


def test_in_a_cluster_with_ack(marked: Mapping[str, str], cluster: ControlPlane) -> None:
    """Objects of the demo would become queues in AWS. One CRD of ACK is enough to leave out the step."""
    cluster.client.install(ack.QUEUE.crd())
    queue = {
        "apiVersion": "sqs.services.k8s.aws/v1alpha1",
        "kind": "Queue",
        "metadata": {"name": ack.NAME},
        "spec": {"queueName": "of-somebody-else"},
    }
    where = f"/apis/{queue['apiVersion']}/namespaces/default/queues"
    eventually(lambda: cluster.client.request("POST", where, queue), "the API server serves queues")

    def found() -> str:
        crds = cluster.kubectl("get", "crds", "--output=name").stdout
        return crds + cluster.kubectl("get", ack.QUEUE.crd_name, "--all-namespaces", "--output=json").stdout

    before = found()
    done = run_once(as_guest(marked, cluster))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The cluster has CRDs of ACK, so the demo leaves out" in " ".join(done.stdout.replace("# ", " ").split())
    assert "ReferenceNotFound" not in done.stdout
    assert_all_shown(done.stdout, references=False)
    assert ours(cluster) == set()
    assert found() == before
    assert_nothing_left(marked)


def test_no_demo_in_a_cluster_with_the_crds(marked: Mapping[str, str], cluster: ControlPlane) -> None:
    cluster.kubectl("apply", "--filename", ROOT / "crds")
    # The API server keeps a CRD for minutes if it is deleted before its objects can be listed.
    for kind in ("eventsourcemappings", "providerconfigs"):
        eventually(lambda kind=kind: cluster.kubectl("get", kind, check=False).returncode == 0)
    try:
        done = run_once(as_guest(marked, cluster))
        assert done.returncode == 1
        assert "has CRDs of this operator already" in done.stderr
        assert "Traceback" not in done.stderr
        assert CRD in cluster.kubectl("get", "crds", "--output=name").stdout
    finally:
        cluster.kubectl("delete", "--filename", ROOT / "crds")
    assert_nothing_left(marked)


def test_an_unknown_context(marked: Mapping[str, str], cluster: ControlPlane) -> None:
    done = run_once(as_guest(marked, cluster, "nowhere"))
    assert done.returncode == 1
    assert "DEMO_CONTEXT is nowhere, and your kubeconfig has no such context. It has " in done.stderr
    assert "Traceback" not in done.stderr
    assert_nothing_left(marked)
