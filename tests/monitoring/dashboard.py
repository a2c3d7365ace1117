"""The dashboard as Grafana reads it: its panels, their places, and their queries with replaced variables."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parents[2] / "helm" / "esm-operator" / "files" / "dashboard.json"
#: The value of a variable if all of its values are chosen.
ALL = {"cluster": ".*", "namespace": ".*", "job": ".*"}


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel."""

    text: str
    legend: str
    """The legend. Labels are in double braces, such as ``{{code}}``."""

    def name(self, labels: Mapping[str, str]) -> str:
        """The name of a series in the legend.

        Args:
            labels: the labels of the series.
        """
        return re.sub(r"{{\s*(\w+)\s*}}", lambda match: labels.get(match[1], ""), self.legend)


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel."""

    kind: str
    title: str
    x: int
    y: int
    width: int
    height: int
    """Place and size on a grid of 24 columns."""
    queries: tuple[Query, ...]
    unit: str
    stacked: bool
    options: Mapping[str, Any]
    thresholds: tuple[tuple[float | None, str], ...]
    """Colours by their least value. The first has no least value."""


def load() -> dict[str, Any]:
    """The dashboard as it is stored."""
    return json.loads(FILE.read_text())


def panels(dashboard: Mapping[str, Any], values: Mapping[str, str], *, interval: float, span: float) -> list[Panel]:
    """All panels, with variables replaced as Grafana replaces them.

    Args:
        dashboard: the dashboard as it is stored.
        values: the values of the dashboard's variables.
        interval: seconds between two scrapes, from the data source.
        span: seconds that the dashboard shows.
    """
    # Grafana, Prometheus data source: $__rate_interval is at least four scrapes.
    variables = {**values, "__rate_interval": f"{round(4 * interval)}s", "__range": f"{round(span)}s"}
    return [_panel(one, variables) for one in dashboard["panels"]]


def _panel(raw: Mapping[str, Any], variables: Mapping[str, str]) -> Panel:
    place, defaults = raw["gridPos"], raw.get("fieldConfig", {}).get("defaults", {})
    return Panel(
        kind=raw["type"],
        title=raw["title"],
        x=place["x"],
        y=place["y"],
        width=place["w"],
        height=place["h"],
        queries=tuple(
            Query(_replaced(one["expr"], variables), one.get("legendFormat", "")) for one in raw.get("targets", ())
        ),
        unit=defaults.get("unit", ""),
        stacked=defaults.get("custom", {}).get("stacking", {}).get("mode") == "normal",
        options=raw.get("options", {}),
        thresholds=tuple((one["value"], one["color"]) for one in defaults.get("thresholds", {}).get("steps", ())),
    )


def _replaced(query: str, variables: Mapping[str, str]) -> str:
    return re.sub(r"\$(\w+)", lambda match: variables[match[1]], query)
