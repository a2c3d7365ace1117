"""The figures that matter, each with what would be ideal, what was aimed at, and the figure of a peer. Pure."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tests.bench import writes
from tests.bench.percentiles import percentile
from tests.bench.phases import (
    BROWNOUT,
    BUDGET,
    EDITS,
    EDITS_OF_OBJECTS,
    EDITS_OF_RESOURCES,
    RESTART_REFERRING,
    SHARE,
    STARVED,
)
from tests.bench.results import AWS, OPERATOR, Phase, Results, World
from tests.bench.scale import sweep_interval
from tests.bench.stage import PACE, QUOTA

#: Status writes a second, of all resources together, while only last processing results change.
MOST_RESULTS = 1.0
#: Mappings that one List answers at most, and resources that one GetResources does.
PAGE = 100
#: How the resources are created in the worlds in which the API server is starved.
_STARVED = {
    "starved": "one after the other",
    "starved-longer": "one after the other",
    "starved-burst": "eight at a time",
    "starved-burst-longer": "eight at a time",
}
#: The most seconds, and the figure of ACK, by the number of mappings.
_STARVED_GOALS: Mapping[int, tuple[float | None, str]] = {200: (115.0, "76 s"), 1000: (None, "408 s")}


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure."""

    what: str
    value: str
    ideal: str = ""
    target: str = ""
    met: bool | None = None
    """Whether the target was met; None: there is none."""
    peer: str = ""
    """The figure of ACK's Lambda controller, where it was measured."""


def figures(results: Results) -> list[Figure]:
    """All figures of the measurements."""
    return [figure for make in _MAKERS for figure in make(results)]


def _creation(results: Results) -> Iterator[Figure]:
    fifth = results.worlds.get("fifth")
    calls, count = _calls_until_ready(fifth), fifth.mappings if fifth is not None else 0
    if calls is not None:
        each = calls / count
        yield Figure(
            f"AWS Lambda calls for each created mapping, sweeps included ({count:,} mappings, until all are Ready)",
            f"{each:.3f}",
            "1 (its Create)",
            "at most 1.1",
            each <= 1.1,
            "3.0",
        )
    phase, count = results.phase("full", "create"), results.mappings
    if phase is not None:
        ideal = count / BUDGET
        ratio = phase.figures["seconds"] / ideal
        yield Figure(
            f"Time to create {count:,} mappings",
            f"{_seconds(phase.figures['seconds'])} ({ratio:.3f} × the ideal)",
            f"{_seconds(ideal)} ({count:,} calls)",
            "at most 1.05 × the ideal",
            ratio <= 1.05,
        )
    settle = results.phase("full", "settle")
    if phase is not None and settle is not None:
        made = {name: phase.writes.get(name, 0) + settle.writes.get(name, 0) for name in phase.writes | settle.writes}
        events = made.get(writes.EVENTS, 0)
        others = sum(writes.without_leases(made).values()) - events
        yield Figure(
            "Writes to Kubernetes for each created mapping, without Events",
            f"{others / count:.3f}",
            "2 (intent, state)",
            "at most 3",
            others <= 3 * count,
        )
        yield Figure("Events for each created mapping", f"{events / count:.3f}", "1", "at most 2", events <= 2 * count)


def _calls_until_ready(world: World | None) -> int | None:
    if world is None:
        return None
    create, settle = world.phase("create"), world.phase("settle")
    return create.lambda_calls + settle.lambda_calls if create is not None and settle is not None else None


def _throttled(results: Results) -> Iterator[Figure]:
    phases = [phase for world in results.worlds.values() for phase in world.phases.values()]
    if phases:
        throttled = sum(phase.throttled for phase in phases)
        busiest = max(
            (
                phase.busiest_second
                for name, world in results.worlds.items()
                for phase in world.phases.values()
                if name != "ceiling" and phase.name != "setup"
            ),
            default=0,
        )
        yield Figure("Calls that AWS throttled, in all worlds", f"{throttled}", "0", "0", throttled == 0)
        yield Figure(
            "Most AWS Lambda calls in one second, at the default rate",
            f"{busiest}",
            f"{BUDGET:.0f}",
            f"at most {QUOTA:.0f} (AWS's quota)",
            busiest <= QUOTA,
        )


