"""What the generators have in common: files with their contents, and generated parts of pages."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"

#: What a generator returns: the files that it makes, with their contents. None: the file must not exist.
Files: TypeAlias = Mapping[Path, str | None]


def with_part(text: str, name: str, part: str) -> str:
    """The text of a page in which one generated part is replaced.

    Args:
        text: the text of the page.
        name: the name of the part. The part is between ``<!-- NAME: ... -->`` and ``<!-- /NAME -->``.
        part: the new text of the part.

    Raises:
        ValueError: the page has no such markers.
    """
    pattern = re.compile(rf"(<!-- {name}:[^\n]*-->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"the page has no markers for the generated part {name}")
    return pattern.sub(lambda match: f"{match[1]}{part.strip()}\n{match[2]}", text)


def stale(files: Files) -> list[Path]:
    """The files whose contents are not those that a generator returned."""
    return [path for path, text in files.items() if (path.read_text() if path.exists() else None) != text]


def write(files: Files) -> None:
    """Write the files that a generator returned, and remove those that must not exist."""
    for path, text in files.items():
        if text is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(text)
