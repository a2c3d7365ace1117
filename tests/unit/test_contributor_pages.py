"""The glossary, the decision records and the contributor page keep their form, and name files that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
RECORDS = sorted((DOCS / "contributing" / "decisions").glob("[0-9]*.md"))
PAGES = [
    DOCS / "contributing" / "contributing.md",
    DOCS / "contributing" / "structure.md",
    DOCS / "reference" / "glossary.md",
    *RECORDS,
]

# Files

#: The folders that a path on these pages may be relative to.
FOLDERS = (ROOT, ROOT / "operator" / "esm_operator", ROOT / "tests" / "model")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_files_that_it_names_exist(page: Path) -> None:
    named = set(re.findall(r"`([\w./-]+\.(?:py|md|toml|yml))`", page.read_text()))
    assert {path for path in named if not any((folder / path).exists() for folder in FOLDERS)} == set()


# The glossary

_TERMS = [
    tuple(cell.strip() for cell in line.strip("|").split("|"))
    for line in (DOCS / "reference" / "glossary.md").read_text().splitlines()
    if line.startswith("| ")
][1:]


def test_each_term_is_there_once_and_in_order() -> None:
    terms = [term for term, _, _ in _TERMS]
    assert len(terms) > 40
    assert terms == sorted(set(terms), key=lambda term: term.lower().replace("-", "").split())


def test_each_definition_is_one_sentence() -> None:
    assert [meaning for _, meaning, _ in _TERMS if not re.fullmatch(r"[A-Z]([^.;]|\.(?=\S))*\.", meaning)] == []


def test_each_term_is_explained_on_a_page_or_in_a_module() -> None:
    assert [term for term, _, places in _TERMS if not re.search(r"\]\(\S+\.md|`[\w/]+\.py`", places)] == []


# The decision records

HEADINGS = ["Context", "Decision", "Consequences", "Alternatives considered"]
#: Lines of a record. A shorter one leaves out the reasons, a longer one is not read.
SHORTEST, LONGEST = 25, 60


def test_the_numbers_are_consecutive() -> None:
    assert [record.name[:5] for record in RECORDS] == [f"{number:04}-" for number in range(1, len(RECORDS) + 1)]


def test_all_records_are_in_the_index_and_in_the_navigation() -> None:
    names = [record.name for record in RECORDS]
    index = (DOCS / "contributing" / "decisions" / "README.md").read_text()
    assert re.findall(r"^\| \[\d{4}\]\((\S+)\) \|", index, re.MULTILINE) == names
    assert re.findall(r": contributing/decisions/(\d\S+)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE) == names


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_a_record_has_the_form(record: Path) -> None:
    text = record.read_text()
    assert text.startswith(f"# {record.name[:4]}: ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    assert SHORTEST <= len(text.splitlines()) <= LONGEST
