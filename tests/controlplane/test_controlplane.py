"""The control plane of the tests: it can be stopped and paused, and it leaves nothing behind."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from base64 import b64decode
from collections.abc import Generator
from pathlib import Path

import pytest
import yaml

from tests.controlplane import ControlPlane, ControlPlaneError, KubectlError
from tests.controlplane.binaries import KUBERNETES
from tests.controlplane.gomodule import pinned_version
from tests.controlplane.processes import GuardedProcess
from tests.waiting import eventually


@pytest.fixture(scope="module")
def plane() -> Generator[ControlPlane]:
    with ControlPlane() as running:
        yield running


def test_it_has_the_namespaces_of_every_cluster(plane: ControlPlane) -> None:
    namespaces = plane.kubectl("get", "namespaces", "--output=name").stdout.split()
    assert {"namespace/default", "namespace/kube-system"} <= set(namespaces)


@pytest.mark.skipif("KUBEBUILDER_ASSETS" in os.environ, reason="the folder decides the version")
def test_client_and_server_report_their_version(plane: ControlPlane) -> None:
    reported = json.loads(plane.kubectl("version", "--output=json").stdout)
    version = plane.kubectl_path.parent.name  # a downloaded archive may have another patch release than the pinned one
    major, minor, _ = pinned_version(KUBERNETES).split(".")
    for side in ("clientVersion", "serverVersion"):
        assert reported[side]["gitVersion"] == f"v{version}"
        assert (reported[side]["major"], reported[side]["minor"]) == (major, minor)


def test_the_error_of_kubectl_has_its_message(plane: ControlPlane) -> None:
    with pytest.raises(KubectlError, match="not found"):
        plane.kubectl("get", "configmap", "missing")
    assert plane.kubectl("get", "configmap", "missing", check=False).returncode == 1


def test_the_certificate_is_verified(plane: ControlPlane) -> None:
    cluster = yaml.safe_load(plane.kubeconfig.read_text())["clusters"][0]["cluster"]
    ca_certificate = b64decode(cluster["certificate-authority-data"]).decode()

    def shake_hands(context: ssl.SSLContext, host: str) -> None:
        with socket.create_connection(plane.address) as raw:
            context.wrap_socket(raw, server_hostname=host).close()

    ours = ssl.create_default_context(cadata=ca_certificate)
    ours.verify_flags |= ssl.VERIFY_X509_STRICT  # newer versions of Python do so by themselves
    shake_hands(ours, "127.0.0.1")
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        shake_hands(ours, "127.0.0.2")
    with pytest.raises(ssl.SSLCertVerificationError, match="self-signed"):
        shake_hands(ssl.create_default_context(), "127.0.0.1")


def test_a_service_account_has_the_permissions_of_its_role(plane: ControlPlane) -> None:
    plane.kubectl("create", "namespace", "team")
    plane.kubectl("create", "serviceaccount", "operator", "--namespace=team")
    kubeconfig = plane.kubeconfig_for("team", "operator")

    who = plane.kubectl("auth", "whoami", "--output=jsonpath={.status.userInfo.username}", kubeconfig=kubeconfig)
    assert who.stdout == "system:serviceaccount:team:operator"
    with pytest.raises(KubectlError, match="forbidden"):
        plane.kubectl("get", "configmaps", kubeconfig=kubeconfig)

    plane.kubectl("create", "role", "reader", "--verb=list", "--resource=configmaps", "--namespace=team")
    binding = ("create", "rolebinding", "reader", "--role=reader", "--serviceaccount=team:operator")
    plane.kubectl(*binding, "--namespace=team")
    eventually(lambda: plane.kubectl("get", "configmaps", kubeconfig=kubeconfig, check=False).returncode == 0)
    with pytest.raises(KubectlError, match="forbidden"):
        plane.kubectl("get", "configmaps", "--namespace=default", kubeconfig=kubeconfig)


def test_an_api_server_that_is_started_again_has_its_data(plane: ControlPlane) -> None:
    plane.kubectl("create", "configmap", "kept")
    plane.kubectl("create", "serviceaccount", "survivor")
    kubeconfig = plane.kubeconfig_for("default", "survivor")

    plane.stop_apiserver()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(plane.address).close()
    plane.start_apiserver()

    plane.check()
    plane.kubectl("get", "configmap", "kept")
    plane.kubectl("auth", "whoami", kubeconfig=kubeconfig)


def test_a_second_api_server_is_not_started(plane: ControlPlane) -> None:
    with pytest.raises(ControlPlaneError, match="running already"):
        plane.start_apiserver()


def test_a_paused_api_server_answers_later(plane: ControlPlane) -> None:
    plane.pause_apiserver()
    try:
        question = subprocess.Popen(
            [plane.kubectl_path, f"--kubeconfig={plane.kubeconfig}", "get", "--raw=/readyz"],
            stdout=subprocess.PIPE,
            text=True,
        )
        with pytest.raises(subprocess.TimeoutExpired):
            question.wait(timeout=1)
    finally:
        plane.resume_apiserver()
    assert question.communicate(timeout=30) == ("ok", None)


def test_after_compaction_and_a_restart_old_watches_are_gone(plane: ControlPlane) -> None:
    created = plane.kubectl("create", "configmap", "seen", "--output=json")
    seen = json.loads(created.stdout)["metadata"]["resourceVersion"]
    plane.kubectl("delete", "configmap", "seen")
    watch = f"/api/v1/namespaces/default/configmaps?watch=true&timeoutSeconds=1&resourceVersion={seen}"
    assert "DELETED" in plane.kubectl("get", f"--raw={watch}").stdout

    plane.stop_apiserver()
    plane.compact_etcd()
    plane.start_apiserver()

    answer = plane.kubectl("get", f"--raw={watch}", check=False)
    assert "too old resource version" in answer.stdout + answer.stderr
    assert "DELETED" not in answer.stdout


def test_a_control_plane_continues_with_the_data_of_a_given_folder(tmp_path: Path) -> None:
    folder = tmp_path / ("longer than the path of a Unix socket may be " * 4)
    with ControlPlane(data_dir=folder) as first:
        first.kubectl("create", "configmap", "kept")
        first.compact_etcd()
        with pytest.raises(ControlPlaneError, match="Another control plane is using"):
            ControlPlane(data_dir=folder)
    with ControlPlane(data_dir=folder) as second:
        second.kubectl("get", "configmap", "kept")


def test_nothing_is_left_after_stop() -> None:
    before = descendants(os.getpid())
    with ControlPlane() as plane:
        kubeconfig = plane.kubeconfig
        started = descendants(os.getpid()) - before
        assert programs(started) >= {"etcd", "kube-apiserver"}
    assert not any(is_alive(pid) for pid in started)
    assert not kubeconfig.parent.exists()
    plane.stop()  # a second call has no effect


@pytest.fixture
def command(tmp_path: Path) -> Generator[tuple[subprocess.Popen[str], str]]:
    """`python -m tests.controlplane`, and the line that it has printed to standard output when it was ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.controlplane"],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout
        yield process, process.stdout.readline().strip()
        process.kill()


