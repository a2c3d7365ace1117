"""The generated parts of docs/how-to/iam.md: the table of actions, and what ``esm-operator iam-policy`` prints.

A ```json block is the output of the command in the ```console block before it.
"""

import io
import re
import shlex
from contextlib import redirect_stdout

from pydantic_settings import CliApp

from esm_operator import cli
from esm_operator.commands.iam_permissions import ACTIONS, REQUEST_TAG, RESOURCE_TAG
from tools.generated import DOCS, Files, with_part

PAGE = DOCS / "how-to" / "iam.md"
_POLICY = re.compile(
    r"(?P<head>^```console\n\$ esm-operator (?P<command>iam-policy(?:[^\n]|\\\n)*)\n```\n+)```json\n.*?^```$",
    re.MULTILINE | re.DOTALL,
)


def files() -> Files:
    """docs/how-to/iam.md."""
    text = with_part(PAGE.read_text(), "actions", table())
    return {PAGE: _POLICY.sub(lambda match: f"{match['head']}```json\n{_printed(match['command'])}```", text)}


def table() -> str:
    """The actions as a Markdown table."""
    rows = ["| action | what for | IAM restricts it by |", "|---|---|---|"]
    for action in ACTIONS:
        ways = [
            "mapping ARN" if action.by_mapping else "region",
            "function" if action.by_function else "",
            {REQUEST_TAG: "tags of the request", RESOURCE_TAG: "tags of the mapping", "": ""}[action.by_tag],
        ]
        rows.append(f"| `{action.name}` | {action.why} | {', '.join(way for way in ways if way)} |")
    return "\n".join(rows)


def _printed(command: str) -> str:
    """What the command prints."""
    out = io.StringIO()
    with redirect_stdout(out):
        CliApp.run(cli.Root, cli_args=shlex.split(command.replace("\\\n", " ")))
    return out.getvalue()
