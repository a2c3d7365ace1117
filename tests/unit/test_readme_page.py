"""README.md is short, and its picture shows a session with the current columns and commands."""

import html
import re
from pathlib import Path

import yaml

from tests.demo import picture

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
LONGEST = 150


def shown() -> str:
    """The text of the picture."""
    texts = re.findall(r"<text [^>]*>([^<]*)</text>", picture.PICTURE.read_text())
    return " ".join(html.unescape("".join(texts)).split())


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= LONGEST


def test_its_picture_is_near_the_top() -> None:
    assert f"({picture.PICTURE.relative_to(ROOT)})" in "".join(README.splitlines(keepends=True)[:12])


def test_the_picture_has_the_columns_of_the_crd() -> None:
    (crd,) = (ROOT / "crds").glob("*eventsourcemappings.yaml")
    (version,) = yaml.safe_load(crd.read_text())["spec"]["versions"]
    columns = [one["name"].upper() for one in version["additionalPrinterColumns"] if not one.get("priority")]
    assert " ".join(["NAME", *columns]) in shown()


def test_the_picture_shows_a_wait_a_refusal_and_a_correction() -> None:
    assert "ReferenceNotFound" in shown()
    assert "is invalid" in shown()
    assert "DriftCorrected" in shown()


def test_the_picture_loads_nothing_from_elsewhere() -> None:
    assert not re.search(r"(href|src)=|<script|@import|@font-face|url\((?!#)", picture.PICTURE.read_text())
