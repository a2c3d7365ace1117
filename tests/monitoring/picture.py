"""A picture of the dashboard: each panel in its place, with the answers of Prometheus, similar to Grafana."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MultipleLocator

from tests.monitoring.dashboard import Panel, Query
from tests.monitoring.prometheus import Labels, Points, Prometheus

COLUMNS = 24
#: Inches.
COLUMN, ROW, DOTS = 0.7, 0.37, 80
_PAPER, _PANEL, _FRAME, _INK, _GREY = "#f4f5f5", "#ffffff", "#d8d9da", "#24292e", "#6e7780"
_COLOURS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#B8A800",
    "#000000",
    "#8c6bb1",
    "#7f7f7f",
)
_NAMED = {"green": "#1a7f4b", "orange": "#c76b00", "red": "#c4162a", "blue": "#1f60c4"}
_LEGEND_COLUMNS = 3


#: Left, bottom, width, height, as parts of the figure.
Rectangular: TypeAlias = tuple[float, float, float, float]


class EmptyPanelError(Exception):
    """A query of a panel has returned no number."""


@dataclass(frozen=True, slots=True)
class Series:
    """One line."""

    name: str
    points: Points

    @property
    def last(self) -> float:
        """The last number."""
        return next(value for _, value in reversed(self.points) if math.isfinite(value))


@dataclass(frozen=True, slots=True)
class Window:
    """The shown time span in seconds of the epoch, and the distance between two points."""

    start: float
    end: float
    step: float


def draw(panels: Sequence[Panel], prometheus: Prometheus, window: Window, file: Path) -> None:
    """Draw all panels into a PNG.

    Raises:
        EmptyPanelError: a query has no data. The message names it.
    """
    lines = max(panel.y + panel.height for panel in panels)
    figure = pyplot.figure(figsize=(COLUMNS * COLUMN, lines * ROW), dpi=DOTS, facecolor=_PAPER)
    drawers: Mapping[str, Callable[[Figure, Panel, list[Series], Window, int], None]] = {
        "timeseries": _lines,
        "stat": _stat,
        "bargauge": _bars,
    }
    for panel in panels:
        if panel.kind == "row":
            _row(figure, panel, lines)
            continue
        found = [one for query in panel.queries for one in _ask(panel, query, prometheus, window)]
        _frame(figure, panel, lines)
        drawers[panel.kind](figure, panel, found, window, lines)
    figure.savefig(file, facecolor=_PAPER, metadata={"Software": None})
    pyplot.close(figure)


def _ask(panel: Panel, query: Query, prometheus: Prometheus, window: Window) -> list[Series]:
    answered = prometheus.over(query.text, window.start, window.end, window.step)
    found = [Series(_name(query, labels), points) for labels, points in answered if _is_finite(points)]
    if not found:
        raise EmptyPanelError(f"“{panel.title}” has no data: {query.text}")
    return found


def _name(query: Query, labels: Labels) -> str:
    return query.name(labels).strip()


def _is_finite(points: Points) -> bool:
    return any(math.isfinite(value) for _, value in points)


def _place(panel: Panel, lines: int, *, left: float, right: float, top: float, bottom: float) -> Rectangular:
    """The rectangle within a panel, as parts of the figure.

    Args:
        panel: the panel.
        lines: rows of the whole grid.
        left: free columns at the left. The others are similar, top and bottom in rows.
    """
    x, y = panel.x + left, panel.y + top
    width, height = panel.width - left - right, panel.height - top - bottom
    return x / COLUMNS, 1 - (y + height) / lines, width / COLUMNS, height / lines


def _frame(figure: Figure, panel: Panel, lines: int) -> None:
    x, y, width, height = _place(panel, lines, left=0.06, right=0.06, top=0.1, bottom=0.1)
    box = Rectangle((x, y), width, height, transform=figure.transFigure, facecolor=_PANEL, edgecolor=_FRAME, zorder=-1)
    figure.add_artist(box)
    text_x, text_y = (panel.x + 0.2) / COLUMNS, 1 - (panel.y + 0.3) / lines
    figure.text(text_x, text_y, panel.title, fontsize=10, fontweight="bold", color=_INK, va="top")


def _row(figure: Figure, panel: Panel, lines: int) -> None:
    figure.text(0.1 / COLUMNS, 1 - (panel.y + 0.5) / lines, panel.title, fontsize=13, color=_INK, va="center")


def _lines(figure: Figure, panel: Panel, series: list[Series], window: Window, lines: int) -> None:
    columns = min(_LEGEND_COLUMNS, max(1, panel.width // 3))
    legend = math.ceil(len(series) / columns)
    axes = figure.add_axes(_place(panel, lines, left=0.95, right=0.3, top=1.1, bottom=1.05 + 0.5 * legend))
    colours = [_COLOURS[index % len(_COLOURS)] for index in range(len(series))]
    styles = ["-" if index < len(_COLOURS) else "--" for index in range(len(series))]
    if panel.stacked:
        _stack(axes, series, colours, window)
    else:
        for one, colour, style in zip(series, colours, styles, strict=True):
            times, values = zip(*one.points, strict=True)
            axes.plot(
                [at - window.start for at in times],
                values,
                color=colour,
                linestyle=style,
                linewidth=1.4,
                marker=".",
                markersize=2.5,
                label=one.name,
            )
    axes.set_xlim(0, window.end - window.start)
    axes.set_ylim(bottom=0, top=max(axes.get_ylim()[1], _least(panel)))
    axes.xaxis.set_major_locator(MultipleLocator(60 * math.ceil((window.end - window.start) / 60 / panel.width)))
    axes.xaxis.set_major_formatter(lambda value, _: _minutes(value))
    axes.yaxis.set_major_formatter(lambda value, _: told(value, panel.unit))
    axes.tick_params(labelsize=8, colors=_GREY, length=2)
    axes.grid(color="#e5e7ea", linewidth=0.7)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_visible(False)
    x, y = (panel.x + 0.2) / COLUMNS, 1 - (panel.y + panel.height - 0.15) / lines
    handles, names = axes.get_legend_handles_labels()
    figure.legend(
        handles,
        names,
        loc="lower left",
        bbox_to_anchor=(x, y),
        ncols=columns,
        fontsize=8,
        frameon=False,
        labelcolor=_INK,
        borderpad=0.2,
        columnspacing=1.0,
        handlelength=1.2,
        handletextpad=0.5,
        labelspacing=0.25,
    )


def _stack(axes: Axes, series: list[Series], colours: list[str], window: Window) -> None:
    count = int((window.end - window.start) / window.step) + 1
    times = [round(window.start + index * window.step, 3) for index in range(count)]
    rows: list[list[float]] = []
    for one in series:
        known = {round(at, 3): value for at, value in one.points if math.isfinite(value)}
        rows.append([known.get(at, 0.0) for at in times])
    axes.stackplot(
        [at - window.start for at in times],
        rows,
        labels=[one.name for one in series],
        colors=colours,
        alpha=0.8,
        linewidth=0,
    )


def _stat(figure: Figure, panel: Panel, series: list[Series], window: Window, lines: int) -> None:
    one = series[0]
    named = panel.options["textMode"] == "name"
    colour = _NAMED[next(name for least, name in reversed(panel.thresholds) if least is None or one.last >= least)]
    axes = figure.add_axes(_place(panel, lines, left=0.15, right=0.15, top=1.0, bottom=0.25), facecolor=colour)
    axes.set(xticks=[], yticks=[])
    if panel.options["graphMode"] == "area":
        times, values = zip(*one.points, strict=True)
        axes.fill_between(times, values, color="#ffffff", alpha=0.25, linewidth=0)
        axes.set_xlim(window.start, window.end)
        axes.set_ylim(0, max(1e-9, *(value for value in values if math.isfinite(value))) * 1.6)
    shown = one.name if named else told(one.last, panel.unit)
    axes.text(0.5, 0.5, shown, transform=axes.transAxes, ha="center", va="center", fontsize=19, color="#ffffff")
    for spine in axes.spines.values():
        spine.set_visible(False)


def _bars(figure: Figure, panel: Panel, series: list[Series], window: Window, lines: int) -> None:
    del window
    ranked = sorted(series, key=lambda one: one.last)
    axes = figure.add_axes(_place(panel, lines, left=2.3, right=0.8, top=1.1, bottom=0.5))
    axes.barh([one.name for one in ranked], [one.last for one in ranked], color=_COLOURS[0], height=0.65)
    for index, one in enumerate(ranked):
        axes.text(one.last, index, f" {told(one.last, panel.unit)}", va="center", fontsize=9, color=_INK)
    axes.set_xticks([])
    axes.tick_params(labelsize=9, colors=_INK, length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _least(panel: Panel) -> float:
    """The least upper end of the axis, so that a series of zeros differs from a full scale."""
    return {"bytes": 1e6, "percentunit": 0.05, "s": 0.01}.get(panel.unit, 1.0)


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def told(value: float, unit: str) -> str:
    """A number for people.

    Args:
        value: the number.
        unit: the unit as Grafana names it.
    """
    match unit:
        case "percentunit":
            return f"{100 * value:.3g} %"
        case "bytes":
            return f"{value / 1e6:.3g} MB"
        case "s":
            return (
                f"{value / 60:.3g} min"
                if value >= 120
                else f"{value:.3g} s"
                if value >= 1
                else f"{1000 * value:.3g} ms"
            )
        case "reqps" | "ops":
            return f"{value:.3g}/s"
        case _:
            return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
