"""Where the programs come from, without a build: which file is taken, and what people are told."""

import os
from pathlib import Path

import pytest

from tests.controlplane import ControlPlaneError, assets
from tests.controlplane.binaries import BINARIES, KUBERNETES, TOOLS
from tests.controlplane.gobuild import linker_flags
from tests.controlplane.gomodule import digest, go_mod_lines, parse_version, pinned_version
from tests.controlplane.gotool import language_version


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, with nothing else to take a program from."""
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
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
    with pytest.raises(ControlPlaneError, match="there is no program “kubectl” in it"):
        assets.find("kubectl")


def test_the_assets_folder_has_the_version_it_has(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(folder))
    with pytest.raises(ControlPlaneError, match="ask for no version"):
        assets.find("kubectl", "1.32.13")


def test_tools_come_from_the_cache_whatever_the_assets_folder_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(folder / "assets"))
    cached = put_program(folder / "helm" / pinned_version(TOOLS["helm"].module) / "helm")
    assert assets.find("helm") == cached


def test_a_program_of_our_own_has_the_version_of_its_sources(tmp_path: Path) -> None:
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


def test_the_cache_is_where_the_user_s_caches_are(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert assets.cache_folder() == folder
    monkeypatch.delenv("ESM_OPERATOR_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert assets.cache_folder() == Path("/caches/esm-operator")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/jo")
    assert assets.cache_folder() == Path("/home/jo/.cache/esm-operator")


def test_without_go_people_are_told_what_to_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(ControlPlaneError, match=r"no “go” on the PATH. Install it.\nInstead.*KUBEBUILDER_ASSETS"):
        assets.find("etcd")


def test_with_an_old_go_people_are_told_what_to_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = put_program(folder / "bin" / "go")
    go.write_text("""#!/bin/sh\n[ "$1" = env ] && echo go1.25.3 || echo '{"Go": "1.26.0"}'\n""")
    monkeypatch.setenv("PATH", os.pathsep.join([str(go.parent), os.environ["PATH"]]))
    with pytest.raises(ControlPlaneError, match=r"needs Go 1.26.0 or newer, and this is go1.25.3"):
        assets.find("etcd")


@pytest.mark.parametrize("text", ["1.37", "latest", "1.37.2-rc.1", ""])
def test_half_a_version_is_refused(text: str) -> None:
    with pytest.raises(ControlPlaneError, match="not a full version"):
        parse_version(text)


@pytest.mark.parametrize(
    ("text", "version"),
    [("go1.26.8", (1, 26)), ("1.26.0", (1, 26)), ("go1.27rc1", (1, 27)), ("devel go1.28-0f31 Mon", (1, 28))],
)
def test_the_version_of_go_is_understood(text: str, version: tuple[int, int]) -> None:
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


def test_programs_of_kubernetes_are_told_their_version() -> None:
    flags = list(linker_flags(BINARIES["kubectl"], "1.32.13"))
    assert "-X k8s.io/component-base/version.gitVersion=v1.32.13" in flags
    assert "-X k8s.io/client-go/pkg/version.gitMinor=32" in flags
