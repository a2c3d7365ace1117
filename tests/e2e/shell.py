"""Commands of the documentation, typed as they are written."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.bed import Bed
from tests.operator_process import ROOT
from tests.pages import manifests, typed
from tests.waiting import COMMAND_LIMIT

#: The namespace of the pages. The scenario's takes its place.
_NAMESPACE = re.compile(r"(namespace:? )shop\b")


@dataclass(slots=True)
class Shell:
    """Types commands, with the operator's command and kubectl on the path."""

    bed: Bed
    folder: Path
    """The working directory."""
    played: Mapping[str, Callable[[str], None]] = field(default_factory=dict[str, Callable[[str], None]])
    """Programs that are not here, and what happens instead."""

    def __post_init__(self) -> None:
        self.script("kubectl", f'exec {self.bed.plane.kubectl_path} "$@"')
        self.script("esm-operator", f'exec {sys.executable} -m esm_operator "$@"')

    def script(self, name: str, text: str) -> None:
        """Put a program on the path."""
        (self.folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.folder / name).chmod(0o755)

    def save(self, file: str, page: str, section: str) -> None:
        """Save the YAML of a section as a reader does."""
        (text,) = manifests(page, section)
        (self.folder / file).write_text(_NAMESPACE.sub(rf"\1{self.bed.namespace}", text))

    def run(self, page: str, section: str) -> list[str]:
        """Type the commands under a heading; what each has printed."""
        return [self.type(command) for command in typed(page, section)]

    def type(self, command: str, *, status: int = 0) -> str:
        """Type a command; what it has printed."""
        program = shlex.split(command, comments=True)[0]
        if program in self.played:
            self.played[program](command)
            return ""
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", _NAMESPACE.sub(rf"\1{self.bed.namespace}", command)],
            cwd=self.folder,
            env={
                "PATH": f"{self.folder}:{os.environ['PATH']}",
                "HOME": str(self.folder),
                "PYTHONPATH": str(ROOT / "operator"),
                "KUBECONFIG": str(self.bed.plane.kubeconfig),
                "AWS_ENDPOINT_URL": self.bed.aws.endpoint,
                "AWS_ACCESS_KEY_ID": "testing",
                "AWS_SECRET_ACCESS_KEY": "testing",
                "AWS_EC2_METADATA_DISABLED": "true",
            },
            capture_output=True,
            text=True,
            timeout=COMMAND_LIMIT,
            check=False,
        )
        assert done.returncode == status, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout
