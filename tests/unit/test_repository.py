"""The workflows, and the other files that a host of repositories reads, agree with the project."""

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from tests.controlplane.binaries import KUBERNETES
from tests.controlplane.gomodule import pinned_version
from tools.generators import GENERATORS

ROOT = Path(__file__).resolve().parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").iterdir())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MAKEFILE = (ROOT / "Makefile").read_text()


def load(path: Path) -> dict[Any, Any]:
    return yaml.safe_load(path.read_text())


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    """All jobs of all workflows, with a name for messages."""
    for path in WORKFLOWS:
        for name, job in load(path)["jobs"].items():
            yield f"{path.name}: {name}", job


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    """All steps of all jobs, with the name of the job."""
    for name, job in jobs():
        for step in job["steps"]:
            yield name, step


def commands() -> Iterator[tuple[str, list[str]]]:
    """The words of all lines that run in a step, with the name of the job."""
    for name, step in steps():
        for line in step.get("run", "").replace("\\\n", " ").splitlines():
            yield name, shlex.split(line)


# Commands and files


def test_each_make_target_in_a_workflow_exists() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", MAKEFILE, re.MULTILINE))
    used = {(name, words[words.index("make") + 1]) for name, words in commands() if "make" in words}
    assert {target for _, target in used} >= {"lint", "workflows", "unit", "e2e", "docs", "coverage"}
    assert {(name, target) for name, target in used if target not in targets} == set()


def test_each_file_that_a_workflow_names_exists() -> None:
    words = {word.removeprefix("ARGS=") for _, line in commands() for word in line}
    paths = {word for word in words if re.match(r"(\.ci|tests|tools|docs|operator|helm)/", word)}
    inputs = {str(step["with"][key]) for _, step in steps() for key in step.get("with", ()) if key.endswith("-path")}
    patterns = {glob for path in WORKFLOWS for glob in re.findall(r"hashFiles\('(.+?)'\)", path.read_text())}
    assert paths >= {".ci/image", "tests/image"}
    assert [one for one in (*paths, *inputs, *patterns) if not any(ROOT.glob(one))] == []


def test_each_folder_with_tests_is_run_by_a_workflow() -> None:
    folders = {str(path.parent.relative_to(ROOT)) for path in (ROOT / "tests").rglob("test_*.py")}
    by_target = {
        target: set(words.split()) for target, words in re.findall(r"^(UNIT|E2E) := (.+)$", MAKEFILE, re.MULTILINE)
    }
    lines = [" ".join(words) for _, words in commands()]
    assert "make unit" in lines
    assert "make e2e" in lines
    alone = {word.removeprefix("ARGS=") for line in lines for word in line.split() if word.startswith("ARGS=tests/")}
    assert by_target["UNIT"] & by_target["E2E"] == set()
    assert by_target["UNIT"] | by_target["E2E"] | alone == folders


# Versions


def python_versions() -> list[str]:
    """The Python versions that the metadata of the package promises."""
    prefix = "Programming Language :: Python :: "
    return [one.removeprefix(prefix) for one in PROJECT["project"]["classifiers"] if one.startswith(prefix)]


def test_unit_tests_run_on_each_python_version_of_the_metadata() -> None:
    job = load(GITHUB / "workflows" / "unit.yaml")["jobs"]["unit"]
    assert job["strategy"]["matrix"]["python"] == python_versions()


def test_all_jobs_use_a_python_version_of_the_metadata() -> None:
    used = {step["with"]["python-version"] for _, step in steps() if "setup-python" in step.get("uses", "")}
    used |= {job["env"]["PYTHON"].removeprefix("python") for _, job in jobs() if "PYTHON" in job.get("env", {})}
    assert used <= {"${{ matrix.python }}", *python_versions()}


def test_the_least_python_version_is_the_same_everywhere() -> None:
    least = python_versions()[0]
    assert PROJECT["project"]["requires-python"] == f">={least}"
    assert PROJECT["tool"]["pyright"]["pythonVersion"] == least
    assert f"--python-version {least} " in MAKEFILE
    assert f'LEAST="{least}"' in (ROOT / ".ci" / "setup").read_text()


def test_the_setup_looks_for_each_python_version_the_newest_first() -> None:
    candidates = re.search(r"for candidate in (.+) python3;", (ROOT / ".ci" / "setup").read_text())
    assert candidates
    assert candidates[1].split() == [f"python{version}" for version in reversed(python_versions())]


def test_end_to_end_tests_run_from_the_oldest_version_of_the_chart_to_the_pinned_one() -> None:
    job = load(GITHUB / "workflows" / "e2e.yaml")["jobs"]["e2e"]
    versions = job["strategy"]["matrix"]["kubernetes"]
    oldest = load(ROOT / "helm" / "esm-operator" / "Chart.yaml")["kubeVersion"]
    newest = Version(pinned_version(KUBERNETES))
    assert versions == sorted(versions, key=Version)
    assert oldest == f">={versions[0]}.0-0"
    assert versions[-1] == f"{newest.major}.{newest.minor}"


