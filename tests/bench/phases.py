"""The phases: each does one thing to a world, and waits until it is done. What they measure is in their results."""

import math
import time
from collections.abc import Callable, Iterable

from tests.bench import writes
from tests.bench.arrivals import Arrivals, Change
from tests.bench.errors import BenchError
from tests.bench.pace import Reading, rate, recovery
from tests.bench.progress import Progress
from tests.bench.referenced import function_arn
from tests.bench.results import lambda_calls
from tests.bench.scale import DEFAULT_INTERVAL
from tests.bench.stage import Stage
from tests.bench.workload import BATCH_SIZE, spread

#: Requests a second that the operator makes at its defaults.
BUDGET = 10.0
#: Seconds after which no change is waited for any longer, in addition to the wait for the rate limiter.
MOST_WAIT = 2 * DEFAULT_INTERVAL
#: A batchSize that only changes made in AWS set.
DRIFTED = BATCH_SIZE - 1
#: Seconds in which all that follows from a change is in the status.
AFTERMATH = 5.0
#: The phase in which more resources are there than the run is of.
EDITS = "edits while many are created"
#: The restart, and the edits, of resources with references; and the edits of the same resources themselves.
REFER, RESTART_REFERRING = "change to references", "restart with references"
EDITS_OF_OBJECTS, EDITS_OF_RESOURCES = "edits of referenced objects", "edits of resources"
STARVED, BROWNOUT = "create while starved", "create with a brownout"
#: The share of one core that a starved API server gets.
SHARE = 0.1
#: Seconds between readings of a count.
_LOOK = 0.2
CREATE, DELETE = "CreateEventSourceMapping", "DeleteEventSourceMapping"


def create(stage: Stage, numbers: range, *, name: str = "create", rate: float = BUDGET) -> None:
    """Make resources, until AWS has been asked to create all their mappings.

    Figures: ``seconds`` from the first resource to the last mapping.
    """
    count = len(numbers)
    with stage.phase(name) as phase:
        began = time.monotonic()
        with stage.meanwhile(stage.driver.create, numbers):
            stage.until(
                "mappings created",
                count,
                lambda: stage.calls.now().get(CREATE, 0),
                timeout=_patience(count, rate),
                every=0.1 if count <= 1000 else 0.3,
            )
            phase.figures["seconds"] = time.monotonic() - began


def settle(stage: Stage, count: int) -> None:
    """Wait until all resources are ready."""
    with stage.phase("settle"):
        stage.until("resources ready", count, lambda: stage.following.ready, timeout=_patience(count))


def restart(stage: Stage, count: int, *, name: str = "restart") -> None:
    """Stop the operator and start it again, until it has compared each resource with AWS.

    Figures: ``stopped``, seconds that it took to end; from its start until all are compared: ``seconds``, ``cpu``
    seconds and ``lambda_calls``. Calls of the tagging API are waited for beyond that.
    """
    # Events that wait would be posted at the operator's end.
    _until_it_stays(stage, lambda: stage.driver.writes_of_others()[writes.EVENTS])
    stage.meter.pass_over()
    with stage.phase(name) as phase:
        asked = time.monotonic()
        stage.operator.stop()
        phase.figures["stopped"] = time.monotonic() - asked
        before, began = lambda_calls(stage.calls.now()), time.monotonic()
        stage.operator.start()
        stage.until(
            "resources compared with AWS",
            count,
            stage.operator.reconciled,
            timeout=_patience(count / 100) + 300,
            every=0.1 if count <= 1000 else 1.0,
        )
        phase.figures["seconds"] = time.monotonic() - began
        used = stage.operator.usage()
        phase.figures["cpu"] = used.cpu if used is not None else math.nan
        phase.figures["lambda_calls"] = lambda_calls(stage.calls.now()) - before
        _until_it_stays(stage, lambda: stage.calls.now().get("GetResources", 0))


def quiet(stage: Stage, seconds: float, *, name: str = "quiet") -> None:
    """Nobody changes anything."""
    with stage.phase(name):
        pause(stage, seconds)


def pause(stage: Stage, seconds: float) -> None:
    """Let time pass."""
    progress, began = Progress("seconds have passed", int(seconds)), time.monotonic()
    while (passed := time.monotonic() - began) < seconds:
        stage.check()
        progress.tick(int(passed))
        time.sleep(min(1.0, seconds - passed))


