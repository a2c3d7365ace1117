"""Generated files are up to date, and `python -m tools` writes and checks them."""

from pathlib import Path

import pytest

from esm_operator.metrics.catalogue import CATALOGUE
from tools import metrics
from tools.__main__ import main
from tools.generated import Files, stale, with_part
from tools.generators import GENERATORS

PAGE = "Before.\n<!-- sizes: made by make tables -->\n| old |\n<!-- /sizes -->\nAfter.\n"


@pytest.mark.parametrize("name", GENERATORS)
def test_the_files_of_a_generator_are_up_to_date(name: str) -> None:
    assert stale(GENERATORS[name]()) == [], "run: make crds tables"


def test_no_file_has_two_generators() -> None:
    made = [path for files in GENERATORS.values() for path in files()]
    assert len(made) == len(set(made))


def test_every_label_is_described() -> None:
    assert {label for metric in CATALOGUE.values() for label in metric.labels} == set(metrics.LABELS)


def test_only_the_part_between_the_markers_is_replaced() -> None:
    assert with_part(PAGE, "sizes", r"| \1 |" + "\n") == PAGE.replace("| old |", r"| \1 |")
    with pytest.raises(ValueError, match="colours"):
        with_part(PAGE, "colours", "| red |")


def test_stale_files_are_reported_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    changed, leftover, fresh = tmp_path / "changed", tmp_path / "leftover", tmp_path / "fresh"
    for path in (changed, leftover, fresh):
        path.write_text("as before\n")
    files: Files = {changed: "new\n", tmp_path / "added": "new\n", leftover: None, fresh: "as before\n"}
    monkeypatch.setattr("tools.__main__.GENERATORS", {"sizes": lambda: files, "colours": dict})
    monkeypatch.chdir(tmp_path)

    assert main(["--check"]) == 1
    assert "stale: added, changed, leftover. Run: make crds tables" in capsys.readouterr().err
    assert main(["--check", "colours"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"changed", "leftover", "fresh"}

    assert main([]) == 0
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "changed": "new\n",
        "added": "new\n",
        "fresh": "as before\n",
    }
    assert main(["--check"]) == 0
    with pytest.raises(SystemExit, match="2"):
        main(["shapes"])
