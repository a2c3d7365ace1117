"""The figures that matter, each with what would be ideal, what was aimed at, and what a peer needs. Pure."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.bench import writes
from tests.bench.percentiles import percentile
from tests.bench.phases import BUDGET, EDITS
from tests.bench.results import AWS, OPERATOR, Phase, Results, World
from tests.bench.scale import sweep_interval
from tests.bench.stage import PACE, QUOTA

#: Mappings that one List answers at most, and resources that one GetResources does.
PAGE = 100


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
    """All that can be told of what was measured."""
    return [figure for make in _MAKERS for figure in make(results)]


def _creation(results: Results) -> Iterator[Figure]:
    fifth = results.worlds.get("fifth")
    calls, count = _calls_until_ready(fifth), fifth.mappings if fifth is not None else 0
    if calls is not None:
        each = calls / count
        yield Figure(
            f"AWS Lambda calls per created mapping ({count:,} mappings, until all are ready, sweeps included)",
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
            f"Time to create {count:,} mappings, over that of so many calls at the operator's rate",
            f"{ratio:.3f} ({_seconds(phase.figures['seconds'])})",
            f"1 ({_seconds(ideal)}; at the whole quota {_seconds(count / QUOTA)})",
            "at most 1.05",
            ratio <= 1.05,
        )
    settle = results.phase("full", "settle")
    if phase is not None and settle is not None:
        made = {name: phase.writes.get(name, 0) + settle.writes.get(name, 0) for name in phase.writes | settle.writes}
        events = made.get(writes.EVENTS, 0)
        others = sum(writes.without_leases(made).values()) - events
        yield Figure(
            "Writes to Kubernetes per created mapping; Events in addition",
            f"{others / count:.3f}; {events / count:.3f}",
            "3: the intent, the UUID, the state; 1",
            "3; at most 2",
            others <= 3 * count and events <= 2 * count,
        )


def _calls_until_ready(world: World | None) -> int | None:
    if world is None:
        return None
    create, settle = world.phase("create"), world.phase("settle")
    return create.lambda_calls + settle.lambda_calls if create is not None and settle is not None else None


def _throttled(results: Results) -> Iterator[Figure]:
    phases = [phase for world in results.worlds.values() for phase in world.phases.values()]
    if phases:
        throttled = sum(phase.throttled for phase in phases)
        with_quota = [
            phase.busiest_second
            for name, world in results.worlds.items()
            for phase in world.phases.values()
            if name != "ceiling" and phase.name != "setup"
        ]
        yield Figure(
            "Throttled answers in all worlds; most calls within one second where there is a quota",
            f"{throttled}; {max(with_quota, default=0)}",
            f"0; {BUDGET:.0f}",
            f"0; at most {QUOTA:.0f}",
            throttled == 0 and max(with_quota, default=0) <= QUOTA,
        )


def _restart(results: Results) -> Iterator[Figure]:
    phase, count = results.phase("full", "restart"), results.mappings
    if phase is None:
        return
    pages, most = -(-count // PAGE), count / PAGE + 10
    asked, tags = int(phase.figures["lambda_calls"]), phase.calls.get("GetResources", 0)
    yield Figure(
        f"Calls at a restart with {count:,} mappings: AWS Lambda; tagging API",
        f"{asked:,}; {tags:,}",
        f"{pages:,}; {pages:,} (pages of {PAGE})",
        f"at most {most:,.0f} each",
        asked <= most and tags <= most,
        f"{2 * count:,} (2 for each mapping)",
    )
    written = sum(writes.without_leases(phase.writes).values())
    yield Figure("Writes to Kubernetes at a restart, leases apart", f"{written:,}", "0", "0", written == 0)
    seconds, cpu = phase.figures["seconds"], phase.figures["cpu"]
    yield Figure(
        "From the start until all are compared with AWS: time; CPU time",
        f"{_seconds(seconds)}; {_seconds(cpu)}",
        f"{_seconds(pages / BUDGET)} (the pages at the operator's rate)",
        "at most 45 s; 20 s",
        seconds <= 45 and cpu <= 20,
    )


def _drift(results: Results) -> Iterator[Figure]:
    phase = results.phase("full", "drift")
    if phase is None:
        return
    interval = sweep_interval(results.mappings)
    changes, most = int(phase.figures["changes"]), max(phase.latencies, default=0.0)
    all_put_right = len(phase.latencies) == changes
    yield Figure(
        f"{changes} mappings changed by hand at the same time: until the operator's Update: half of them; the last",
        f"{_seconds(percentile(phase.latencies, 50))}; {_seconds(most)}{_missing(phase)}",
        f"at most {interval:.0f} s: each is checked one time in that interval",
        f"at most {interval + 15:.0f} s",
        all_put_right and most <= interval + 15,
        "looks every 10 h",
    )


def _quiet(results: Results) -> Iterator[Figure]:
    phase, count = results.phase("full", "quiet"), results.mappings
    if phase is None:
        return
    interval = sweep_interval(count)
    share, core = phase.lambda_calls / phase.wall / QUOTA, phase.share(OPERATOR)
    pages = -(-count // PAGE)
    yield Figure(
        f"While nothing happens, {count:,} mappings: part of AWS's quota",
        _percent(share),
        f"{_percent(pages / interval / QUOTA)} ({pages:,} pages each {interval:.0f} s)",
        "at most 12 %",
        share <= 0.12,
    )
    yield Figure("While nothing happens: part of one core", _percent(core), "", "at most 5 %", core <= 0.05)
    written = sum(writes.without_leases(phase.writes).values())
    yield Figure("Writes to Kubernetes while nothing happens, leases apart", f"{written:,}", "0", "0", written == 0)


def _memory(results: Results) -> Iterator[Figure]:
    """The most in any phase before more resources are there than the table speaks of; then the most of all."""
    world, count = results.worlds.get("full"), results.mappings
    edits, deletion = results.phase("full", EDITS), results.phase("full", "delete")
    if world is None:
        return
    phases = itertools.takewhile(lambda phase: phase.name != EDITS, world.phases.values())
    peak = max((phase.peak for phase in phases), default=0.0)
    more = f"; {edits.peak:.0f} MB with {count // 2:,} more resources, mostly pending" if edits is not None else ""
    more += f"; {deletion.peak:.0f} MB until all are deleted" if deletion is not None else ""
    if peak:
        yield Figure(
            f"Memory (RSS) with {count:,} mappings, the most until there are more",
            f"{peak:.0f} MB{more}",
            "",
            "at most 250 MB",
            peak <= 250,
        )


def _edits(results: Results) -> Iterator[Figure]:
    phase = results.phase("full", EDITS)
    if phase is not None:
        waiting = f"{results.mappings // 2:,} to {phase.figures['pending']:,.0f}"
        yield _edit_figure(f"Edits while {waiting} creations wait for their turn", phase)
    phase = results.phase("errors", "errors alone")
    if phase is not None:
        share = phase.lambda_calls / phase.wall / QUOTA
        yield Figure(
            f"{results.mappings:,} resources that fail for good: part of AWS's quota",
            _percent(share),
            "",
            "at most 20 %",
            share <= 0.2,
        )
    phase = results.phase("errors", "edits among errors")
    if phase is not None:
        yield _edit_figure(f"Edits while {results.mappings:,} resources fail for good", phase)


def _edit_figure(what: str, phase: Phase) -> Figure:
    p50, p99, most = (percentile(phase.latencies, percent) for percent in (50, 99, 100))
    return Figure(
        f"{what}: until the Update: p50; p99; most",
        f"{_seconds(p50)}; {_seconds(p99)}; {_seconds(most)}{_missing(phase)}",
        f"{_seconds(1 / BUDGET)} (the next call at the operator's rate)",
        "p99 at most 2 s",
        p99 <= 2 and len(phase.latencies) == phase.figures["changes"],
    )


def _deletion(results: Results) -> Iterator[Figure]:
    phase, count = results.phase("full", "delete"), results.mappings
    if phase is None:
        return
    ideal = count / BUDGET + PACE
    yield Figure(
        f"Time to delete {count:,} mappings, over that of so many calls at the operator's rate; calls for each",
        f"{phase.figures['seconds'] / ideal:.3f} ({_seconds(phase.figures['seconds'])}); "
        f"{phase.lambda_calls / count:.3f}",
        f"1 ({_seconds(ideal)}); 1 (its Delete; one more reads its owner)",
    )


def _ceiling(results: Results) -> Iterator[Figure]:
    create, settle = results.phase("ceiling", "create"), results.phase("ceiling", "settle")
    if create is None or settle is None:
        return
    count = results.worlds["ceiling"].mappings
    cpu = create.cpu[OPERATOR] + settle.cpu[OPERATOR]
    rate = count / cpu
    yield Figure(
        f"Without AWS's quota, {count:,} mappings: created per second; per CPU second of the operator, until ready",
        f"{count / create.figures['seconds']:.0f}; {rate:.0f}",
        "",
        "at least 60 on one core",
        rate >= 60,
    )


def _growth(results: Results) -> Iterator[Figure]:
    for what, phases in (("created and followed until ready", ("create", "settle")), ("at a restart", ("restart",))):
        few, many = _cost(results.worlds.get("small"), phases), _cost(results.worlds.get("full"), phases)
        if few is not None and many is not None:
            yield Figure(
                f"CPU time of the operator per mapping {what}: {results.mappings:,} over a tenth of them",
                f"{many / few:.2f} ({many * 1000:.1f} ms over {few * 1000:.1f} ms)",
                "1",
                "at most 1.2",
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
        (phase.share(AWS), f"{world.name}: {phase.name}")
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
    """A time, with as many digits as say something."""
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
)