def drift(stage: Stage, numbers: range, changes: int) -> None:
    """Change mappings in AWS, all in a moment, and wait until they are corrected.

    Latencies: from each change to the Update that corrects it.
    """
    with stage.phase("drift") as phase:
        arrivals = Arrivals(stage.control)
        for number in spread(changes, numbers):
            uuid = stage.following.uuid(number)
            stage.control.edit_mapping(uuid, BatchSize=DRIFTED)
            arrivals.made(Change(uuid, "BatchSize", BATCH_SIZE), time.time())
        phase.figures["changes"] = changes
        _until_arrived(stage, arrivals, changes, "changes put right")
        phase.latencies = arrivals.latencies()
        _until_calm(stage, len(numbers))


def edits_while_pending(stage: Stage, numbers: range, pending: range) -> None:
    """Make many more resources, edit old ones while the new ones wait for AWS's quota, and delete the new ones.

    Latencies: from the API server's answer to each edit to the Update. Figures: ``changes``; ``pending``, how many
    still waited at the last edit; ``left``, seconds from the deletion until they are gone.
    """
    wait = len(pending) / BUDGET
    changes = max(1, min(60, len(numbers) // 10))
    pause = min(1.0, 0.6 * wait / changes)
    with stage.phase(EDITS) as phase:
        stage.driver.create(pending)
        phase.latencies = _edits(stage, spread(changes, numbers), pause)
        phase.figures["changes"] = changes
        phase.figures["pending"] = len(pending) - stage.calls.now().get(CREATE, 0)
        began = time.monotonic()
        with stage.meanwhile(stage.driver.delete, pending):
            stage.until(
                "new resources gone",
                len(pending),
                lambda: len(numbers) + len(pending) - len(stage.following),
                timeout=_patience(len(pending)),
            )
            phase.figures["seconds"] = time.monotonic() - began
        _until_calm(stage, len(numbers))


def edits(stage: Stage, numbers: range, changes: int, seconds: float, *, name: str) -> None:
    """Edit resources now and then, over a stretch of time.

    Latencies: from the API server's answer to each edit to the Update. Figures: ``changes``.
    """
    with stage.phase(name) as phase:
        began = time.monotonic()
        phase.latencies = _edits(stage, spread(changes, numbers), seconds / changes)
        phase.figures["changes"] = changes
        time.sleep(max(0.0, began + seconds - time.monotonic()))


def refer(stage: Stage, numbers: range) -> None:
    """Put references in the place of values, and wait until the statuses have the values of the references.

    Figures: ``seconds`` until then.
    """
    with stage.phase(REFER) as phase:
        began = time.monotonic()
        stage.driver.refer(numbers)
        _until_calm(stage, len(numbers))
        phase.figures["seconds"] = time.monotonic() - began


def edits_of_objects(stage: Stage, numbers: range, changes: int, seconds: float) -> None:
    """Change the ARNs of functions in the objects that resources reference, over a stretch of time.

    Latencies: from the API server's answer to each change to the Update. Figures: ``changes``.
    """
    with stage.phase(EDITS_OF_OBJECTS) as phase:
        phase.latencies = _edits(stage, spread(changes, numbers), seconds / changes, _edit_function)
        phase.figures["changes"] = changes
        _until_calm(stage, len(numbers))


def starved(stage: Stage, numbers: range, make: Callable[[Iterable[int]], None]) -> None:
    """Make resources in some way while the API server has little CPU time, until all are ready.

    Figures: ``seconds`` from the first resource until all are ready, ``mappings`` in AWS then, and the counts of
    :class:`tests.bench.operator.KubernetesCounts`.
    """
    count, before = len(numbers), stage.operator.kubernetes()
    with stage.phase(STARVED) as phase, stage.plane.starve_apiserver(SHARE):
        began = time.monotonic()
        try:
            with stage.meanwhile(make, numbers):
                stage.until("resources ready", count, lambda: stage.following.ready, timeout=_patience(count, 1.0))
        finally:
            phase.figures["seconds"] = time.monotonic() - began
            phase.figures["mappings"] = len(stage.control.mappings())
            phase.figures.update(stage.operator.kubernetes().since(before))


def brownout(stage: Stage, count: int, seconds: float) -> None:
    """Create the mappings of resources that exist, and starve the API server for a while after the first fifth.

    Figures: creations a second ``before`` and ``during`` that time; ``waiting``, creations that were left at its end;
    ``recovery``, seconds from its end until mappings are created as fast as before, if enough are left to see that;
    ``mappings`` in AWS at the end, and the counts of :class:`tests.bench.operator.KubernetesCounts`.
    """
    readings: list[Reading] = []

    def created() -> int:
        readings.append(Reading(time.monotonic(), stage.calls.ever()[CREATE]))
        return readings[-1].count

    counts = stage.operator.kubernetes()
    with stage.phase(BROWNOUT) as phase:
        stage.until("mappings created", count // 5, created, timeout=_patience(count))
        before, first = rate(readings), len(readings) - 1
        with stage.plane.starve_apiserver(SHARE):
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                stage.check()
                created()
                time.sleep(_LOOK)
        over = time.monotonic()
        phase.figures.update(before=before, during=rate(readings[first:]), waiting=count - created())
        stage.until("mappings created", count, created, timeout=_patience(count))
        recovered = recovery(readings, over, before)
        if recovered is not None:
            phase.figures["recovery"] = recovered
        stage.until("resources ready", count, lambda: stage.following.ready, timeout=_patience(count))
        phase.figures["mappings"] = len(stage.control.mappings())
        phase.figures.update(stage.operator.kubernetes().since(counts))


def delete_all(stage: Stage, numbers: range) -> None:
    """Delete all resources, until they and their mappings are gone.

    Figures: ``seconds`` until then, ``left``: mappings in AWS after it.
    """
    count = len(numbers)
    with stage.phase("delete") as phase:
        began = time.monotonic()
        with stage.meanwhile(stage.driver.delete, numbers):
            stage.until(
                "resources gone", count, lambda: count - len(stage.following), timeout=_patience(count), every=0.2
            )
            phase.figures["seconds"] = time.monotonic() - began
        phase.figures["left"] = len(stage.control.mappings())


def _edit_batch_size(stage: Stage, number: int, index: int) -> tuple[Change, float]:
    """Edit a resource. Returns the expected change in AWS, and the time at which the API server answered."""
    size = 1 + index % (DRIFTED - 1)
    return Change(stage.following.uuid(number), "BatchSize", size), stage.driver.edit(number, size)


def _edit_function(stage: Stage, number: int, index: int) -> tuple[Change, float]:
    """Edit the object that has the ARN of a resource's function. Returns the same."""
    arn = function_arn(number, 1 + index)
    return Change(stage.following.uuid(number), "FunctionName", arn), stage.driver.edit_function(number, arn)


def _edits(
    stage: Stage,
    numbers: list[int],
    pause: float,
    edit: Callable[[Stage, int, int], tuple[Change, float]] = _edit_batch_size,
) -> list[float]:
    """Make edits, one after the other, and wait until all have reached AWS."""
    arrivals = Arrivals(stage.control)
    for index, number in enumerate(numbers):
        arrivals.made(*edit(stage, number, index))
        arrivals.wait_a_moment(pause)
    _until_arrived(stage, arrivals, len(numbers), "edits arrived in AWS")
    return arrivals.latencies()


def _until_arrived(stage: Stage, arrivals: Arrivals, changes: int, what: str) -> None:
    """Wait for all, but not for ever: what does not come is missing in the results."""
    try:
        stage.until(what, changes, arrivals.look, timeout=MOST_WAIT + changes / BUDGET, every=1.0)
    except BenchError:
        stage.check()


def _until_calm(stage: Stage, count: int) -> None:
    """Wait until the statuses are about the last changes."""
    time.sleep(AFTERMATH)
    stage.until("resources ready again", count, lambda: stage.following.ready, timeout=_patience(count))


def _until_it_stays(stage: Stage, count: Callable[[], int]) -> None:
    """Wait until what is counted has been the same for some seconds."""
    before, since = -1, time.monotonic()
    while time.monotonic() - since < AFTERMATH:
        stage.check()
        now = count()
        if now != before:
            before, since = now, time.monotonic()
        time.sleep(0.5)


def _patience(count: float, rate: float = BUDGET) -> float:
    """Seconds after which so many calls are not waited for any longer."""
    return 120 + 4 * count / rate
