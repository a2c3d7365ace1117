"""The list of what the operator relies on has a row for each contract test, and the reverse."""

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
PACKAGE = HERE.parents[1] / "operator" / "esm_operator"
README = (PACKAGE / "adapters" / "README.md").read_text()
_ROW = re.compile(r"^\| .+ \| (?P<used>`.+`) \| .+ \| `(?P<test>test_\w+\.py::test_\w+)` \|$", re.MULTILINE)
ROWS = [match.groupdict() for match in _ROW.finditer(README)]


def contract_tests() -> list[str]:
    """All tests of this folder but those of this file."""
    return [
        f"{file.name}::{node.name}"
        for file in sorted(HERE.glob("test_*.py"))
        if file != Path(__file__)
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]


def test_each_row_has_a_test_and_each_test_a_row() -> None:
    assert sorted(row["test"] for row in ROWS) == sorted(contract_tests())


def test_each_line_of_a_table_is_a_row() -> None:
    tables = README.split("\n## ")[1:]
    lines = [line for table in tables for line in table.splitlines() if line.startswith("| ")]
    headings = [line for line in lines if line.startswith("| the operator relies on |")]
    assert len(headings) == len(tables)
    assert len(lines) - len(headings) == len(ROWS)


def test_the_files_of_the_rows_exist() -> None:
    used = {name for row in ROWS for name in re.findall(r"`([^`]+)`", row["used"])}
    assert [name for name in sorted(used) if not (PACKAGE / name).is_file()] == []


def test_each_module_of_the_package_is_listed_and_used_by_a_row() -> None:
    modules = sorted(file.name for file in (PACKAGE / "adapters").glob("*.py") if file.name != "__init__.py")
    listed = re.findall(r"^\| `(\w+\.py)` \|", README, re.MULTILINE)
    assert sorted(listed) == modules
    assert [name for name in modules if not any(f"`adapters/{name}`" in row["used"] for row in ROWS)] == []
