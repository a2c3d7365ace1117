"""Builds one program with Go, in a folder of its own, and moves it into the cache when it is whole."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.controlplane.binaries import Binary
from tests.controlplane.errors import BuildError
from tests.controlplane.gomodule import module_folder
from tests.controlplane.gotool import environment, require_go
from tests.controlplane.processes import GuardedProcess
from tests.controlplane.progress import Progress, say


def build(binary: Binary, version: str, folder: Path) -> None:
    """Puts the program into the folder, where it either is complete or is not."""
    module = module_folder(binary.module, version, folder)
    require_go(module)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as unfinished:
        made = Path(unfinished) / binary.name
        compile_program(binary, version, module, made)
        made.rename(folder / binary.name)


def compile_program(binary: Binary, version: str, module: Path, made: Path) -> None:
    progress = Progress(
        f"Building {binary.name} {version} with Go. This is done once and takes about {binary.minutes} min "
        "on two cores, more if its sources have to be downloaded first."
    )
    log = made.with_suffix(".log")
    command = ["go", "build", "-v", "-trimpath", "-buildvcs=false", "-mod=readonly"]
    command += ["-tags", ",".join(binary.tags), "-ldflags", " ".join(linker_flags(binary, version))]
    command += ["-o", str(made), binary.package]
    process = GuardedProcess(command, log=log, cwd=module, env=environment())
    try:
        while (code := process.wait(timeout=1)) is None:
            progress.tick(f"{len(log.read_bytes().splitlines())} packages compiled or downloaded")
    finally:
        process.stop()
    if code != 0:
        raise BuildError(f"Building {binary.name} {version} failed. {process.obituary()}")
    say(f"Built {binary.name} {version} in {progress.elapsed()}.")


def linker_flags(binary: Binary, version: str) -> Iterator[str]:
    yield from ("-s", "-w")  # no debugging tables: a third smaller
    for package in binary.module.version_packages:
        major, minor, _ = version.split(".")
        yield f"-X {package}.gitVersion=v{version}"
        yield f"-X {package}.gitMajor={major}"
        yield f"-X {package}.gitMinor={minor}"
