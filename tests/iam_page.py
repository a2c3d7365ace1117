"""Writes into docs/iam.md what comes from the code: ``python -m tests.iam_page``. A test fails when it is stale.

A ```json block is what the command of the ```console block before it prints; the table is that of the actions.
"""

import io
import re
import shlex
from contextlib import redirect_stdout
from pathlib import Path

from pydantic_settings import CliApp

from esm_operator import cli
from esm_operator.commands import iam_permissions

PAGE = Path(__file__).resolve().parents[1] / "docs" / "iam.md"
_POLICY = re.compile(
    r"(?P<head>^```console\n\$ esm-operator (?P<command>iam-policy(?:[^\n]|\\\n)*)\n```\n+)```json\n.*?^```$",
    re.MULTILINE | re.DOTALL,
)
_TABLE = re.compile(r"(<!-- actions:[^\n]*-->\n).*?(<!-- /actions -->)", re.DOTALL)


def rendered(text: str) -> str:
    """The text of the page as it should be."""
    text = _TABLE.sub(lambda match: f"{match[1]}\n{iam_permissions.markdown()}\n\n{match[2]}", text)
    return _POLICY.sub(lambda match: f"{match['head']}```json\n{_printed(match['command'])}```", text)


def _printed(command: str) -> str:
    """What the command prints."""
    out = io.StringIO()
    with redirect_stdout(out):
        CliApp.run(cli.Root, cli_args=shlex.split(command.replace("\\\n", " ")))
    return out.getvalue()


if __name__ == "__main__":
    PAGE.write_text(rendered(PAGE.read_text()))
