"""What is built and installed is pinned by hashes, and names no package index."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.operator_process import ROOT
from tests.waiting import LIMIT

LOCKS = ("requirements.lock", "requirements-dev.lock", ".ci/uv.lock")
TAG = "python:3.13-slim-trixie"
DIGEST = f"sha256:{'a1' * 32}"
#: It writes the arguments of a build to the file in $ARGUMENTS, and knows one image.
DOCKER = f"""#!/bin/sh
case "$*" in
pull*) exit "$PULLED" ;;
*RepoDigests*) echo python@{DIGEST} ;;
*Size*) echo 1 ;;
build*) echo "$*" >"$ARGUMENTS" ;;
esac
"""


def build(**environment: str) -> subprocess.CompletedProcess[str]:
    """Run .ci/image."""
    return subprocess.run(
        [ROOT / ".ci" / "image"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=4 * LIMIT,
        check=False,
    )


@pytest.mark.parametrize("name", LOCKS)
def test_each_package_of_a_lock_file_has_a_hash(name: str) -> None:
    text = (ROOT / name).read_text()
    packages = re.findall(r"^[a-zA-Z0-9].*?(?=^[a-zA-Z0-9]|\Z)", text, re.MULTILINE | re.DOTALL)
    assert packages
    assert [one for one in packages if "==" not in one.partition("\n")[0] or "--hash=sha256:" not in one] == []


@pytest.mark.parametrize("name", LOCKS)
def test_no_lock_file_names_a_package_index(name: str) -> None:
    text = (ROOT / name).read_text()
    assert re.findall(r"://|--(?:extra-)?index-url|--find-links|--trusted-host", text) == []


def test_all_packages_are_installed_by_their_hashes() -> None:
    setup = (ROOT / ".ci" / "setup").read_text().replace("\\\n", " ")
    installs = re.findall(r"^.*pip (?:--\S+ )*(?:install|sync) .*$", setup, re.MULTILINE)
    packages = [line for line in installs if "--editable ." not in line]
    assert len(packages) == 2
    assert [line for line in packages if "--require-hashes" not in line] == []


def test_the_base_image_has_no_default() -> None:
    """A default would be a tag, and a tag moves."""
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert "ARG BASE" in lines
    assert not [line for line in lines if line.startswith("ARG BASE=")]


@pytest.mark.parametrize("base", ["", TAG, "debootstrap", f"{TAG}@sha256:abc"])
def test_a_release_without_the_digest_of_its_base_is_refused(base: str) -> None:
    ended = build(RELEASE="1", BASE=base)
    assert ended.returncode == 1
    assert "A release needs BASE with the digest of the base image" in ended.stderr


@pytest.fixture
def docker(tmp_path: Path) -> dict[str, str]:
    """The environment of a build with a docker that pulls one image."""
    program = tmp_path / "docker"
    program.write_text(DOCKER)
    program.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "ARGUMENTS": str(tmp_path / "arguments"), "PULLED": "0", "BASE": "", "RELEASE": ""}


@pytest.mark.parametrize(
    ("base", "used"),
    [("", f"{TAG}@{DIGEST}"), ("python:3.14", f"python:3.14@{DIGEST}"), ("x@sha256:" + "b2" * 32,) * 2],
)
def test_a_build_uses_the_digest_of_its_base(base: str, used: str, docker: dict[str, str]) -> None:
    ended = build(**{**docker, "BASE": base})
    assert ended.returncode == 0, ended.stderr
    assert f"--build-arg BASE={used} " in Path(docker["ARGUMENTS"]).read_text()
    assert f" on {used}: 1" in ended.stdout


def test_a_base_whose_digest_is_not_known_is_refused(docker: dict[str, str]) -> None:
    ended = build(**{**docker, "PULLED": "1"})
    assert ended.returncode == 1
    assert f"The digest of {TAG} cannot be found out." in ended.stderr
    assert not Path(docker["ARGUMENTS"]).exists()
