"""Builds programs with Go, each in a temporary folder, from which it is moved to the cache when it is complete."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.controlplane.binaries import Binary
from tests.controlplane.errors import BuildError
from tests.controlplane.gomodule import module_folder
from tests.controlplane.gotool import environment, require_go
from tests.controlplane.processes import GuardedProcess
from tests.controlplane.progress import Progress, say

#: Seconds between two lines of progress.
INTERVAL = 15.0
#: What `go list` and `go build` print before the name of a module that they download.
_DOWNLOADING = b"go: downloading "
#: Lists the packages that are not in Go's build cache.
_STALE = "{{if .Stale}}{{.ImportPath}}{{end}}"


@dataclass(frozen=True)
class Build:
    """A program that can be built."""

    binary: Binary
    version: str
    folder: Path
    """Where it is put."""

    @property
    def path(self) -> Path:
        return self.folder / self.binary.name


def build(builds: Sequence[Build], reason: str = "") -> None:
    """Build programs, one after the other.

    Args:
        builds: the programs.
        reason: why they were not downloaded, as the end of a sentence.

    Raises:
        BuildError: Go is missing or too old, or a build failed.
    """
    if not builds:
        return
    because = f", because {reason}" if reason else ""
    names = ", ".join(f"{one.binary.name} {one.version}" for one in builds)
    minutes = sum(one.binary.minutes for one in builds)
    progress = Progress(
        f"Building {names} with Go{because}. This takes about {minutes} min on two cores, and is done once.", INTERVAL
    )
    modules = [module_folder(one.binary.module, one.version, one.folder) for one in builds]
    for module in modules:
        require_go(module)
    for number, (one, module) in enumerate(zip(builds, modules, strict=True), start=1):
        one.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=one.folder) as unfinished:
            made = Path(unfinished) / one.binary.name
            _compile(one, module, made, progress, f"program {number} of {len(builds)} ({one.binary.name})")
            made.rename(one.path)
    say(f"Built {names} in {progress.elapsed()}.")


def _compile(one: Build, module: Path, made: Path, progress: Progress, title: str) -> None:
    flags = ["-mod=readonly", "-trimpath", "-buildvcs=false", "-tags", ",".join(one.binary.tags)]
    flags += ["-ldflags", " ".join(linker_flags(one.binary, one.version))]
    package = one.binary.package

    def run(log: Path, *arguments: str, total: int = 0) -> list[bytes]:
        """Run Go. Returns the packages that it names."""
        process = GuardedProcess(["go", *arguments, package], log=log, cwd=module, env=environment())
        try:
            while (code := process.wait(timeout=1)) is None:
                progress.tick(f"{title}: {_state(log, total)}")
        finally:
            process.stop()
        if code != 0:
            raise BuildError(f"Building {one.binary.name} {one.version} failed. {process.describe_end()}")
        return _packages(log)

    stale = run(made.with_suffix(".list"), "list", "-deps", "-f", _STALE, *flags)
    run(made.with_suffix(".log"), "build", "-v", *flags, "-o", str(made), total=len(stale))


def _state(log: Path, total: int) -> str:
    packages = len(_packages(log))
    if total:
        return f"{min(packages, total)} of {total} packages compiled"
    modules = sum(line.startswith(_DOWNLOADING) for line in log.read_bytes().splitlines())
    return f"looking for its packages, {modules} modules downloaded"


def _packages(log: Path) -> list[bytes]:
    return [line for line in log.read_bytes().splitlines() if line and not line.startswith(b"go: ")]


def linker_flags(binary: Binary, version: str) -> Iterator[str]:
    """Flags of Go's linker, one after the other."""
    yield from ("-s", "-w")  # no debugging tables: a third smaller
    for package in binary.module.version_packages:
        major, minor, _ = version.split(".")
        yield f"-X {package}.gitVersion=v{version}"
        yield f"-X {package}.gitMajor={major}"
        yield f"-X {package}.gitMinor={minor}"
