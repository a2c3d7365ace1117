"""Which file of a program is used, how a program is built, and the messages when that fails."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.controlplane import ControlPlaneError, assets, envtest, gobuild
from tests.controlplane.binaries import BINARIES, KUBERNETES, TOOLS, Binary, Module
from tests.controlplane.gobuild import Build, build, linker_flags
from tests.controlplane.gomodule import digest, go_mod_lines, parse_version, pinned_version
from tests.controlplane.gotool import language_version


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache. There is nothing else to take a program from, and nothing is downloaded."""
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv(envtest.INDEX_VARIABLE, "")
    monkeypatch.setenv("ESM_OPERATOR_CACHE", str(tmp_path))
    return tmp_path


def put_program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o755)
    return path


def test_the_assets_folder_comes_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_program(folder / "etcd" / pinned_version(BINARIES["etcd"].module) / "etcd")
    own = put_program(folder / "assets" / "etcd")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(own.parent))
    assert assets.find("etcd") == own


def test_a_program_that_the_assets_folder_lacks_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(folder))
    with pytest.raises(ControlPlaneError, match="this folder has no program kubectl"):
        assets.find("kubectl")


def test_no_version_can_be_requested_from_the_assets_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(folder))
    with pytest.raises(ControlPlaneError, match="or request no version"):
        assets.find("kubectl", "1.32.13")


def test_tools_come_from_the_cache_despite_an_assets_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(folder / "assets"))
    cached = put_program(folder / "helm" / pinned_version(TOOLS["helm"].module) / "helm")
    assert assets.find("helm") == cached


def test_the_version_of_a_program_of_this_project_is_a_digest_of_its_sources(tmp_path: Path) -> None:
    one, other = tmp_path / "go.mod", tmp_path / "main.go"
    one.write_text("module one")
    other.write_text("package main")
    before = digest([one, other])
    assert digest([other, one]) == before
    other.write_text("package main // changed")
    assert digest([one, other]) != before


@pytest.mark.parametrize("version", ["1.32.13", "v1.32.13"])
def test_the_cache_has_a_folder_for_each_version(folder: Path, version: str) -> None:
    cached = put_program(folder / "kubernetes" / "1.32.13" / "kubectl")
    assert assets.find("kubectl", version) == cached


def test_the_cache_is_in_the_folder_of_the_users_caches(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert assets.cache_folder() == folder
    monkeypatch.delenv("ESM_OPERATOR_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert assets.cache_folder() == Path("/caches/esm-operator")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/jo")
    assert assets.cache_folder() == Path("/home/jo/.cache/esm-operator")


def test_without_go_the_message_has_a_remedy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(ControlPlaneError, match=r"no program go on the PATH. Install Go.\nInstead.*KUBEBUILDER_ASSETS"):
        assets.find("etcd")


def test_with_an_old_go_the_message_has_a_remedy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = put_program(folder / "bin" / "go")
    go.write_text("""#!/bin/sh\n[ "$1" = env ] && echo go1.25.3 || echo '{"Go": "1.26.0"}'\n""")
    monkeypatch.setenv("PATH", os.pathsep.join([str(go.parent), os.environ["PATH"]]))
    with pytest.raises(ControlPlaneError, match=r"needs Go 1.26.0 or newer, and the go on the PATH is go1.25.3"):
        assets.find("etcd")


@pytest.mark.parametrize("text", ["1.37", "latest", "1.37.2-rc.1", ""])
def test_half_a_version_is_refused(text: str) -> None:
    with pytest.raises(ControlPlaneError, match="is not a full version"):
        parse_version(text)


@pytest.mark.parametrize(
    ("text", "version"),
    [("go1.26.8", (1, 26)), ("1.26.0", (1, 26)), ("go1.27rc1", (1, 27)), ("devel go1.28-0f31 Mon", (1, 28))],
)
def test_the_version_of_go_is_read(text: str, version: tuple[int, int]) -> None:
    assert language_version(text) == version


def test_go_mod_for_another_version_replaces_what_its_own_replaces() -> None:
    upstream = {
        "Go": "1.23.0",
        "GoDebug": [{"Key": "winsymlink", "Value": "0"}],
        "Replace": [
            {"Old": {"Path": "k8s.io/api"}, "New": {"Path": "./staging/src/k8s.io/api"}},
            {"Old": {"Path": "example.com/x"}, "New": {"Path": "example.com/fork", "Version": "v1.2.3"}},
        ],
    }
    assert list(go_mod_lines(KUBERNETES, "1.32.13", upstream)) == [
        "module esm-operator.io/tests/controlplane/kubernetes",
        "go 1.23.0",
        *("godebug (", "winsymlink=0", ")"),
        *("tool (", "k8s.io/kubernetes/cmd/kube-apiserver", "k8s.io/kubernetes/cmd/kubectl", ")"),
        "require k8s.io/kubernetes v1.32.13",
        *("replace (", "k8s.io/api => k8s.io/api v0.32.13", "example.com/x => example.com/fork v1.2.3", ")"),
    ]


def test_the_linker_sets_the_version_of_programs_of_kubernetes() -> None:
    flags = list(linker_flags(BINARIES["kubectl"], "1.32.13"))
    assert "-X k8s.io/component-base/version.gitVersion=v1.32.13" in flags
    assert "-X k8s.io/client-go/pkg/version.gitMinor=32" in flags


@pytest.mark.long
def test_the_progress_of_a_build_has_a_total(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Real Go compiles a program of one line, and the packages of the standard library that it needs."""
    monkeypatch.setenv("GOCACHE", str(tmp_path / "go-cache"))
    monkeypatch.setattr(gobuild, "INTERVAL", 0.0)
    module = Sources("tiny", sources=tmp_path / "tiny")
    module.folder.mkdir()
    (module.folder / "go.mod").write_text("module tiny\n\ngo 1.26\n")
    (module.folder / "main.go").write_text("package main\n\nfunc main() { println(1) }\n")
    one = Build(Binary("tiny", module, ".", minutes=3), pinned_version(module), tmp_path / "built")

    build([one], "the test wants it")

    first, *lines, last = capsys.readouterr().err.splitlines()
    assert first == (
        f"Building tiny {one.version} with Go, because the test wants it. "
        "This takes about 3 min on two cores, and is done once."
    )
    totals = {match[2]: int(match[1]) for line in lines if (match := re.search(r"(\d+) of (\d+) packages", line))}
    (total,) = totals
    assert 10 < int(total) < 1000, "only packages that this program needs"
    assert totals[total] <= int(total)
    assert last.startswith(f"Built tiny {one.version} in ")
    assert subprocess.run([one.path], capture_output=True, text=True, check=True).stderr == "1\n"


@dataclass(frozen=True)
class Sources(Module):
    """A module whose sources are in a folder of the test."""

    sources: Path = Path()

    @property
    def folder(self) -> Path:
        return self.sources
