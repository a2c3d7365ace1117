"""Where the programs are: in KUBEBUILDER_ASSETS, else in the cache, else built into the cache now.

Of the control plane's, that is; the tools are in the cache or built.
"""

import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.controlplane.binaries import BINARIES, KUBERNETES, TOOLS
from tests.controlplane.errors import ControlPlaneError
from tests.controlplane.gobuild import build
from tests.controlplane.gomodule import parse_version, pinned_version
from tests.controlplane.progress import Progress


def find(name: str, kubernetes_version: str | None = None) -> Path:
    """The path of a program; of Kubernetes' own in the given version, or else in the pinned one."""
    if name in BINARIES and (assets := os.environ.get("KUBEBUILDER_ASSETS")):
        if kubernetes_version:
            raise ControlPlaneError(
                f"Kubernetes {kubernetes_version} is asked for, but KUBEBUILDER_ASSETS is set, and what is "
                "there has a version of its own. Unset it, or ask for no version."
            )
        return find_in_assets(name, Path(assets).absolute())
    wanted = parse_version(kubernetes_version or pinned_version(KUBERNETES))
    binary = (BINARIES | TOOLS)[name]
    version = wanted if binary.module == KUBERNETES else pinned_version(binary.module)
    folder = cache_folder() / binary.module.name / version
    if not (folder / name).exists():
        with build_lock():
            if not (folder / name).exists():  # nobody else built it meanwhile
                build(binary, version, folder)
    return folder / name


def find_in_assets(name: str, folder: Path) -> Path:
    path = folder / name
    if not os.access(path, os.X_OK):
        raise ControlPlaneError(
            f"KUBEBUILDER_ASSETS is {folder}, and there is no program “{name}” in it. "
            f"It must hold {', '.join(BINARIES)}. Unset it to have them built with Go."
        )
    return path


def cache_folder() -> Path:
    if own := os.environ.get("ESM_OPERATOR_CACHE"):
        return Path(own).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "esm-operator"


@contextmanager
def build_lock() -> Generator[None]:
    """One build at a time: two would only slow each other down. If its holder dies, the kernel frees it."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    with (cache_folder() / "build.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            wait_for_lock(file.fileno())
        yield


def wait_for_lock(file: int) -> None:
    progress = Progress("Another process is building programs; waiting for it.")
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.tick("still waiting")
            time.sleep(0.5)
