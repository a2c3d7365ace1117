"""The output of the benchmark: figures with their targets, tables, the page, and the file of results."""

from pathlib import Path

from tests.bench import table
from tests.bench.figures import figures
from tests.bench.page import rendered
from tests.bench.results import Results
from tests.unit.bench_results import ideal, phase


def flat(text: str) -> str:
    """The text without line breaks."""
    return " ".join(text.split())


def test_ideal_results_meet_all_targets() -> None:
    assert [one.what for one in figures(ideal()) if one.met is False] == []


def test_a_missed_target_is_reported() -> None:
    results = ideal()
    phase(results, "full", "drift").latencies[0] = 80.0
    (missed,) = [one for one in figures(results) if one.met is False]
    assert missed.what.startswith("Drift")
    assert "80.0 s" in missed.value


def test_a_change_that_never_arrived_misses_the_target() -> None:
    results = ideal()
    phase(results, "errors", "edits among errors").figures["changes"] = 2.0
    (missed,) = [one for one in figures(results) if one.met is False]
    assert "(1 never)" in missed.value


def test_the_page_can_be_written_from_some_worlds() -> None:
    results = ideal()
    results.worlds = {"fifth": results.worlds["fifth"]}
    assert any("for each created mapping" in one.what for one in figures(results))
    assert "### fifth" in rendered(results)


def test_the_page_needs_at_least_one_world() -> None:
    results = ideal()
    results.worlds = {}
    assert figures(results) == []


def test_a_phase_that_failed_is_shown_as_such() -> None:
    results = ideal()
    phase(results, "full", "quiet").complete = False
    rows = table.phase_rows(results.worlds["full"])
    assert [row[0] for row in rows if "quiet" in row[0]] == ["quiet (failed)"]
    assert all(not one.what.startswith("While nothing changes") for one in figures(results))


def test_columns_are_aligned() -> None:
    text = table.plain(("a", "b"), [("long one", "1"), ("x", "22")]).splitlines()
    assert text == ["a         b", "------------", "long one  1", "x         22"]


def test_a_wide_cell_is_wrapped() -> None:
    text = table.plain(("a", "b"), [("one two three", "1"), ("", "22")], widest=7).splitlines()
    assert text == ["a        b", "-----------", "one two  1", "three", "         22"]


def test_a_table_of_markdown_has_as_many_cells_in_each_row() -> None:
    text = table.markdown(table.FIGURES, table.figure_rows(figures(ideal())))
    assert {line.count(" | ") for line in text.splitlines()} == {len(table.FIGURES) - 1}


def test_the_page_has_all_figures_and_their_origin() -> None:
    results = ideal()
    text = flat(rendered(results))
    for one in figures(results):
        assert one.what in text
    for said in ("make bench N=100", "2 cores", "Python 3.11.7", "--deletions-per-minute=100000", "2026-01-01"):
        assert said in text
    assert "was not the bottleneck" in text


def test_a_busy_server_is_reported() -> None:
    results = ideal()
    phase(results, "ceiling", "create").figures["seconds"] = 0.001
    assert "may have been the bottleneck" in flat(rendered(results))


def test_results_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    results = ideal()
    file = tmp_path / "results.json"
    results.save(file)
    assert Results.load(file) == results
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]