def test_the_command_prints_its_kubeconfig_and_cleans_up(
    command: tuple[subprocess.Popen[str], str], tmp_path: Path
) -> None:
    process, said = command
    kubeconfig = Path(said.removeprefix("export KUBECONFIG="))
    assert kubeconfig.is_file()
    started = descendants(process.pid)

    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0
    assert not any(is_alive(pid) for pid in started)
    assert list(tmp_path.iterdir()) == []


def test_no_process_is_left_when_the_owner_is_killed(command: tuple[subprocess.Popen[str], str]) -> None:
    process, _ = command
    started = descendants(process.pid)
    assert programs(started) >= {"etcd", "kube-apiserver"}
    for pid in started:
        if program(pid) == "kube-apiserver":
            os.kill(pid, signal.SIGSTOP)  # a process that is stopped ends too

    process.kill()
    eventually(lambda: not any(is_alive(pid) for pid in started))


def test_no_server_is_left_when_its_guard_is_killed(tmp_path: Path) -> None:
    process = GuardedProcess(["sleep", "1000"], log=tmp_path / "log")
    (server,) = (pid for pid in descendants(os.getpid()) if program(pid) == "sleep")
    os.kill(parent(server), signal.SIGKILL)
    eventually(lambda: not is_alive(server))
    process.stop()


def test_the_error_of_a_process_that_ended_has_the_end_of_its_log(tmp_path: Path) -> None:
    process = GuardedProcess(["sh", "-c", "echo out of paper; exit 3"], log=tmp_path / "log")
    process.wait()
    with pytest.raises(ControlPlaneError, match=r"sh ended with exit code 3(.|\n)*out of paper"):
        process.check()


def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = GuardedProcess(["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"], log=log)
    eventually(lambda: "deaf" in log.read_text())
    process.stop(grace=0.1)
    assert process.has_ended()


def descendants(pid: int) -> set[int]:
    everyone = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdecimal()]
    parents = {each: parent(each) for each in everyone}
    found = {pid}
    while more := {each for each, its_parent in parents.items() if its_parent in found} - found:
        found |= more
    return found - {pid}


def is_alive(pid: int) -> bool:
    """Whether a process runs. A zombie does not."""
    return process_status(pid)[0] not in ("", "Z")


def parent(pid: int) -> int:
    return int(process_status(pid)[1])


def process_status(pid: int) -> tuple[str, str]:
    """State and parent. The state is empty if there is no such process."""
    try:
        state, its_parent, *_ = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return "", "0"
    return state, its_parent


def program(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def programs(pids: set[int]) -> set[str]:
    return {program(pid) for pid in pids}
