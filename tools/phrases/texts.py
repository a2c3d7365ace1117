"""The prose of the project: pages, docstrings, comments, messages, names of tests, and texts of the chart.

Code is not prose: blocks of code and words in backticks are left out of pages, and strings without sentences out of
modules. Generated files are left out where the text that they are made from is read.
"""

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.generated import ROOT

FOLDERS = ("operator", "tools", "tests", "docs", "examples", "gitops", "helm", ".ci", ".github")
SUFFIXES = frozenset({".md", ".py", ".yaml", ".yml", ".json", ".txt", ".tpl", ".lua", ""})
#: The phrases themselves, and copies of the CRDs, whose descriptions are docstrings of the models.
LEFT_OUT = (
    "tools/phrases",
    "tests/unit/test_phrases.py",
    "helm/esm-operator/files/crds",
    "operator/esm_operator/api/crds.yaml",
)
#: A string is a message if it has so many words, with spaces between them.
WORDS_OF_A_MESSAGE = 4

_WORD = re.compile(r"[A-Za-z][A-Za-z'’-]*")
_FENCE = re.compile(r"^( *)(```+|~~~+).*?^\1\2 *$", re.MULTILINE | re.DOTALL)
#: Comments and tags of HTML, words in backticks, targets of links, and URLs.
_NOT_PROSE = re.compile(r"<!--.*?-->|</?[a-z][^>\n]*>|``[^`]+``|`[^`\n]*`|(?<=\])\([^)\s]*\)|https?://\S+", re.DOTALL)
_SENTENCE = re.compile(rf"(?:[A-Za-z{{}}'’-]+[,;:.]? ){{{WORDS_OF_A_MESSAGE - 1},}}[A-Za-z{{}}'’-]+")
_KEY_WITH_TEXT = re.compile(r'^\s*(?:- )?"?(?:title|description|summary|message)"?: *(.*)$')


@dataclass(frozen=True, slots=True)
class Text:
    """A connected piece of prose."""

    file: str
    """From the top of the repository."""
    line: int
    """Of its first word."""
    text: str
    """With the line breaks of the file where it has them."""

    @property
    def words(self) -> int:
        """The number of its words."""
        return len(_WORD.findall(self.text))

    @property
    def folder(self) -> str:
        """The folder at the top of the repository, or the name of a file there."""
        return self.file.split("/")[0]

    def place(self, start: int) -> str:
        """``FILE:LINE`` of a position in the text."""
        return f"{self.file}:{self.line + self.text.count(chr(10), 0, start)}"


def all_texts() -> Iterator[Text]:
    """The prose of all files."""
    for path in _files():
        yield from texts_of(str(path.relative_to(ROOT)), path.read_text())


def texts_of(file: str, content: str) -> Iterator[Text]:
    """The prose of one file, whose name shows its kind."""
    for line, text in _READERS.get(Path(file).suffix, _commented)(content):
        yield Text(file, line, "\n".join(part.strip() for part in text.splitlines()))


def _files() -> Iterator[Path]:
    inside = (path for name in FOLDERS for path in sorted((ROOT / name).rglob("*")))
    for path in (*sorted(ROOT.glob("*.md")), ROOT / "Makefile", *inside):
        name = str(path.relative_to(ROOT))
        if path.suffix in SUFFIXES and path.is_file() and not name.startswith(LEFT_OUT) and "egg-info" not in name:
            yield path


def _blank(match: re.Match[str]) -> str:
    """A gap with as many lines as the text that it replaces. X stands for the code."""
    return "X" + "\n" * match[0].count("\n")


def _page(content: str) -> Iterator[tuple[int, str]]:
    text = _NOT_PROSE.sub(_blank, _FENCE.sub(_blank, content))
    line = 1
    for paragraph in re.split(r"(\n(?=\s*\n|[#|]|\s*[-*] |\s*\d+\. ))", text):
        if paragraph.strip():
            yield line, paragraph
        line += paragraph.count("\n")


def _commented(content: str) -> Iterator[tuple[int, str]]:
    """Comments, and the values of keys that are made for people."""
    lines: list[str] = []
    for number, line in enumerate(content.splitlines(), 1):
        if (text := line.strip()).startswith("# ") or text == "#":
            lines.append(text[1:])
            continue
        yield from _joined(number, lines)
        lines = []
        if value := _KEY_WITH_TEXT.match(line):
            yield number, _NOT_PROSE.sub(_blank, value[1])
    yield from _joined(content.count("\n") + 1, lines)


def _joined(following: int, lines: list[str]) -> Iterator[tuple[int, str]]:
    if lines:
        yield following - len(lines), _NOT_PROSE.sub(_blank, "\n".join(lines))


def _module(content: str) -> Iterator[tuple[int, str]]:
    yield from _comments(content)
    tree = ast.parse(content)
    inside: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            inside.add(node.value)
            yield node.lineno, _NOT_PROSE.sub(_blank, node.value.value)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if node.name.lower().startswith("test"):
                yield node.lineno, node.name.replace("_", " ")
        elif isinstance(node, ast.JoinedStr):
            inside.update(ast.walk(node))
            yield from _message(node.lineno, "".join(_part(part) for part in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in inside:
            yield from _message(node.lineno, node.value)


def _part(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else "X"


def _message(line: int, text: str) -> Iterator[tuple[int, str]]:
    if _SENTENCE.search(text):
        yield line, _NOT_PROSE.sub(_blank, text).replace("\n", " ")


def _comments(content: str) -> Iterator[tuple[int, str]]:
    """Comments; those on lines that follow each other are one text."""
    lines: list[str] = []
    last = 0
    for token in tokenize.generate_tokens(io.StringIO(content).readline):
        if token.type == tokenize.COMMENT:
            number = token.start[0]
            if number != last + 1 or token.line.strip()[0] != "#":
                yield from _joined(last + 1, lines)
                lines = []
            lines.append(token.string.lstrip("#:"))
            last = number
    yield from _joined(last + 1, lines)


_READERS: Mapping[str, Callable[[str], Iterator[tuple[int, str]]]] = {
    ".md": _page,
    ".txt": _page,
    ".py": _module,
}
