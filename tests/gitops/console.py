"""The output of kubectl in docs/how-to/console.md: captured from a scenario, without what differs from run to run."""

import re
from pathlib import Path

from tests.bed import Bed

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "console.md"
_BLOCK = re.compile(r"(<!-- console: ([^\n]*) -->\n).*?(<!-- /console -->)", re.DOTALL)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_AGE = re.compile(r"(?:\d+[smh])+")
_AGES = ("AGE", "LAST SEEN", "Age")
#: What the page says in the place of what is different each time.
_NAMESPACE, _LONG, _NOW = "shop", "3m", "2026-01-01T00:00:00Z"
#: Where a description becomes interesting.
_CONDITIONS = "  Conditions:\n"


def rendered(text: str, bed: Bed) -> str:
    """The page with what kubectl says in a scenario."""
    return _BLOCK.sub(lambda match: f"{match[1]}{_captured(match[2], bed)}{match[3]}", text)


def _captured(arguments: str, bed: Bed) -> str:
    said = bed.kubectl(*arguments.split())
    command = f"$ kubectl {arguments.replace('--output=wide', '-o wide')}"
    if arguments.startswith("describe"):
        head, _, events = (_CONDITIONS + said.partition(_CONDITIONS)[2]).partition("Events:\n")
        command += " | sed -n '/Conditions:/,$p'"
        said = f"{head}Events:\n{_table(events, gap=2)}"
    else:
        said = _table(said, gap=3)
    return f"```console\n{command}\n{_steady(said, bed.namespace)}```\n"


def _steady(text: str, namespace: str) -> str:
    known: dict[str, str] = {}
    text = _UUID.sub(lambda match: known.setdefault(match[0], _uuid(len(known) + 1)), text)
    return _TIME.sub(_NOW, text).replace(namespace, _NAMESPACE)


def _uuid(number: int) -> str:
    return f"{number * 0x1A2B3C4D % 2**32:08x}-0000-4000-8000-{number:012d}"


def _table(text: str, gap: int) -> str:
    """A table whose ages are one, in columns as wide as they then need be."""
    lines = text.splitlines()
    starts = [match.start() for match in re.finditer(r"(?<!\S)\S+(?: \S+)*", lines[0])]
    rows = [[line[start:end].strip() for start, end in zip(starts, [*starts[1:], None], strict=True)] for line in lines]
    for column, title in enumerate(rows[0]):
        if title in _AGES:
            rows = [[_aged(cell) if index == column else cell for index, cell in enumerate(row)] for row in rows]
    widths = [max(map(len, column)) + gap for column in zip(*rows, strict=True)]
    indent = " " * starts[0]
    padded = ("".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "".join(f"{indent}{row.rstrip()}\n" for row in padded)


def _aged(cell: str) -> str:
    return _LONG if _AGE.fullmatch(cell) else cell
