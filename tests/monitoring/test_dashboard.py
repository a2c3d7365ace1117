"""The dashboard as it is kept. That every panel shows data is tests/e2e/test_monitoring.py's."""

import re
from typing import Any

import pytest

from tests.monitoring.dashboard import ALL, Panel, load, panels
from tests.monitoring.picture import told
from tests.monitoring.queries import TARGET_LABELS, exposed, mistakes, names

DASHBOARD = load()
PANELS = panels(DASHBOARD, ALL, interval=15, span=3600)
ROWS = ["At a glance", "AWS quota", "Work queue", "Mappings", "Drift and processing", "Operator"]
WIDTH = 24


def test_its_rows() -> None:
    assert [panel.title for panel in PANELS if panel.kind == "row"] == ROWS


def test_each_panel_has_a_place_and_a_number_of_its_own() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in PANELS:
        assert panel.x + panel.width <= WIDTH
        for place in [(x, y) for x in range(panel.x, panel.x + panel.width) for y in _rows(panel)]:
            assert taken.setdefault(place, panel.title) == panel.title, f"{panel.title} lies on {taken[place]}"
    numbers = [one["id"] for one in DASHBOARD["panels"]]
    assert len(set(numbers)) == len(numbers)


def _rows(panel: Panel) -> range:
    return range(panel.y, panel.y + panel.height)


@pytest.mark.parametrize("panel", [one for one in PANELS if one.kind != "row"], ids=lambda panel: panel.title)
def test_each_panel_asks_for_what_there_is(panel: Panel) -> None:
    assert panel.queries
    for query in panel.queries:
        assert names(query.text)
        assert mistakes(query.text) == []
        labels = {label for name in names(query.text) for label in exposed()[name]} | TARGET_LABELS
        assert set(re.findall(r"{{\s*(\w+)\s*}}", query.legend)) <= labels


@pytest.mark.parametrize(
    "raw", [one for one in DASHBOARD["panels"] if one["type"] != "row"], ids=lambda one: one["title"]
)
def test_each_panel_follows_the_variables(raw: dict[str, Any]) -> None:
    assert raw["description"].endswith(".")
    assert raw["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    for target in raw["targets"]:
        assert target["datasource"] == raw["datasource"]
        for _, chosen in re.findall(r"((?:esm_operator|process)_\w+)({[^}]*})?", target["expr"]):
            assert 'cluster=~"$cluster", namespace=~"$namespace", job=~"$job"' in chosen


def test_its_variables() -> None:
    variables = {one["name"]: one for one in DASHBOARD["templating"]["list"]}
    assert list(variables) == ["datasource", "cluster", "namespace", "job"]
    assert variables["datasource"]["type"] == "datasource"
    for name in ALL:
        assert variables[name]["allValue"] == ALL[name]
        assert mistakes(variables[name]["query"]["query"]) == []


def test_variables_are_replaced_as_grafana_does() -> None:
    asked = " ".join(query.text for panel in PANELS for query in panel.queries)
    assert "$" not in asked
    assert "[60s]" in asked, "four scrapes"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.125, "percentunit", "12.5 %"),
        (130_500_000, "bytes", "130 MB"),
        (0.25, "s", "250 ms"),
        (30.0, "s", "30 s"),
        (150.0, "s", "2.5 min"),
        (9.75, "reqps", "9.75/s"),
        (1200.0, "short", "1,200"),
        (1.0, "short", "1"),
    ],
)
def test_numbers_in_the_picture_are_for_people(value: float, unit: str, text: str) -> None:
    assert told(value, unit) == text


def test_no_two_panels_have_the_same_title() -> None:
    titles = [panel.title for panel in PANELS]
    assert len(set(titles)) == len(titles)
