"""What a process holds: memory, threads and file descriptors."""

from dataclasses import dataclass
from pathlib import Path

from tests.bench.processes import usage

#: Threads and descriptors that come and go, such as those of requests.
SLACK = 6


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading."""

    rss: float
    """Memory in MB (10^6 bytes)."""
    threads: int
    descriptors: int

    def __str__(self) -> str:
        return f"{self.rss:.0f} MB, {self.threads} threads, {self.descriptors} descriptors"

    def exceeds(self, before: "Reading") -> str:
        """What there is more of than before, but for a few threads and descriptors that come and go. Empty: nothing."""
        more = {
            "threads": self.threads - before.threads > SLACK,
            "descriptors": self.descriptors - before.descriptors > SLACK,
        }
        return ", ".join(name for name, exceeds in more.items() if exceeds)

    @classmethod
    def of(cls, pid: int) -> "Reading":
        """The present values of a process. Raises BenchError or OSError if there is no such process."""
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        descriptors = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
        return cls(usage(pid).rss, int(status["Threads"]), descriptors)
