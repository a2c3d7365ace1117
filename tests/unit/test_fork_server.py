"""Forked processes behave as other processes do, and never outlive their owner. End-to-end tests rely on this."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.fork_server import ROOT, ForkedProcess, ForkServer
from tests.waiting import LIMIT, eventually


@pytest.fixture
def fork_server() -> Generator[ForkServer]:
    one = ForkServer(["json"])
    yield one
    one.stop()


def start(fork_server: ForkServer, entry: str, log: Path, *arguments: str, **environment: str) -> ForkedProcess:
    return fork_server.start(
        f"tests.unit.test_fork_server:{entry}", arguments=["it", *arguments], environment=environment, log=log
    )


def test_a_child_has_its_own_arguments_environment_and_log(fork_server: ForkServer, tmp_path: Path) -> None:
    one = start(fork_server, "say", tmp_path / "one", "a", COLOUR="red")
    two = start(fork_server, "say", tmp_path / "two", "b", SIZE="7")
    assert (one.wait(LIMIT), two.wait(LIMIT)) == (0, 0)
    assert len({os.getpid(), one.pid, two.pid}) == 3
    for process, name, argument, environment in (
        (one, "one", "a", {"COLOUR": "red"}),
        (two, "two", "b", {"SIZE": "7"}),
    ):
        said = json.loads((tmp_path / name).read_text())
        assert said == [process.pid, process.pid, ["it", argument], environment, {}]


def test_the_exit_code_of_a_child_is_reported(fork_server: ForkServer, tmp_path: Path) -> None:
    refused = start(fork_server, "refuse", tmp_path / "log")
    assert refused.wait(LIMIT) == 3
    assert refused.has_ended()
    failed = start(fork_server, "fail", tmp_path / "log")
    assert failed.wait(LIMIT) == 1
    assert "ValueError: bad" in (tmp_path / "log").read_text()


def test_signals_reach_a_child(fork_server: ForkServer, tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = start(fork_server, "wait", log)
    eventually(lambda: "waiting" in log.read_text())
    process.signal(signal.SIGSTOP)
    eventually(lambda: state(process.pid) == "T")
    process.signal(signal.SIGCONT)
    eventually(lambda: state(process.pid) == "S")
    assert not process.has_ended()
    process.signal(signal.SIGKILL)
    assert process.wait(LIMIT) == 128 + signal.SIGKILL
    assert state(process.pid) == ""


def test_a_child_that_ignores_sigterm_is_killed(fork_server: ForkServer, tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = start(fork_server, "wait", log)
    eventually(lambda: "waiting" in log.read_text())
    process.signal(signal.SIGSTOP)
    process.signal(signal.SIGTERM)
    process.stop(grace=0.1)
    assert state(process.pid) == ""


def test_no_child_remains_when_the_fork_server_ends(fork_server: ForkServer, tmp_path: Path) -> None:
    process = start(fork_server, "wait", tmp_path / "log")
    os.kill(parent(process.pid), signal.SIGKILL)
    assert process.wait(LIMIT) == 128 + signal.SIGKILL
    eventually(lambda: state(process.pid) in ("", "Z"))
    with pytest.raises(RuntimeError):
        start(fork_server, "wait", tmp_path / "log")


def test_no_child_remains_when_the_owner_is_killed(tmp_path: Path) -> None:
    program = f"""
        import signal, sys, time
        from pathlib import Path
        from tests.fork_server import ForkServer
        fork_server = ForkServer(["json"])
        log = Path({str(tmp_path / "log")!r})
        start = lambda: fork_server.start("tests.unit.test_fork_server:wait", arguments=[], environment={{}}, log=log)
        running, stopped = start(), start()
        stopped.signal(signal.SIGSTOP)
        print(running.pid, stopped.pid, flush=True)
        time.sleep(1000)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pids = [int(word) for word in owner.stdout.readline().split()]
        assert len(pids) == 2
        fork_server = parent(pids[0])
        owner.kill()
    for pid in (*pids, fork_server):
        eventually(lambda pid=pid: state(pid) in ("", "Z"))


# Entry points of the children


def say() -> None:
    unset = {name: value for name, value in os.environ.items() if name not in ("COLOUR", "SIZE")}
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    print(json.dumps([os.getpid(), os.getsid(0), sys.argv, kept, unset]))


def refuse() -> None:
    sys.exit(3)


def fail() -> None:
    raise ValueError("bad")


def wait() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("waiting")
    while True:
        signal.pause()


# Helpers


def state(pid: int) -> str:
    """The state of a process in /proc. Empty: the process does not exist."""
    return _stat(pid)[0]


def parent(pid: int) -> int:
    return int(_stat(pid)[1])


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ["", "0"]
