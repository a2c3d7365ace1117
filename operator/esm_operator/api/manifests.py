"""YAML files as Kubernetes' tools read them, with the line of everything in them.

Called by ``validate``. The resolution of words is that of Kubernetes' own YAML library: ``yes`` is true,
a date is a text, ``12:30`` is no number. An error is one sentence, whatever the file holds.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, TypeAlias, cast

import yaml

Path: TypeAlias = tuple[str | int, ...]

_MOST_NODES = 1_000_000
_DEEPEST = 100


class ManifestError(Exception):
    """A file, or a document in it, can't be read; the text is a sentence for people."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Document:
    """One object of a file."""

    value: Any
    line: int
    lines: Mapping[Path, int] = field(default_factory=dict[Path, int])

    def line_of(self, path: Path) -> int:
        """The line of a field, or of the nearest thing around it that is there."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, self.line)

    def part(self, path: Path, value: Any) -> "Document":
        """An object within this one, such as an item of a List."""
        size = len(path)
        lines = {inner[size:]: line for inner, line in self.lines.items() if inner[:size] == path}
        return Document(value, self.line_of(path), lines)


class _Loader(yaml.SafeLoader):
    """YAML as Kubernetes reads it: no dates, no numbers to the base of 60; y and n are words for true and false."""

    bool_values = {**yaml.SafeLoader.bool_values, "y": True, "n": False}  # noqa: RUF012

    @classmethod
    def recognise(cls, kind: str, pattern: str, first: str) -> None:
        """Read words as a kind of scalar.

        Args:
            kind: ``bool``, ``int`` or ``float``.
            pattern: of the words.
            first: the characters that they can begin with.
        """
        untyped = cast("Any", cls)  # types-PyYAML does not type it
        untyped.add_implicit_resolver(f"tag:yaml.org,2002:{kind}", re.compile(pattern), list(first))


_KEPT = ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rows if tag in _KEPT]
    for first, rows in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.recognise("bool", r"^[yYnN]$", "yYnN")
_Loader.recognise("int", r"^[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)$", "-+0123456789")
_Loader.recognise(
    "float",
    r"^(?:[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|\.[0-9]+(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
    "-+0123456789.",
)


def read(name: str) -> str:
    """The text of a file, or of standard input for ``-``."""
    try:
        data = sys.stdin.buffer.read() if name == "-" else FilePath(name).read_bytes()
    except OSError as error:
        raise ManifestError(0, f"The file can't be read: {error.strerror or error}.") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ManifestError(line, "This is not text in UTF-8; a manifest must be.") from None


def documents(text: str) -> Iterator[Document]:
    """The objects in a text, one after the other; those that are empty are left out."""
    try:
        loader = _Loader(text)
        while loader.check_node():
            node = loader.get_node()
            if node is not None:
                document = _Reader(loader).document(node)
                if document.value is not None:
                    yield document
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(part for part in (error.context, error.problem) if part)
        raise ManifestError(mark.line + 1 if mark else 0, f"This is not YAML: {said}.") from None
    except yaml.YAMLError as error:
        raise ManifestError(0, f"This is not YAML: {' '.join(str(error).split())}.") from None
    except RecursionError:
        raise ManifestError(0, "This is nested too deeply.") from None


class _Reader:
    """Turns the nodes of one document into values, and remembers their lines."""

    def __init__(self, loader: _Loader) -> None:
        self._loader = loader
        self._lines: dict[Path, int] = {}
        self._nodes = 0

    def document(self, node: yaml.Node) -> Document:
        value = self._value(node, ())
        return Document(value, node.start_mark.line + 1, self._lines)

    def _value(self, node: yaml.Node, path: Path) -> Any:
        line = node.start_mark.line + 1
        self._lines.setdefault(path, line)
        self._nodes += 1
        if self._nodes > _MOST_NODES or len(path) > _DEEPEST:
            raise ManifestError(line, "This is too large or nested too deeply, or an alias refers to itself.")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*path, number)) for number, item in enumerate(node.value)]
        try:
            return cast("Any", self._loader).construct_object(node)
        except (ValueError, OverflowError):
            return str(node.value)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        _refuse_duplicates(node)
        self._loader.flatten_mapping(node)
        result: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise ManifestError(line, "A name must be a text, not a list or an object.")
            name = str(key.value)
            self._lines[(*path, name)] = line
            result[name] = self._value(value, (*path, name))
        return result


def _refuse_duplicates(node: yaml.MappingNode) -> None:
    """A name may be in an object once; what a merge (``<<``) brings doesn't count."""
    seen: set[str] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.value in seen:
            raise ManifestError(key.start_mark.line + 1, f"{key.value} is there twice; remove one of the two.")
        seen.add(str(key.value))
