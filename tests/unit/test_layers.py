"""The tree of packages: few, and each with a role. ``make lint`` checks the order of their imports."""

import ast
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
