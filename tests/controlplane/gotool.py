"""Runs Go with the same settings everywhere. Errors have a remedy."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

from tests.controlplane.errors import BuildError


def environment() -> dict[str, str]:
    """The environment of all Go commands."""
    return os.environ | {"CGO_ENABLED": "0", "GOWORK": "off"}


def require_go(folder: Path) -> None:
    """Raise BuildError unless Go is installed and new enough for the go.mod in a folder."""
    wanted = go_json("mod", "edit", "-json", cwd=folder)["Go"]
    found = go("env", "GOVERSION", cwd=folder).strip()
    if language_version(found) < language_version(wanted):
        raise BuildError(f"A build needs Go {wanted} or newer, and the go on the PATH is {found}. Install a newer Go.")


def language_version(text: str) -> tuple[int, int]:
    """(1, 26) from `go1.26.8`, `1.26.0`, `go1.26rc1` or `devel go1.26-0123abc`."""
    match = re.search(r"(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def go_json(*arguments: str, cwd: Path) -> dict[str, Any]:
    """Run a Go command that prints JSON. Raises BuildError."""
    return json.loads(go(*arguments, cwd=cwd))


def go(*arguments: str, cwd: Path) -> str:
    """Run a Go command, and return its output. Raises BuildError."""
    try:
        done = subprocess.run(
            ["go", *arguments], cwd=cwd, env=environment(), text=True, capture_output=True, check=False
        )
    except FileNotFoundError:
        raise BuildError("A build needs Go, and there is no program go on the PATH. Install Go.") from None
    if done.returncode != 0:
        command = " ".join(["go", *arguments])
        raise BuildError(f"`{command}` failed:\n{done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
