"""The commands of kubectl and Helm in the documentation exist, with their flags, in the versions of the tests."""

import re
import subprocess
from collections.abc import Iterator
from functools import cache

import pytest

from tests.controlplane import assets
from tests.pages import Command, calls, commands
from tests.waiting import COMMAND_LIMIT

#: Commands of kubectl that have subcommands.
OF_TWO_WORDS = frozenset({"auth", "certificate", "cluster-info", "config", "create", "rollout", "set", "top"})
#: A flag as users type it, and as a help text shows it.
FLAG = re.compile(r"--?[a-zA-Z][a-zA-Z0-9-]*")


def called(program: str) -> Iterator[tuple[Command, tuple[str, ...], list[str]]]:
    """Each call of a program: the whole command, the subcommand, and the flags."""
    for command in commands():
        for name, *words in calls(command):
            if name == program:
                ours = words[: words.index("--")] if "--" in words else words
                plain = [word for word in _without_values(ours) if not word.startswith(("-", ">", "<"))]
                length = 2 if plain[0] in OF_TWO_WORDS and len(plain) > 1 else 1
                yield command, tuple(plain[:length]), [found[0] for word in ours if (found := FLAG.match(word))]


def _without_values(words: list[str]) -> Iterator[str]:
    """The words without values of flags that precede the subcommand."""
    rest = iter(words)
    for word in rest:
        if word in ("--namespace", "-n", "--kubeconfig", "--context"):
            next(rest)
        else:
            yield word


@cache
def told(program: str, *words: str) -> str:
    """The help text of a command."""
    ended = subprocess.run(
        [assets.find(program), *words], capture_output=True, text=True, timeout=COMMAND_LIMIT, check=False
    )
    assert ended.returncode == 0, f"{program} {' '.join(words)}: {ended.stderr}"
    return ended.stdout


@pytest.mark.parametrize("program", ["kubectl", "helm"])
def test_commands_exist_with_all_their_flags(program: str) -> None:
    seen = 0
    for command, subcommand, flags in called(program):
        help_text = told(program, *subcommand, "--help")
        # Both programs answer an unknown command with their general help.
        assert re.search(rf"^  {program} {' '.join(subcommand)}\b", help_text, re.MULTILINE), f"{command}: {subcommand}"
        if program == "kubectl":
            help_text += told(program, "options")
        known = set(FLAG.findall(help_text))
        for flag in flags:
            each = [flag] if flag.startswith("--") or flag in known else [f"-{letter}" for letter in flag[1:]]
            assert set(each) <= known, f"{command}: {program} {' '.join(subcommand)} has no {flag}"
        seen += 1
    assert seen >= 3