def _restart(results: Results) -> Iterator[Figure]:
    phase, count = results.phase("full", "restart"), results.mappings
    if phase is None:
        return
    pages, most = -(-count // PAGE), count / PAGE + 10
    asked, tags = int(phase.figures["lambda_calls"]), phase.calls.get("GetResources", 0)
    yield Figure(
        f"AWS Lambda calls at a restart with {count:,} mappings",
        f"{asked:,}",
        f"{pages:,} (pages of {PAGE})",
        f"at most {most:,.0f}",
        asked <= most,
        f"{2 * count:,} (calculated from 2 for each mapping)",
    )
    yield Figure(
        f"Calls to the tagging API at a restart with {count:,} mappings",
        f"{tags:,}",
        f"{pages:,} (pages of {PAGE})",
        f"at most {most:,.0f}",
        tags <= most,
    )
    written = sum(writes.without_leases(phase.writes).values())
    yield Figure("Writes to Kubernetes at a restart, without leases", f"{written:,}", "0", "0", written == 0)
    seconds, cpu = phase.figures["seconds"], phase.figures["cpu"]
    yield Figure(
        "Time from a start until all mappings are compared with their resources",
        _seconds(seconds),
        f"{_seconds(pages / BUDGET)} ({pages:,} calls)",
        "at most 45 s",
        seconds <= 45,
    )
    yield Figure(
        "CPU time of the operator until all mappings are compared with their resources",
        _seconds(cpu),
        "",
        "at most 20 s",
        cpu <= 20,
    )


def _drift(results: Results) -> Iterator[Figure]:
    phase = results.phase("full", "drift")
    if phase is None:
        return
    interval = sweep_interval(results.mappings)
    changes, most = int(phase.figures["changes"]), max(phase.latencies, default=0.0)
    yield Figure(
        f"Drift of {changes} mappings: time until half of them are corrected",
        _seconds(percentile(phase.latencies, 50)),
        f"{interval / 2:.0f} s (half a sweep interval)",
    )
    yield Figure(
        f"Drift of {changes} mappings: time until all of them are corrected",
        f"{_seconds(most)}{_missing(phase)}",
        f"{interval:.0f} s (a sweep interval)",
        f"at most {interval + 15:.0f} s",
        len(phase.latencies) == changes and most <= interval + 15,
        "10 h (its default interval)",
    )


def _quiet(results: Results) -> Iterator[Figure]:
    phase, count = results.phase("full", "quiet"), results.mappings
    if phase is None:
        return
    interval = sweep_interval(count)
    share, core = phase.lambda_calls / phase.wall / QUOTA, phase.share(OPERATOR)
    pages = -(-count // PAGE)
    yield Figure(
        f"While nothing changes: share of AWS's quota, with {count:,} mappings",
        _percent(share),
        f"{_percent(pages / interval / QUOTA)} ({pages:,} pages every {interval:.0f} s)",
        "at most 12 %",
        share <= 0.12,
    )
    yield Figure("While nothing changes: share of one core", _percent(core), "", "at most 5 %", core <= 0.05)
    written = writes.without_leases(phase.writes)
    rate = written.pop(writes.STATUS, 0) / phase.wall
    yield Figure(
        "While only the last processing results change, each once a minute: status writes a second",
        f"{rate:.2f}",
        "",
        f"at most {MOST_RESULTS:.0f}",
        rate <= MOST_RESULTS,
    )
    others = sum(written.values())
    yield Figure(
        "While nothing changes: other writes to Kubernetes, without leases", f"{others:,}", "0", "0", not others
    )


def _memory(results: Results) -> Iterator[Figure]:
    """The most in any phase before more resources are there than the table speaks of; then the most of all."""
    world, count = results.worlds.get("full"), results.mappings
    edits, deletion = results.phase("full", EDITS), results.phase("full", "delete")
    if world is None:
        return
    phases = itertools.takewhile(lambda phase: phase.name != EDITS, world.phases.values())
    peak = max((phase.peak for phase in phases), default=0.0)
    if peak:
        yield Figure(
            f"Highest memory (RSS) with {count:,} mappings", f"{peak:.0f} MB", "", "at most 250 MB", peak <= 250
        )
    if edits is not None:
        yield Figure(f"Highest memory (RSS) with {count + count // 2:,} resources", f"{edits.peak:.0f} MB")
    if deletion is not None:
        yield Figure("Highest memory (RSS) until all resources are deleted", f"{deletion.peak:.0f} MB")


def _edits(results: Results) -> Iterator[Figure]:
    phase = results.phase("full", EDITS)
    if phase is not None:
        yield from _edit_figures(
            f"while {phase.figures['pending']:,.0f} or more creations wait", phase, f"{_seconds(1 / BUDGET)} (one call)"
        )
    phase = results.phase("errors", "errors alone")
    if phase is not None:
        share = phase.lambda_calls / phase.wall / QUOTA
        yield Figure(
            f"Share of AWS's quota for the retries of {results.mappings:,} failing resources",
            _percent(share),
            "",
            "at most 20 %",
            share <= 0.2,
        )
    phase = results.phase("errors", "edits among errors")
    if phase is not None:
        yield from _edit_figures(f"while {results.mappings:,} other resources fail", phase)


def _edit_figures(situation: str, phase: Phase, ideal: str = "", *, what: str = "an edit") -> Iterator[Figure]:
    p50, p99 = (percentile(phase.latencies, percent) for percent in (50, 99))
    yield Figure(f"Time from {what} to its Update in AWS, {situation}, median", _seconds(p50), ideal)
    yield Figure(
        f"Time from {what} to its Update in AWS, {situation}, 99th percentile",
        f"{_seconds(p99)}{_missing(phase)}",
        ideal,
        "at most 2 s",
        p99 <= 2 and len(phase.latencies) == phase.figures["changes"],
    )


def _deletion(results: Results) -> Iterator[Figure]:
    phase, count = results.phase("full", "delete"), results.mappings
    if phase is None:
        return
    ideal = count / BUDGET + PACE
    yield Figure(
        f"Time to delete {count:,} mappings",
        f"{_seconds(phase.figures['seconds'])} ({phase.figures['seconds'] / ideal:.3f} × the ideal)",
        f"{_seconds(ideal)} ({count:,} calls, and {PACE:.0f} s of AWS)",
    )
    yield Figure("AWS Lambda calls for each deleted mapping", f"{phase.lambda_calls / count:.3f}", "1 (its Delete)")


def _ceiling(results: Results) -> Iterator[Figure]:
    create, settle = results.phase("ceiling", "create"), results.phase("ceiling", "settle")
    if create is None or settle is None:
        return
    count = results.worlds["ceiling"].mappings
    cpu = create.cpu[OPERATOR] + settle.cpu[OPERATOR]
    rate = count / cpu
    yield Figure(
        f"Without rate limits: mappings created per second ({count:,} mappings)",
        f"{count / create.figures['seconds']:.0f}",
    )
    yield Figure(
        f"Without rate limits: mappings created per CPU second of the operator ({count:,} mappings)",
        f"{rate:.0f}",
        "",
        "at least 60",
        rate >= 60,
    )


def _references(results: Results) -> Iterator[Figure]:
    before, after = results.phase("references", "restart"), results.phase("references", RESTART_REFERRING)
    if before is None or after is None:
        return
    what = f"with two references in each of {results.worlds['references'].mappings:,} resources, compared with none"
    yield _ratio(f"Highest memory (RSS) at a restart {what}", before.peak, after.peak, "MB")
    yield _ratio(f"CPU time of the operator at a restart {what}", before.figures["cpu"], after.figures["cpu"], "s")
    others = after.lambda_calls - after.calls.get("ListEventSourceMappings", 0)
    yield Figure("AWS Lambda calls other than List at a restart with references", f"{others}", "0", "0", others == 0)
    for name, what in ((EDITS_OF_RESOURCES, "an edit"), (EDITS_OF_OBJECTS, "an edit of a referenced object")):
        phase = results.phase("references", name)
        if phase is not None:
            yield from _edit_figures("of resources with references", phase, what=what)


def _ratio(what: str, before: float, after: float, unit: str) -> Figure:
    """The ratio of two values, which may be 1.2 at most."""
    ratio = after / before
    return Figure(what, f"{ratio:.2f} × ({after:.0f} {unit}, {before:.0f} {unit})", "1", "at most 1.2 ×", ratio <= 1.2)


def _starved(results: Results) -> Iterator[Figure]:
    for name, way in _STARVED.items():
        phase = results.phase(name, STARVED)
        if phase is not None:
            yield from _starved_figures(phase, results.worlds[name].mappings, way)


def _starved_figures(phase: Phase, count: int, way: str) -> Iterator[Figure]:
    where = f"API server with {SHARE:g} of a core, {count:,} mappings {way}"
    seconds, each = phase.figures["seconds"], phase.lambda_calls / count
    written, lost = phase.figures["writes"], phase.figures["leases_lost"]
    share = phase.figures["unanswered"] / written if written else 0.0
    most, peer = _STARVED_GOALS.get(count, (None, ""))
    yield Figure(
        f"{where}: time until all are Ready",
        _seconds(seconds),
        _seconds(count / BUDGET),
        f"at most {most:.0f} s" if most else "",
        seconds <= most if most else None,
        peer,
    )
    yield Figure(
        f"{where}: AWS Lambda calls for each",
        f"{each:.2f}",
        "1 (its Create)",
        "at most 1.3" if most else "",
        each <= 1.3 if most else None,
    )
    yield Figure(
        f"{where}: share of the operator's {written:,.0f} writes that got no answer in time",
        _percent(share),
        "0.0 %",
        "at most 5 %",
        share <= 0.05,
    )
    yield Figure(f"{where}: times that the lease was lost", f"{lost:.0f}", "0")


def _brownout(results: Results) -> Iterator[Figure]:
    phase = results.phase("brownout", BROWNOUT)
    if phase is None:
        return
    rates = " and ".join(f"{phase.figures[name]:.1f}" for name in ("before", "during"))
    yield Figure("Mappings created per second, before and while the API server is slow", rates)
    if "recovery" in phase.figures:
        seconds = phase.figures["recovery"]
        yield Figure(
            "Time until mappings are created as fast as before, after the API server was slow",
            _seconds(seconds),
            "0 s",
            "at most 20 s",
            seconds <= 20,
        )


def _growth(results: Results) -> Iterator[Figure]:
    for what, phases in (
        ("for each created mapping", ("create", "settle")),
        ("for each mapping at a restart", ("restart",)),
    ):
        small, full = results.worlds.get("small"), results.worlds.get("full")
        few, many = _cost(small, phases), _cost(full, phases)
        if small is not None and few is not None and many is not None:
            yield Figure(
                f"CPU time of the operator {what}, with {results.mappings:,} mappings",
                f"{many * 1000:.1f} ms ({many / few:.2f} × the ideal)",
                f"{few * 1000:.1f} ms (as with {small.mappings:,} mappings)",
                "at most 1.2 × the ideal",
                many / few <= 1.2,
            )


def _cost(world: World | None, names: tuple[str, ...]) -> float | None:
    """CPU seconds of the operator per mapping in some phases."""
    if world is None:
        return None
    phases = [world.phase(name) for name in names]
    spent = [phase.figures.get("cpu", phase.cpu[OPERATOR]) for phase in phases if phase is not None]
    return sum(spent) / world.mappings if len(spent) == len(names) else None


def busiest_server(results: Results) -> tuple[float, str]:
    """The most of one core that the AWS server used in a phase that does not measure it itself, and which that was."""
    shares = [
        (phase.share(AWS), f"`{phase.name}` of the world `{world.name}`")
        for world in results.worlds.values()
        for phase in world.phases.values()
        if "requests" not in phase.figures
    ]
    return max(shares, default=(0.0, ""))


def server_capacity(results: Results) -> tuple[float, float] | None:
    """Requests a second that the AWS server answered in the load test, and that it could with a core of its own."""
    phase = results.phase("ceiling", "load on the AWS server")
    if phase is None:
        return None
    requests = phase.figures["requests"]
    return requests / phase.figures["seconds"], requests / phase.cpu[AWS]


def _missing(phase: Phase) -> str:
    missing = int(phase.figures["changes"]) - len(phase.latencies)
    return f" ({missing} never)" if missing else ""


def _seconds(value: float) -> str:
    """A time, with as many digits as are significant."""
    return f"{value:,.0f} s" if value >= 100 else f"{value:.1f} s" if value >= 10 else f"{value:.2f} s"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


_MAKERS: tuple[Callable[[Results], Iterator[Figure]], ...] = (
    _creation,
    _throttled,
    _restart,
    _drift,
    _quiet,
    _memory,
    _edits,
    _deletion,
    _ceiling,
    _growth,
    _references,
    _starved,
    _brownout,
)
