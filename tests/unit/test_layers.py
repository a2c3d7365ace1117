"""The tree of packages: few, each with a role, drawn in docs/contributing/structure.md like the import contract."""

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "operator" / "esm_operator"
#: More packages than this are more than a new engineer can keep in mind.
MOST_PACKAGES = 10


def packages() -> list[Path]:
    """The directories of all packages under esm_operator, nested ones too."""
    return sorted(file.parent for file in PACKAGE.rglob("__init__.py") if file.parent != PACKAGE)


def test_there_are_few_packages() -> None:
    names = [str(package.relative_to(PACKAGE)) for package in packages()]
    assert 0 < len(names) <= MOST_PACKAGES, names


def test_each_package_states_its_role() -> None:
    silent = [one.name for one in packages() if not ast.get_docstring(ast.parse((one / "__init__.py").read_text()))]
    assert silent == []


def test_the_drawing_shows_the_layers_of_the_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    page = (ROOT / "docs" / "contributing" / "structure.md").read_text()
    drawn = re.findall(r"^ *(\d+) {2,}(.+)$", page, re.MULTILINE)
    assert [int(number) for number, _ in drawn] == list(range(1, len(layers) + 1))
    assert [set(re.split(r" {2,}", names)) for _, names in drawn] == [set(layer.split(" | ")) for layer in layers]