def test_no_job_uses_another_kubernetes_version() -> None:
    versions = set(load(GITHUB / "workflows" / "e2e.yaml")["jobs"]["e2e"]["strategy"]["matrix"]["kubernetes"])
    named = {job.get("env", {}).get("KUBERNETES") for _, job in jobs()} - {None}
    assert named <= {"${{ matrix.kubernetes }}.x", "latest", *(f"{version}.x" for version in versions)}


def test_workflows_and_devcontainer_use_the_go_version_of_the_test_programs() -> None:
    go_mod = (ROOT / "tests" / "controlplane" / "go" / "kubernetes" / "go.mod").read_text()
    version = re.search(r"^go (\d+\.\d+)", go_mod, re.MULTILINE)
    assert version
    devcontainer = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    used = {step["with"]["go-version"] for _, step in steps() if "setup-go" in step.get("uses", "")}
    used |= {feature["version"] for name, feature in devcontainer["features"].items() if "/go:" in name}
    assert used == {version[1]}


# Security of the workflows


def test_each_action_is_pinned_by_commit_and_named_by_version() -> None:
    lines = [line for path in WORKFLOWS for line in path.read_text().splitlines() if "uses:" in line]
    assert len(lines) > 10
    assert [
        line for line in lines if not re.search(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line)
    ] == []


def test_an_action_has_the_same_commit_in_all_workflows() -> None:
    uses = {step["uses"] for _, step in steps() if "uses" in step}
    names = [one.partition("@")[0] for one in uses]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_only_the_right_to_read(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert [name for name, job in workflow["jobs"].items() if "permissions" in job] == []


def test_each_job_ends_in_time_and_keeps_no_credentials() -> None:
    assert [name for name, job in jobs() if "timeout-minutes" not in job] == []
    checkouts = [step for _, step in steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) == len(list(jobs()))
    assert [step for step in checkouts if step["with"]["persist-credentials"] is not False] == []


def test_a_workflow_runs_by_schedule_with_upgraded_lock_files() -> None:
    # YAML 1.1 reads the key "on" as true.
    scheduled = [path.name for path in WORKFLOWS if "schedule" in load(path)[True]]
    assert scheduled
    upgraded = {name.partition(":")[0] for name, words in commands() if words == ["make", "lock", "UPGRADE=--upgrade"]}
    assert upgraded == set(scheduled)


# Other files


def test_dependabot_watches_folders_that_exist() -> None:
    updates = load(GITHUB / "dependabot.yml")["updates"]
    folders = {folder for update in updates for folder in update.get("directories", [update.get("directory")])}
    assert [folder for folder in folders if folder != "/" and not any(ROOT.glob(folder.strip("/")))] == []


def test_generated_files_are_marked_in_gitattributes() -> None:
    lines = (ROOT / ".gitattributes").read_text().splitlines()
    patterns = [line.split()[0].removeprefix("/") for line in lines if line.endswith(" linguist-generated")]
    made = [
        path for generator in GENERATORS.values() for path, text in generator().items() if text and "<!-- /" not in text
    ]
    made = [str(path.relative_to(ROOT)) for path in made]
    assert len(made) > 5
    assert [path for path in made if not any(fnmatch(path, pattern) for pattern in patterns)] == []
    assert [pattern for pattern in patterns if not any(ROOT.rglob(pattern))] == []


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_the_lock_files_have_a_version_that_each_dependency_allows(lock: str) -> None:
    pins = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / lock).read_text(), re.MULTILINE))
    needed = [*PROJECT["project"]["dependencies"]]
    if lock == "requirements-dev.lock":
        needed += PROJECT["project"]["optional-dependencies"]["dev"]
    requirements = [Requirement(one) for one in needed]
    assert [str(one) for one in requirements if pins.get(one.name.lower(), "0") not in one.specifier] == []


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_the_lock_files_name_no_package_index(lock: str) -> None:
    assert re.findall(r"://|^--.*|@ .*", (ROOT / lock).read_text(), re.MULTILINE) == []


LINK = re.compile(r"\]\(([^)#\s]+)")
PAGES = ("CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_of_the_repository_or_to_its_home(page: str) -> None:
    links = LINK.findall((ROOT / page).read_text())
    assert links
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


def test_all_files_name_the_same_home_of_the_repository() -> None:
    home = PROJECT["project"]["urls"]["Source"]
    owner = home.split("/")[-2]
    texts = [(ROOT / page).read_text() for page in PAGES]
    texts += [path.read_text() for path in (GITHUB / "ISSUE_TEMPLATE").iterdir()]
    texts += [*PROJECT["project"]["urls"].values()]
    homes = {one for text in texts for one in re.findall(r"https://github\.com/[\w-]+/esm-operator\b", text)}
    assert homes == {home}
    owners = re.findall(r"^\* @(\S+)$", (GITHUB / "CODEOWNERS").read_text(), re.MULTILINE)
    assert {one.partition("/")[0] for one in owners} == {owner}
