"""Finds the programs: in KUBEBUILDER_ASSETS, else in the cache. Those that are missing are downloaded or built.

The three programs of the control plane can be downloaded. The tools can only be built, and KUBEBUILDER_ASSETS is not
for them.
"""

import fcntl
import os
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.controlplane import envtest
from tests.controlplane.binaries import BINARIES, KUBERNETES, TOOLS
from tests.controlplane.errors import ControlPlaneError
from tests.controlplane.gobuild import Build, build
from tests.controlplane.gomodule import parse_version, pinned_version
from tests.controlplane.progress import Progress

#: Seconds between two lines while another process builds.
_INTERVAL = 15.0


def find(name: str, kubernetes_version: str | None = None) -> Path:
    """The path of one program. Raises ControlPlaneError."""
    return find_all([name], kubernetes_version)[0]


def find_all(names: Sequence[str], kubernetes_version: str | None = None) -> list[Path]:
    """The paths of programs. Those that are missing are downloaded or built together.

    Args:
        names: those of programs.
        kubernetes_version: such as ``1.32.13``. None: the pinned version, or another patch release of it.

    Raises:
        ControlPlaneError: a program is missing, and can't be downloaded or built.
    """
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and kubernetes_version:
        raise ControlPlaneError(
            f"KUBEBUILDER_ASSETS is set, so Kubernetes {kubernetes_version} can't be used. The programs in that folder "
            "have a version of their own. Unset KUBEBUILDER_ASSETS, or request no version."
        )
    folder = Path(assets).absolute() if assets else None
    given = {name: _find_in_assets(name, folder) for name in names if folder is not None and name in BINARIES}
    found = given | _find_in_cache([name for name in names if name not in given], kubernetes_version)
    return [found[name] for name in names]


def _find_in_assets(name: str, folder: Path) -> Path:
    path = folder / name
    if not os.access(path, os.X_OK):
        raise ControlPlaneError(
            f"KUBEBUILDER_ASSETS is {folder}, and this folder has no program {name}. It must have "
            f"{', '.join(BINARIES)}. Unset KUBEBUILDER_ASSETS to download or build them."
        )
    return path


def _find_in_cache(names: Sequence[str], kubernetes_version: str | None) -> dict[str, Path]:
    builds = {name: _build_of(name, kubernetes_version) for name in names}
    found = _present(builds, kubernetes_version)
    if len(found) == len(builds):
        return found
    with _build_lock():
        found = _present(builds, kubernetes_version)  # another process may have built them meanwhile
        missing = [name for name in names if name not in found]
        reason = ""
        if any(name in BINARIES for name in missing):
            try:
                envtest.download(_wanted(kubernetes_version), exact=bool(kubernetes_version), cache=_downloads())
            except envtest.DownloadError as error:
                reason = str(error)
            found = _present(builds, kubernetes_version)
        build([builds[name] for name in names if name not in found], reason)
    return {name: found.get(name, one.path) for name, one in builds.items()}


def _present(builds: dict[str, Build], kubernetes_version: str | None) -> dict[str, Path]:
    """Those of the programs that are in the cache. All programs of the control plane are of one version."""
    built = {name: one.path for name, one in builds.items() if one.path.exists()}
    plane = [name for name in builds if name in BINARIES]
    if all(name in built for name in plane):
        return built
    downloaded = envtest.installed(_wanted(kubernetes_version), exact=bool(kubernetes_version), cache=_downloads())
    return built if downloaded is None else built | {name: downloaded / name for name in plane}


def _build_of(name: str, kubernetes_version: str | None) -> Build:
    binary = (BINARIES | TOOLS)[name]
    version = _wanted(kubernetes_version) if binary.module == KUBERNETES else pinned_version(binary.module)
    return Build(binary, version, cache_folder() / binary.module.name / version)


def _wanted(kubernetes_version: str | None) -> str:
    return parse_version(kubernetes_version or pinned_version(KUBERNETES))


def cache_folder() -> Path:
    """The folder of all programs, which stays between runs."""
    if own := os.environ.get("ESM_OPERATOR_CACHE"):
        return Path(own).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "esm-operator"


def _downloads() -> Path:
    return cache_folder() / "envtest"


@contextmanager
def _build_lock() -> Generator[None]:
    """One download or build at a time, because two builds slow each other down. The kernel frees the lock of a process
    that was killed."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    with (cache_folder() / "build.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _wait_for_lock(file.fileno())
        yield


def _wait_for_lock(file: int) -> None:
    progress = Progress("Another process downloads or builds the programs. Waiting for it.", _INTERVAL)
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.tick("still waiting")
            time.sleep(0.5)
