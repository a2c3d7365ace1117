"""Measures phases: what AWS was asked, what was written to Kubernetes, what processes used, from one mark to the next.

Phases follow each other without a gap, so that no call is in none of them.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Self

from tests.aws import Control, Counts
from tests.bench import processes, writes
from tests.bench.driver import Driver
from tests.bench.processes import Usage
from tests.bench.progress import say
from tests.bench.results import BENCH, OPERATOR, Phase, Sample, World

#: Seconds between samples.
_SECOND = 1.0


class Calls:
    """What the AWS server was asked, since the last mark and at all. For any thread."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._before: Counter[str] = Counter()
        self._lock = Lock()

    def now(self) -> dict[str, int]:
        """By operation, since the last mark."""
        return self._control.counts().calls

    def ever(self) -> Counter[str]:
        """By operation, since the server was started."""
        with self._lock:
            return self._before + Counter(self.now())

    def mark(self) -> Counts:
        """All since the last mark; the next count starts here."""
        with self._lock:
            counts = self._control.reset_counts()
            self._before.update(counts.calls)
            return counts


@dataclass(frozen=True, slots=True)
class _Mark:
    at: float
    counts: Counts
    writes: Counter[str]
    usage: dict[str, Usage]


class Meter:
    """Fills in the phases of a world, and samples each second while it is entered."""

    def __init__(
        self,
        world: World,
        *,
        calls: Calls,
        driver: Driver,
        pids: dict[str, int],
        operator: Callable[[], Usage | None],
        save: Callable[[], None],
    ) -> None:
        """
        Args:
            world: what is filled in.
            calls: to AWS.
            driver: the other writer to Kubernetes.
            pids: the processes that run all the time, by name.
            operator: what the operator has used; None: it does not run.
            save: called after each phase.
        """
        self._world = world
        self._calls = calls
        self._driver = driver
        self._pids = {**pids, BENCH: os.getpid()}
        self._operator = operator
        self._save = save
        self._began = time.monotonic()
        self._last: _Mark | None = None
        self._stopped = Event()
        self._sampler = Thread(target=self._sample, name="sampler", daemon=True)

    def __enter__(self) -> Self:
        self._sampler.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._sampler.join(10)

    @contextmanager
    def phase(self, name: str) -> Generator[Phase]:
        """Measure what is done within; it is kept, marked as incomplete, if that fails."""
        before = self._last or self._mark()
        phase = self._world.phases[name] = Phase(name=name, began=before.at - self._began)
        say(f"{self._world.name}: {name}")
        try:
            yield phase
            phase.complete = True
        finally:
            after = self._last = self._mark()
            _fill(phase, before, after)
            self._save()

    def pass_over(self) -> None:
        """Have what happened since the last phase count for none; else it is the next one's."""
        self._last = self._mark()

    def _mark(self) -> _Mark:
        usage = {name: processes.usage(pid) for name, pid in self._pids.items()}
        operator = self._operator()
        if operator is not None:
            usage[OPERATOR] = operator
        at, counts = time.monotonic(), self._calls.mark()
        return _Mark(at, counts, self._driver.writes_of_others(), usage)

    def _sample(self) -> None:
        calls, used, at = self._calls.ever(), self._operator(), time.monotonic()
        while not self._stopped.wait(max(0.0, at + _SECOND - time.monotonic())):
            with suppress(OSError):  # the server is just going
                calls_before, used_before, at_before = calls, used, at
                at = time.monotonic()
                calls, used = self._calls.ever(), self._operator()
                since = used_before.cpu if used and used_before and used.pid == used_before.pid else 0.0
                sample = Sample(
                    at=at - self._began,
                    calls=writes.between(calls_before, calls),
                    cpu=(used.cpu - since) / (at - at_before) if used else 0.0,
                    rss=used.rss if used else 0.0,
                )
                self._world.samples.append(sample)


def _fill(phase: Phase, before: _Mark, after: _Mark) -> None:
    phase.wall = after.at - before.at
    phase.calls = after.counts.calls
    phase.errors = after.counts.errors
    phase.throttled = after.counts.throttled
    phase.busiest_second = max(after.counts.busiest_second.values(), default=0)
    phase.writes = writes.between(before.writes, after.writes)
    for name, used in after.usage.items():
        began = before.usage.get(name)
        phase.cpu[name] = used.cpu - (began.cpu if began is not None and began.pid == used.pid else 0.0)
    operator = after.usage.get(OPERATOR)
    if operator is not None:
        phase.rss, phase.peak = operator.rss, operator.peak
