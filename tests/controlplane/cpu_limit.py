"""Limits the CPU time of a process, so that tests can see what happens when a server is starved.

The kernel limits the process where it lets us: by a cgroup of version 2, or else of version 1. Both need root and a
mounted ``cpu`` controller, which many containers lack. Otherwise a thread of this process limits it: it reads the CPU
time of the process, pauses the process when it has used more than its share, and resumes it when the share has caught
up (a duty cycle). On average the three ways allow the same CPU time. A paused process cannot do anything, while a
cgroup stops only threads that want to run.
"""

import os
import signal
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Protocol

#: Where systemd and Docker mount the controllers.
CGROUPS = Path("/sys/fs/cgroup")
#: Seconds in which the kernel allows the share once, which is its default.
PERIOD = 0.1
_PERIOD_US = round(PERIOD * 1_000_000)
#: Seconds between two looks of the duty cycle.
_LOOK = 0.01


class Way(Protocol):
    """One way to limit a process. It raises OSError if this machine does not allow it."""

    def __call__(self, pid: int, cores: float) -> AbstractContextManager[None]:
        """Limit a running process to a share of one core, such as 0.1, within the block."""
        ...


def by_cgroup_v2(pid: int, cores: float) -> AbstractContextManager[None]:
    """A cgroup of version 2 at the root, whose ``cgroup.subtree_control`` must have ``cpu`` already."""
    return _cgroup(CGROUPS, "", pid, {"cpu.max": f"{_quota(cores)} {_PERIOD_US}"})


def by_cgroup_v1(pid: int, cores: float) -> AbstractContextManager[None]:
    """A cgroup of version 1, below the mounted ``cpu`` controller."""
    files = {"cpu.cfs_period_us": f"{_PERIOD_US}", "cpu.cfs_quota_us": f"{_quota(cores)}"}
    return _cgroup(CGROUPS / "cpu", "cpu", pid, files)


@contextmanager
def by_duty_cycle(pid: int, cores: float) -> Generator[None]:
    """A thread that sends SIGSTOP and SIGCONT. The process must be of the same user."""
    cpu_time(pid)
    ended = Event()
    thread = Thread(target=_pace, args=(pid, cores, ended), name="duty cycle", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


#: The best one first.
WAYS: Sequence[Way] = (by_cgroup_v2, by_cgroup_v1, by_duty_cycle)


@contextmanager
def limited(pid: int, cores: float) -> Generator[None]:
    """Limit a running process to a share of one core, in the best way that this machine allows.

    Args:
        pid: the process, with all its threads. Its children are not limited by a duty cycle.
        cores: the share of one core, such as 0.1.

    Raises:
        OSError: there is no such process.
    """
    *cgroups, duty_cycle = WAYS
    with ExitStack() as exits:
        for way in cgroups:
            with suppress(OSError):
                exits.enter_context(way(pid, cores))
                break
        else:
            exits.enter_context(duty_cycle(pid, cores))
        yield


def cpu_time(pid: int) -> float:
    """CPU seconds that a process has used, of all its threads. Raises OSError if there is no such process."""
    return time.clock_gettime(~pid << 3 | 2)  # the clock that clock_getcpuclockid(3) returns


def _quota(cores: float) -> int:
    """Microseconds of CPU time in each period."""
    return round(cores * _PERIOD_US)


@contextmanager
def _cgroup(root: Path, controller: str, pid: int, files: Mapping[str, str]) -> Generator[None]:
    """A new cgroup with these values, which has the process within the block.

    Args:
        root: the root of the hierarchy.
        controller: the name of a controller of version 1. Empty: version 2.
        pid: the process.
        files: the values, by the name of the file.
    """
    home = _home(root, controller, pid)
    group = root / f"esm-operator-tests-{pid}"
    group.mkdir(exist_ok=True)
    try:
        for name, value in {**files, "cgroup.procs": str(pid)}.items():
            _write(group / name, value)
        yield
    finally:
        with suppress(OSError):
            _write(home / "cgroup.procs", str(pid))
        with suppress(OSError):
            group.rmdir()


def _home(root: Path, controller: str, pid: int) -> Path:
    """The present cgroup of a process. The root if the process is in one that this process cannot see."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(","):
            found = root / path.lstrip("/")
            return found if found.is_dir() else root
    raise FileNotFoundError(f"The process {pid} is in no cgroup of this kind.")


def _write(file: Path, text: str) -> None:
    """Write to a file that the kernel has made. It raises FileNotFoundError where no cgroups are mounted."""
    descriptor = os.open(file, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _pace(pid: int, cores: float, ended: Event) -> None:
    """Pause a process while it has used more than its share. Time in which it used less is not saved up."""
    allowed, at = cpu_time(pid), time.monotonic()
    with suppress(OSError):  # the process has ended
        while not ended.wait(_LOOK):
            now = time.monotonic()
            used, allowed, at = cpu_time(pid), allowed + cores * (now - at), now
            if used > allowed:
                os.kill(pid, signal.SIGSTOP)
                ended.wait((used - allowed) / cores)
                os.kill(pid, signal.SIGCONT)
            allowed = min(allowed, used + cores * PERIOD)
