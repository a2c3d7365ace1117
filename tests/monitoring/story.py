"""A scenario of some minutes for the picture of the dashboard. It has the set-up of the benchmark.

Many mappings are created. Another tool changes some of them in AWS. AWS throttles and fails, and functions fail and are
missing. The operator is replaced. Mappings are edited while others are created, and very many are deleted.
"""

import time
from collections.abc import Callable

from tests.aws import FaultKind
from tests.bench import phases
from tests.bench.progress import say
from tests.bench.stage import Stage
from tests.bench.workload import function_of, spread
from tests.e2e.manifests import QUEUE
from tests.monitoring.prometheus import Prometheus
from tests.operator_process import REGION

BRAKE = 60
#: The number of resources with a problem, for each kind of problem.
FEW = 8
QUIET = 20.0


def play(stage: Stage, count: int, prometheus: Prometheus) -> None:
    """Run the scenario.

    Args:
        stage: the stage of the benchmark.
        count: the number of mappings.
        prometheus: the Prometheus that scrapes the operator.
    """
    numbers = range(count)
    _start(stage, prometheus, 0, stage.operator.start)
    say(f"{count:,} mappings are made")
    phases.create(stage, numbers)
    phases.settle(stage, count)
    phases.quiet(stage, QUIET)
    say("somebody changes some in AWS")
    phases.drift(stage, numbers, min(40, max(1, count // 5)))
    say("AWS throttles and fails, functions fail and are missing, others have made mappings")
    wrong = _wrong(stage, numbers)
    phases.edits(stage, numbers[: count // 2], min(60, count // 4), QUIET, name="edits while AWS throttles")
    stage.control.clear_faults()
    say("the operator is replaced")
    stage.operator.stop()
    _start(stage, prometheus, 1, lambda: stage.operator.start(f"--deletions-per-minute={BRAKE}"))
    phases.quiet(stage, QUIET, name="after the restart")
    say("mappings are edited while others are made")
    more = range(wrong.stop, wrong.stop + count // 2)
    stage.driver.create(more)
    phases.edits(stage, numbers[count // 2 :], min(60, count // 4), QUIET, name="edits while many are created")
    stage.until("mappings made", count, lambda: stage.following.ready - len(more), timeout=300)
    say("very many are deleted")
    stage.driver.delete(spread(min(2 * BRAKE, count // 2), numbers))
    phases.quiet(stage, QUIET, name="deletions")


def _start(stage: Stage, prometheus: Prometheus, number: int, start: Callable[[], None]) -> None:
    """Start an operator as a pod that Prometheus scrapes."""
    start()
    prometheus.scrape({f"esm-operator-{number}": stage.operator.metrics_url})
    time.sleep(2 * prometheus.interval)


def _wrong(stage: Stage, numbers: range) -> range:
    """Cause problems in some old and new mappings. Returns the numbers of the new ones."""
    new = range(numbers.stop, numbers.stop + 20 * FEW)
    others, missing = [number for number in new if number % 10 == 0][:FEW], new[1:FEW]
    for number in others:
        stage.control.make_mapping(FunctionName=function_of(number), EventSourceArn=QUEUE, region=REGION)
    stage.control.set_world(missing_functions=[function_of(number) for number in missing])
    stage.driver.create([*others, *missing])
    for number in spread(FEW, numbers):
        stage.control.edit_mapping(stage.following.uuid(number), LastProcessingResult="PROBLEM: Function call failed")
    stage.control.fault(FaultKind.THROTTLE, after=20, times=2 * FEW)
    stage.control.fault(FaultKind.SERVICE_EXCEPTION, after=60, times=FEW)
    stage.control.fault(FaultKind.CLOSE, after=90, times=2)
    return new
