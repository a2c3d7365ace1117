"""The go.mod of a build: the pinned one in `go/`, or one that is made for another version.

A module cannot simply require k8s.io/kubernetes. The go.mod of k8s.io/kubernetes replaces each k8s.io/X with a folder
of its source tree, and Go ignores the replacements of a required module. Each k8s.io/X is also published as a module,
with a version that follows from the Kubernetes version. The go.mod here replaces each folder with that module.
"""

import hashlib
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.controlplane.binaries import BINARIES, Module
from tests.controlplane.errors import ControlPlaneError
from tests.controlplane.gotool import go, go_json
from tests.controlplane.progress import say

VERSION = re.compile(r"v?(\d+\.\d+\.\d+)")
#: The source files of a program of this project.
SOURCES = (".go", ".mod", ".sum")


def parse_version(text: str) -> str:
    """`1.37.2` from `1.37.2` or `v1.37.2`."""
    match = VERSION.fullmatch(text)
    if not match:
        raise ControlPlaneError(f'"{text}" is not a full version. A version has three numbers, such as 1.32.13.')
    return match[1]


def pinned_version(module: Module) -> str:
    """The version that `go/` pins. For a program of this project: a digest of its sources."""
    if not module.path:
        return digest(path for path in module.folder.iterdir() if path.suffix in SOURCES)
    go_mod = module.folder / "go.mod"
    match = re.search(rf"^(?:require)?\s*{re.escape(module.path)} v(\S+)", go_mod.read_text(), re.MULTILINE)
    if not match:
        raise ControlPlaneError(f"{go_mod} does not require {module.path}.")
    return match[1]


def digest(paths: Iterable[Path]) -> str:
    """A digest of the names and contents of files, of 12 characters."""
    parts = ((path.name.encode(), path.read_bytes()) for path in sorted(paths))
    return hashlib.sha256(b"\0".join(part for pair in parts for part in pair)).hexdigest()[:12]


def module_folder(module: Module, version: str, cache: Path) -> Path:
    """A folder with go.mod and go.sum for a version: in `go/` for the pinned version, otherwise made in the cache."""
    if version == pinned_version(module):
        return module.folder
    folder = cache / "go-module"
    if not folder.exists():
        cache.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache.parent) as unfinished:
            made = Path(unfinished) / "go-module"
            made.mkdir()
            write_module(module, version, made)
            cache.mkdir(exist_ok=True)
            made.rename(folder)
    return folder


def write_module(module: Module, version: str, folder: Path) -> None:
    """Write go.mod and go.sum for a version."""
    say(f"Resolving the requirements of {module.path} v{version}.")
    published = go_json("mod", "download", "-json", f"{module.path}@v{version}", cwd=folder)
    upstream = go_json("mod", "edit", "-json", published["GoMod"], cwd=folder)
    (folder / "go.mod").write_text("\n".join(go_mod_lines(module, version, upstream)) + "\n")
    (folder / "go.sum").unlink(missing_ok=True)
    # -e, because modules that only tests import cannot always be downloaded. A build reports a missing module.
    go("mod", "tidy", "-e", cwd=folder)


def go_mod_lines(module: Module, version: str, upstream: dict[str, Any]) -> Iterator[str]:
    """The lines of a go.mod that builds the same programs as the go.mod of the module.

    Args:
        upstream: the go.mod of the module, as JSON.
    """
    yield f"module esm-operator.io/tests/controlplane/{module.name}"
    yield f"go {upstream['Go']}"
    settings: list[dict[str, str]] = upstream.get("GoDebug") or []
    replacements: list[dict[str, Any]] = upstream.get("Replace") or []
    yield from block("godebug", (f"{setting['Key']}={setting['Value']}" for setting in settings))
    yield from block("tool", (binary.package for binary in BINARIES.values() if binary.module == module))
    yield f"require {module.path} v{version}"
    yield from block("replace", (replacement(entry, version) for entry in replacements))


def replacement(entry: dict[str, Any], version: str) -> str:
    old, new = entry["Old"]["Path"], entry["New"]
    if new["Path"].startswith("./"):
        _, minor, patch = version.split(".")
        return f"{old} => {old} v0.{minor}.{patch}"
    return f"{old} => {new['Path']} {new['Version']}"


def block(directive: str, entries: Iterable[str]) -> Iterator[str]:
    yield f"{directive} ("
    yield from entries
    yield ")"
