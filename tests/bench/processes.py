"""What processes have used, from the kernel: CPU time and memory."""

import os
from dataclasses import dataclass
from pathlib import Path

from tests.bench.errors import BenchError

_TICKS = os.sysconf("SC_CLK_TCK")
_KIB_IN_MB = 1024 / 1e6


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one process, since it began."""

    pid: int
    cpu: float
    """Seconds of all its threads, in user and system mode."""
    rss: float
    """Memory that it has now, in MB (10^6 bytes)."""
    peak: float
    """The most memory that it had, in MB."""


def usage(pid: int) -> Usage:
    """What a process has used so far.

    Raises:
        BenchError: there is no such process any more.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        ticks = sum(int(field) for field in stat.rpartition(")")[2].split()[11:13])
        return Usage(pid, ticks / _TICKS, _megabytes(status["VmRSS"]), _megabytes(status["VmHWM"]))
    except (OSError, KeyError) as error:
        raise BenchError(f"The process {pid} has ended.") from error


def running_in(folder: Path, name: str) -> int:
    """The process of a program that has a folder as its working directory: so etcd and kube-apiserver are found."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").resolve() == folder.resolve() and _program(process) == name:
                return int(process.name)
        except OSError:
            continue  # somebody else's, or gone
    raise BenchError(f"No {name} runs in {folder}.")


def _program(process: Path) -> str:
    return Path(os.fsdecode((process / "cmdline").read_bytes().split(b"\0")[0])).name


def _megabytes(text: str) -> float:
    return int(text.split()[0]) * _KIB_IN_MB
