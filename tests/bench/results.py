"""What was measured, as it is kept in a file of JSON: all that the tables, the page and the plots are made from."""

from pathlib import Path

from pydantic import BaseModel, Field

#: Operations that don't count against Lambda's quota, because they are of other services.
OTHER_SERVICES = frozenset({"GetResources", "GetCallerIdentity"})
#: Names of the processes whose CPU time is measured.
OPERATOR, AWS, API_SERVER, ETCD, BENCH = "operator", "AWS server", "kube-apiserver", "etcd", "benchmark"


class Sample(BaseModel):
    """One second of a world."""

    at: float
    """Seconds since the world began, at the end of the second."""
    calls: dict[str, int]
    """Calls to AWS in it, by operation."""
    cpu: float
    """CPU seconds of the operator per second."""
    rss: float
    """Memory of the operator in MB; 0 while none runs."""


class Phase(BaseModel):
    """What one phase cost. Memory is in MB, times are in seconds."""

    name: str
    began: float = 0.0
    """Since the world began."""
    wall: float = 0.0
    complete: bool = False
    """Whether it came to its end."""
    calls: dict[str, int] = Field(default_factory=dict[str, int])
    """Calls to AWS by operation."""
    errors: dict[str, dict[str, int]] = Field(default_factory=dict[str, dict[str, int]])
    """AWS's refusals by operation and code."""
    throttled: int = 0
    busiest_second: int = 0
    """The most calls against Lambda's quota within one second."""
    writes: dict[str, int] = Field(default_factory=dict[str, int])
    """Writes to Kubernetes by kind, but for the benchmark's own."""
    cpu: dict[str, float] = Field(default_factory=dict[str, float])
    """CPU seconds by process. Of an operator that was started in the phase: since its start."""
    rss: float = 0.0
    """The operator's memory at the end."""
    peak: float = 0.0
    """The most memory of the operator, since its start."""
    latencies: list[float] = Field(default_factory=list[float])
    """How long each change took to arrive in AWS."""
    figures: dict[str, float] = Field(default_factory=dict[str, float])
    """What only this phase knows, by name."""

    @property
    def lambda_calls(self) -> int:
        """Calls against Lambda's quota."""
        return lambda_calls(self.calls)

    def share(self, process: str) -> float:
        """How much of one core a process used."""
        return self.cpu.get(process, 0.0) / self.wall if self.wall else 0.0


class World(BaseModel):
    """What was measured in one world."""

    name: str
    mappings: int
    arguments: list[str] = Field(default_factory=list[str])
    """Flags of the operator."""
    phases: dict[str, Phase] = Field(default_factory=dict[str, Phase])
    samples: list[Sample] = Field(default_factory=list[Sample])
    failure: str = ""
    """Why it did not come to its end; empty: it did."""

    def phase(self, name: str) -> Phase | None:
        """A phase that came to its end, or None."""
        found = self.phases.get(name)
        return found if found is not None and found.complete else None


class Machine(BaseModel):
    """The machine, the time and the versions of the measurement."""

    date: str
    cores: int
    processor: str
    memory: float
    """GB (10^9 bytes)."""
    versions: dict[str, str]


class Results(BaseModel):
    """All worlds of one run, or of several."""

    mappings: int
    command: str
    machine: Machine
    worlds: dict[str, World] = Field(default_factory=dict[str, World])

    def phase(self, world: str, phase: str) -> Phase | None:
        """A phase that came to its end, or None."""
        found = self.worlds.get(world)
        return found.phase(phase) if found is not None else None

    def save(self, file: Path) -> None:
        """Write them, so that a half-written file is never found."""
        new = file.with_name(f"{file.name}.new")
        new.write_text(self.model_dump_json(indent=1))
        new.rename(file)

    @classmethod
    def load(cls, file: Path) -> "Results":
        """Read what was saved."""
        return cls.model_validate_json(file.read_text())


def lambda_calls(calls: dict[str, int]) -> int:
    """Calls against Lambda's quota."""
    return sum(count for operation, count in calls.items() if operation not in OTHER_SERVICES)
