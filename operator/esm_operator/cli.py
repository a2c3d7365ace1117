"""The command line ``esm-operator``: finds the command in a table and runs it.

The module of a command is imported only when that command runs. So ``esm-operator --version`` and ``esm-operator
validate`` start without the libraries of the other commands.
"""

import difflib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from esm_operator import terminal

PROGRAM = "esm-operator"


@dataclass(frozen=True, slots=True)
class Command:
    """A row of the table of commands."""

    name: str
    module: str
    """The module of its settings class, below ``esm_operator``."""
    settings: str
    """The name of its settings class."""
    summary: str

    def load(self) -> Any:
        """Import the settings class."""
        return getattr(import_module(f"esm_operator.{self.module}"), self.settings)


COMMANDS: tuple[Command, ...] = (
    Command("run", "run", "Run", "Run the operator until it is stopped."),
    Command("crds", "commands.crds", "Crds", "Print the CustomResourceDefinitions."),
    Command("validate", "commands.validate", "Validate", "Check manifests without a cluster."),
    Command("export", "commands.export", "Export", "Print manifests that adopt existing mappings in AWS."),
    Command("orphans", "commands.orphans", "Orphans", "List mappings in AWS whose Kubernetes resource is gone."),
    Command(
        "check-upgrade",
        "commands.check_upgrade",
        "CheckUpgrade",
        "List the resources that an upgrade to this version affects.",
    ),
    Command("iam-policy", "commands.iam_policy", "IamPolicy", "Print the IAM policy that the operator needs."),
)


def help_text() -> str:
    """The help of the program."""
    rows = "\n".join(f"  {command.name:15}{command.summary}" for command in COMMANDS)
    return f"""\
usage: {PROGRAM} COMMAND [flags]

Manage AWS Lambda event source mappings through Kubernetes resources.

commands:
{rows}

flags:
  -h, --help  Show this help.
  --version   Show the version.

Run `{PROGRAM} COMMAND --help` for the flags of a command."""


def run(words: Sequence[str]) -> None:
    """Run the command line with these words, which do not include the name of the program. Raises SystemExit."""
    first = words[0] if words else ""
    command = next((one for one in COMMANDS if one.name == first), None)
    if command is not None:
        from esm_operator import flags

        flags.run(command.load(), f"{PROGRAM} {first}", words[1:])
    elif first == "--version":
        from importlib.metadata import version

        terminal.put(f"{PROGRAM} {version(PROGRAM)}")
    elif first in ("-h", "--help", "help"):
        terminal.put(help_text())
    else:
        near = difflib.get_close_matches(first, [one.name for one in COMMANDS], n=1)
        problem = f"There is no command `{first}`." if first else "A command is missing."
        hint = f"Did you mean `{near[0]}`?" if near else f"Run `{PROGRAM} --help` for the list of commands."
        terminal.stop(f"{problem} {hint}", 2)


def main() -> None:
    """The console script ``esm-operator``."""
    try:
        run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        terminal.crash(error)
