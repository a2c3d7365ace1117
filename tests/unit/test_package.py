"""The Python package: its dependencies are declared, and its wheel has the files and metadata that users need."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_bytes
from email.message import Message
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "operator" / "esm_operator"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def normalized(name: str) -> str:
    """The name of a distribution as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


#: Version ranges of the dependencies, by normalized name.
DEPENDENCIES = {
    normalized(match[1]): match[2]
    for match in (re.fullmatch(r"([\w.-]+)(.*)", requirement) for requirement in PROJECT["dependencies"])
    if match
}


def imported() -> set[str]:
    """The top-level modules that the package imports when it runs, without those of the standard library."""
    names: set[str] = set()
    nodes: list[ast.AST] = [ast.parse(file.read_text()) for file in PACKAGE.rglob("*.py")]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            nodes += node.orelse
            continue
        nodes += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"esm_operator"}


def test_each_imported_package_is_a_declared_dependency() -> None:
    distributions = packages_distributions()
    undeclared = [
        name for name in imported() if not {normalized(one) for one in distributions[name]} & DEPENDENCIES.keys()
    ]
    assert len(imported()) > 10
    assert undeclared == []


def test_packages_whose_internals_are_used_have_an_upper_bound() -> None:
    introduction = (PACKAGE / "adapters" / "README.md").read_text().partition("\n| ")[0]
    listed = re.search(r"behaviour of (.+?)\. ", introduction.replace("\n", " "))
    assert listed
    names = {name.partition(".")[0] for name in re.split(r", | and ", listed[1])}
    assert {"kopf", "aiohttp", "kubernetes", "botocore", "urllib3"} <= names
    assert {name: DEPENDENCIES.get(name, "") for name in names if "<" not in DEPENDENCIES.get(name, "")} == {}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from a copy of the files that the Dockerfile copies."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "operator", folder / "operator", ignore=ignored)
    program = "from setuptools import build_meta; build_meta.build_wheel('dist')"
    subprocess.run([sys.executable, "-c", program], cwd=folder, check=True, capture_output=True)
    (built,) = (folder / "dist").glob("*.whl")
    return zipfile.ZipFile(built)


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    """The metadata in the wheel."""
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return message_from_bytes(wheel.read(name))


def test_the_wheel_has_the_type_marker_the_crds_and_all_modules(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    modules = {f"esm_operator/{file.relative_to(PACKAGE)}" for file in PACKAGE.rglob("*.py")}
    assert names >= {"esm_operator/py.typed", "esm_operator/api/crds.yaml", *modules}


def test_the_wheel_has_no_tests_and_no_tools(wheel: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert tops == {"esm_operator", f"esm_operator-{PROJECT['version']}.dist-info"}


def test_the_metadata_has_links_for_source_documentation_changes_and_issues(metadata: Message) -> None:
    labels = {str(value).partition(",")[0] for value in metadata.get_all("Project-URL", [])}
    assert labels >= {"Source", "Documentation", "Changelog", "Issues"}


def test_the_metadata_names_the_licence_and_the_least_python(metadata: Message) -> None:
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == PROJECT["requires-python"]
