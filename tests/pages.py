"""The pages of docs/ as tests read them: their blocks of code, and the commands in those."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"

_BLOCK = re.compile(
    r"^(?P<indent> *)```(?P<language>\w+)[^\n]*\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
#: What stands between two commands of one line.
_BETWEEN = re.compile(r"[|;&()]+")
#: Words that can precede a command.
_KEYWORDS = frozenset({"while", "do", "if", "then", "else", "!", "{", "$", "done", "fi"})
_ASSIGNMENT = re.compile(r"\w+=.*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code."""

    page: str
    """Its path from the top of the repository."""
    section: str
    """The heading that it is under."""
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True, slots=True)
class Command:
    """A line that a reader is to type."""

    place: str
    """The page and the line."""
    section: str
    """The heading that it is under."""
    text: str

    def __str__(self) -> str:
        return self.place


@cache
def pages() -> dict[str, str]:
    """The texts of all pages, by their path from the top of the repository; the README is one."""
    files = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
    return {str(file.relative_to(ROOT)): file.read_text() for file in files}


def blocks(*languages: str) -> Iterator[Block]:
    """All blocks in one of some languages."""
    for page, text in pages().items():
        for found in _BLOCK.finditer(text):
            if found["language"] in languages:
                width = len(found["indent"])
                code = "".join(line[width:] or "\n" for line in found["text"].splitlines(keepends=True))
                headings = _HEADING.findall(text, 0, found.start())
                section = headings[-1] if headings else ""
                yield Block(page, section, text.count("\n", 0, found.start()) + 2, found["language"], code)


def commands() -> Iterator[Command]:
    """What stands behind ``$`` in blocks of a console, with the lines that continue it."""
    for block in blocks("console"):
        lines = enumerate(block.text.splitlines(), block.line)
        for number, line in lines:
            if not line.startswith("$ "):
                continue
            text = line[2:]
            while _goes_on(text):
                _, following = next(lines)
                text += f"\n{following}"
            yield Command(f"{block.page}:{number}", block.section, text)


def typed(page: str, section: str) -> list[str]:
    """The commands under a heading of a page, in order.

    Args:
        page: its path in docs/.
        section: the text of the heading. Headings below it begin sections of their own.
    """
    found = [one.text for one in commands() if one.place.startswith(f"docs/{page}:") and one.section == section]
    assert found, f"{page} has no commands under {section}"
    return found


def manifests(page: str, section: str = "") -> list[str]:
    """The YAML of a page in docs/, or of a section of it, in order."""
    return [one.text for one in blocks("yaml") if one.page == f"docs/{page}" and section in ("", one.section)]


def _goes_on(text: str) -> bool:
    """Whether a shell would wait for another line."""
    loop = re.search(r"\b(do|then)$", text, re.MULTILINE) and not re.search(r"^ *(done|fi)\b", text, re.MULTILINE)
    return bool(loop) or text.endswith(("\\", "|", "&&")) or _is_open(text)


def _is_open(text: str) -> bool:
    """Whether a quotation has no end."""
    try:
        shlex.split(text, comments=True)
    except ValueError:
        return True
    return False


def calls(command: Command) -> Iterator[list[str]]:
    """The programs that a command calls, each with its arguments: those of a pipe, of a loop, of ``$(...)``."""
    lexer = shlex.shlex(command.text.replace("\\\n", " "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = "#"
    words: list[str] = []
    for word in [*lexer, ";"]:
        if _BETWEEN.fullmatch(word):
            while words and (words[0] in _KEYWORDS or _ASSIGNMENT.fullmatch(words[0])):
                words.pop(0)
            if words:
                yield words
            words = []
        else:
            words.append(word)
