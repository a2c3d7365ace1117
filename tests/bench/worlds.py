"""The worlds: which phases follow each other, with how many mappings, and with which settings."""

from collections.abc import Callable
from dataclasses import dataclass

from tests import role
from tests.bench import phases, scale
from tests.bench.load import load
from tests.bench.operator import knows
from tests.bench.stage import QUOTA, Stage
from tests.bench.workload import function_of
from tests.e2e.referenced_objects import grant, install_kinds

#: What lifts the operator's own limits, where AWS has none.
LIFTED = ("--requests-per-second=1000",)
_KUBERNETES = "--kubernetes-requests-per-second"
#: Resources that are well while all others fail.
GOOD = 50
LOAD_SECONDS = 5.0
#: Seconds after which the last processing result of each mapping changes while nobody changes anything, as on streams
#: with little traffic.
RESULT_PERIOD = 60.0
#: Seconds that the API server is slow, for each mapping: two minutes with the usual 1,000 mappings.
SLOW_SECONDS = 0.12


@dataclass(frozen=True)
class Script:
    """One world's."""

    play: Callable[[Stage, int], None]
    part: int = 1
    """Which part of the mappings of the whole benchmark it has: 10 for a tenth."""
    usual: bool = True
    """Whether it runs unless other worlds are named. The page needs its results, and its counts are exact."""

    def mappings(self, total: int) -> int:
        """How many mappings it has."""
        return max(1, total // self.part)


def lifted() -> tuple[str, ...]:
    """The flags that lift all limits that this operator has."""
    return (*LIFTED, f"{_KUBERNETES}=10000") if knows(_KUBERNETES) else LIFTED


def small(stage: Stage, count: int) -> None:
    """To compare what one mapping costs with what it costs among many."""
    stage.start()
    phases.create(stage, range(count))
    phases.settle(stage, count)
    phases.restart(stage, count)


def fifth(stage: Stage, count: int) -> None:
    """What AWS is asked until all are ready, sweeps included."""
    stage.start()
    phases.create(stage, range(count))
    phases.settle(stage, count)


def full(stage: Stage, count: int) -> None:
    """All that happens in the life of many mappings."""
    numbers = range(count)
    stage.start()
    phases.create(stage, numbers)
    phases.settle(stage, count)
    phases.restart(stage, count)
    stage.control.set(result_period=RESULT_PERIOD)
    phases.quiet(stage, scale.patience(count, 300.0))
    stage.control.set(result_period=0)
    phases.drift(stage, numbers, min(100, max(1, count // 5)))
    phases.edits_while_pending(stage, numbers, range(count, count + count // 2))
    phases.delete_all(stage, numbers)


def ceiling(stage: Stage, count: int) -> None:
    """How fast the operator itself is, if AWS sets no pace; and how fast the AWS server would be without it."""
    stage.control.set(quota=0, tagging_quota=0)
    stage.start(lifted())
    phases.create(stage, range(count))
    phases.settle(stage, count)
    stage.operator.stop()
    with stage.phase("load on the AWS server") as phase:
        phase.figures["requests"] = load(stage.aws.endpoint, LOAD_SECONDS)
        phase.figures["seconds"] = LOAD_SECONDS


def errors(stage: Stage, count: int) -> None:
    """All but a few fail for good, their functions missing; does that eat the quota, or hold up the few?"""
    good, all_of_them = range(min(GOOD, count)), range(count + min(GOOD, count))
    bad = all_of_them[len(good) :]
    stage.control.set_world(missing_functions=[function_of(number) for number in bad])
    stage.control.set(quota=0, tagging_quota=0)
    stage.start(lifted())
    with stage.phase("setup"):
        stage.driver.create(good)
        stage.until("good ones ready", len(good), lambda: stage.following.ready, timeout=300)
        with stage.meanwhile(stage.driver.create, bad):
            stage.until("resources told of", len(all_of_them), lambda: stage.following.told, timeout=300 + count / 5)
    stage.operator.stop()
    stage.meter.pass_over()  # its last calls knew no limit
    with stage.phase("after a restart"):
        stage.control.set(quota=QUOTA, tagging_quota=QUOTA)
        stage.operator.start()
        phases.pause(stage, scale.patience(count, 60.0))
    phases.quiet(stage, scale.patience(count, 120.0), name="errors alone")
    phases.edits(stage, good, min(30, len(good)), scale.patience(count, 60.0), name="edits among errors")


def references(stage: Stage, count: int) -> None:
    """What two references for each resource cost, compared with the same resources without references."""
    numbers, changes, seconds = range(count), min(100, max(1, count // 5)), scale.patience(count, 100.0)
    install_kinds(stage.plane)
    grant(stage.plane, *role.references())
    stage.control.set(quota=0, tagging_quota=0)
    stage.start(lifted())
    with stage.phase("setup"), stage.meanwhile(stage.driver.create, numbers):
        stage.until("resources ready", count, lambda: stage.following.ready, timeout=300 + count / 5)
    stage.control.set(quota=QUOTA, tagging_quota=QUOTA)
    phases.restart(stage, count)
    phases.refer(stage, numbers)
    phases.restart(stage, count, name=phases.RESTART_REFERRING)
    phases.edits(stage, numbers, changes, seconds, name=phases.EDITS_OF_RESOURCES)
    phases.edits_of_objects(stage, numbers, changes, seconds)


def starved(stage: Stage, count: int) -> None:
    """The API server has a tenth of a core while one user creates resources."""
    stage.start()
    phases.starved(stage, range(count), stage.driver.create_in_turn)


def starved_burst(stage: Stage, count: int) -> None:
    """The same with many requests at a time, as a tool sends them that applies a whole repository."""
    stage.start()
    phases.starved(stage, range(count), stage.driver.create_patiently)


def brownout(stage: Stage, count: int) -> None:
    """The API server has a tenth of a core for two minutes, while a thousand mappings are created."""
    with stage.phase("setup"):
        stage.driver.create(range(count))
        stage.operator.start()
    phases.brownout(stage, count, SLOW_SECONDS * count)


SCRIPTS = {
    "small": Script(small, part=10),
    "fifth": Script(fifth, part=5),
    "ceiling": Script(ceiling, part=5),
    "errors": Script(errors),
    "full": Script(full),
    "references": Script(references, usual=False),
    "starved": Script(starved, part=50, usual=False),
    "starved-longer": Script(starved, part=10, usual=False),
    "starved-burst": Script(starved_burst, part=50, usual=False),
    "starved-burst-longer": Script(starved_burst, part=10, usual=False),
    "brownout": Script(brownout, part=10, usual=False),
}
#: The worlds of ``make bench``.
USUAL = [name for name, script in SCRIPTS.items() if script.usual]
