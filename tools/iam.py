"""The generated parts of docs/how-to/iam*.md: the table of actions, and all policies.

A ```json block is the output of the command in the ```console block before it.
"""

import io
import re
import shlex
from contextlib import redirect_stdout

from esm_operator import cli
from esm_operator.commands.iam_permissions import ACTIONS, REQUEST_TAG, RESOURCE_TAG
from tools.generated import DOCS, Files, with_part

PAGE = DOCS / "how-to" / "iam.md"
#: The other pages with policies.
OTHER_PAGES = PAGE.with_name("iam-clusters.md"), PAGE.with_name("iam-trust.md")
_POLICY = re.compile(
    r"(?P<head>^```console\n\$ esm-operator (?P<command>iam-policy(?:[^\n]|\\\n)*)\n```\n+)```json\n.*?^```$",
    re.MULTILINE | re.DOTALL,
)


def files() -> Files:
    """The pages with policies."""
    others = {page: page.read_text() for page in OTHER_PAGES}
    texts = {PAGE: with_part(PAGE.read_text(), "actions", table()), **others}
    return {page: _POLICY.sub(_with_output, text) for page, text in texts.items()}


def table() -> str:
    """The actions as a Markdown table."""
    rows = ["| action | purpose | IAM can restrict it by |", "|---|---|---|"]
    for action in ACTIONS:
        ways = [
            "mapping ARN" if action.by_mapping else "region",
            "function" if action.by_function else "",
            {REQUEST_TAG: "tags of the request", RESOURCE_TAG: "tags of the mapping", "": ""}[action.by_tag],
        ]
        rows.append(f"| `{action.name}` | {action.why} | {', '.join(way for way in ways if way)} |")
    return "\n".join(rows)


def _with_output(block: re.Match[str]) -> str:
    """A command with the policy that it prints."""
    return f"{block['head']}```json\n{_printed(block['command'])}```"


def _printed(command: str) -> str:
    """The output of a command."""
    out = io.StringIO()
    with redirect_stdout(out):
        cli.run(shlex.split(command.replace("\\\n", " ")))
    return out.getvalue()
