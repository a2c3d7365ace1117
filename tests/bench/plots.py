"""The plots of docs/reference/performance.md, made by matplotlib. Colours are told apart by the colour-blind."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.bench.phases import BUDGET, EDITS
from tests.bench.results import OTHER_SERVICES, Results, Sample, World
from tests.bench.stage import QUOTA
from tests.bench.table import short

#: Of Okabe and Ito.
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
_OPERATIONS = {
    "CreateEventSourceMapping": GREEN,
    "ListEventSourceMappings": BLUE,
    "GetEventSourceMapping": SKY,
    "UpdateEventSourceMapping": ORANGE,
    "DeleteEventSourceMapping": VERMILION,
    "ListTags": PURPLE,
}
_OTHERS = BLACK
_WIDTH, _DOTS = 10.0, 110
#: Points of a line over time; what lies between is averaged.
_POINTS = 240
#: Seconds below which nothing is told apart: an edit may be at AWS before its own answer is read.
_LEAST = 0.001


def calls(results: Results, file: Path) -> None:
    """Calls to AWS Lambda per second by operation, over the whole life of the full world."""
    world = results.worlds["full"]
    groups = _averaged(world.samples)
    times = [group[-1].at for group in groups]
    operations = sorted(
        {operation for sample in world.samples for operation in sample.calls} - OTHER_SERVICES, key=_place
    )
    figure, axes = _axes(1)
    rates = [[_rate(group, operation) for group in groups] for operation in operations]
    colours = [_OPERATIONS.get(operation, _OTHERS) for operation in operations]
    axes[0].stackplot(times, rates, labels=[short(operation) for operation in operations], colors=colours, linewidth=0)
    axes[0].axhline(QUOTA, color=BLACK, linewidth=1, label=f"AWS's quota ({QUOTA:.0f}/s)")
    axes[0].axhline(BUDGET, color=BLACK, linewidth=1, linestyle="--", label=f"the operator's rate ({BUDGET:.0f}/s)")
    axes[0].set_ylabel("calls to AWS Lambda per second")
    axes[0].set_ylim(0, QUOTA * 1.35)
    _shade(axes, world)
    axes[0].legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=4, frameon=False)
    _save(figure, file)


def latencies(results: Results, file: Path) -> None:
    """How long changes take to reach AWS: edits while much is created, edits among errors, and drift."""
    shown = [
        (EDITS, results.phase("full", EDITS), BLUE, "-"),
        ("edits while many fail", results.phase("errors", "edits among errors"), VERMILION, "--"),
        ("drift put right", results.phase("full", "drift"), GREEN, "-."),
    ]
    figure, axes = _axes(1, height=4.2)
    for name, phase, colour, line in shown:
        if phase is not None and phase.latencies:
            ranked = sorted(max(latency, _LEAST) for latency in phase.latencies)
            shares = [100 * (index + 1) / len(ranked) for index in range(len(ranked))]
            axes[0].step(
                [ranked[0], *ranked],
                [0.0, *shares],
                where="post",
                color=colour,
                linestyle=line,
                linewidth=2,
                label=f"{name} ({len(ranked)})",
            )
    axes[0].axvline(2.0, color=BLACK, linewidth=1, linestyle=":", label="target for edits: 99 % within 2 s")
    axes[0].set_xscale("log")
    axes[0].xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes[0].set_xlabel("seconds from the change until AWS is told (logarithmic)")
    axes[0].set_ylabel("% of the changes")
    axes[0].set_ylim(0, 102)
    axes[0].grid(alpha=0.3)
    axes[0].legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2, frameon=False)
    _save(figure, file)


def usage(results: Results, file: Path) -> None:
    """Memory and CPU of the operator, over the whole life of the full world."""
    world = results.worlds["full"]
    groups = _averaged(world.samples)
    times = [group[-1].at for group in groups]
    figure, axes = _axes(2, height=5.6)
    axes[0].plot(times, [_mean(sample.rss for sample in group) for group in groups], color=BLUE, linewidth=1.5)
    axes[0].set_ylabel("memory (RSS), MB")
    axes[0].set_ylim(0, 1.25 * max((sample.rss for sample in world.samples), default=1.0))
    axes[1].plot(
        times, [100 * _mean(sample.cpu for sample in group) for group in groups], color=VERMILION, linewidth=1.5
    )
    axes[1].set_ylabel("CPU, % of one core")
    axes[1].set_ylim(bottom=0)
    _shade(axes, world)
    _save(figure, file)


def _axes(rows: int, height: float = 5.2) -> tuple[Figure, Sequence[Axes]]:
    figure = pyplot.figure(figsize=(_WIDTH, height), dpi=_DOTS, layout="constrained")
    first = figure.add_subplot(rows, 1, 1)
    return figure, [first, *(figure.add_subplot(rows, 1, row, sharex=first) for row in range(2, rows + 1))]


def _shade(axes: Sequence[Axes], world: World) -> None:
    """Every other phase on grey, with its number at the top, and its name in the title."""
    phases = list(world.phases.values())
    for one in axes:
        for index, phase in enumerate(phases):
            if index % 2 == 0:
                one.axvspan(phase.began, phase.began + phase.wall, color="#dddddd", zorder=0, linewidth=0)
        one.set_xlim(0, max((sample.at for sample in world.samples), default=1.0))
        one.margins(x=0)
    for index, phase in enumerate(phases):
        middle = phase.began + phase.wall / 2
        axes[0].text(
            middle, 0.97, str(index + 1), transform=axes[0].get_xaxis_transform(), ha="center", va="top", fontsize=10
        )
    names = "   ".join(f"{index + 1} {phase.name}" for index, phase in enumerate(phases))
    axes[0].set_title(names, fontsize=9)
    axes[-1].set_xlabel("seconds")


def _averaged(samples: Sequence[Sample]) -> list[Sequence[Sample]]:
    """The samples in groups that follow each other."""
    size = max(1, len(samples) // _POINTS)
    return [samples[index : index + size] for index in range(0, len(samples), size)]


def _rate(group: Sequence[Sample], operation: str) -> float:
    return _mean(sample.calls.get(operation, 0) for sample in group)


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)


def _place(operation: str) -> int:
    names = list(_OPERATIONS)
    return names.index(operation) if operation in names else len(names)


def _save(figure: Figure, file: Path) -> None:
    figure.savefig(file, metadata={"Software": None})
    pyplot.close(figure)
