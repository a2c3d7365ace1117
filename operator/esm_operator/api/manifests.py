"""Reads YAML files as kubectl and the API server do, with the line of each field.

The types of scalars are those of Kubernetes' own YAML library: ``yes`` is true, and a date and ``12:30`` are strings.
Each error is one sentence, also for hostile files. ``esm-operator validate`` reads manifests with this module.
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
    """A file or a document in it cannot be read."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Document:
    """An object of a file, and the lines of its fields."""

    value: Any
    line: int
    lines: Mapping[Path, int] = field(default_factory=dict[Path, int])

    def line_of(self, path: Path) -> int:
        """The line of a field, or of its nearest parent that exists."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, self.line)

    def part(self, path: Path, value: Any) -> "Document":
        """An object inside this one, such as an item of a List."""
        size = len(path)
        lines = {inner[size:]: line for inner, line in self.lines.items() if inner[:size] == path}
        return Document(value, self.line_of(path), lines)


class _Loader(yaml.SafeLoader):
    """Reads scalars as Kubernetes does: no dates, no numbers to the base of 60; y and n are true and false."""

    bool_values = {**yaml.SafeLoader.bool_values, "y": True, "n": False}  # noqa: RUF012

    def document(self, node: yaml.Node) -> Document:
        """The value of a document and the lines of its fields."""
        self._lines: dict[Path, int] = {}
        self._nodes = 0
        value = self._value(node, ())
        return Document(value, node.start_mark.line + 1, self._lines)

    def _value(self, node: yaml.Node, path: Path) -> Any:
        line = node.start_mark.line + 1
        self._lines.setdefault(path, line)
        self._nodes += 1
        if self._nodes > _MOST_NODES or len(path) > _DEEPEST:
            raise ManifestError(line, "The document is too large or nested too deeply, or an alias refers to itself.")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*path, number)) for number, item in enumerate(node.value)]
        try:
            return cast("Any", self).construct_object(node)
        except (ValueError, OverflowError):
            return str(node.value)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        names: set[str] = set()
        for key, _ in node.value:  # before a merge (<<) adds keys that may exist already
            if isinstance(key, yaml.ScalarNode) and key.value in names:
                raise ManifestError(
                    key.start_mark.line + 1, f"The key {key.value} occurs twice. Remove one of the two."
                )
            names.add(str(key.value))
        self.flatten_mapping(node)
        result: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise ManifestError(line, "A key must be a string, not a list or an object.")
            name = str(key.value)
            self._lines[(*path, name)] = line
            result[name] = self._value(value, (*path, name))
        return result


_TAG = "tag:yaml.org,2002:"
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rows if tag.removeprefix(_TAG) in ("bool", "null", "merge")]
    for first, rows in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
#: Kinds of scalars, the patterns of their texts, and the characters that the texts can begin with.
_SCALARS = (
    ("bool", r"^[yYnN]$", "yYnN"),
    ("int", r"^[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)$", "-+0123456789"),
    (
        "float",
        r"^(?:[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|\.[0-9]+(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
        "-+0123456789.",
    ),
)
for _kind, _pattern, _first in _SCALARS:
    cast("Any", _Loader).add_implicit_resolver(f"{_TAG}{_kind}", re.compile(_pattern), list(_first))


def read(name: str) -> str:
    """The text of a file, or of standard input for ``-``."""
    try:
        data = sys.stdin.buffer.read() if name == "-" else FilePath(name).read_bytes()
    except OSError as error:
        raise ManifestError(0, f"The file cannot be read: {error.strerror or error}.") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ManifestError(line, "This is not UTF-8 text.") from None


def documents(text: str) -> Iterator[Document]:
    """The objects in a text. Empty documents are left out."""
    try:
        loader = _Loader(text)
        while loader.check_node():
            node = loader.get_node()
            if node is not None:
                document = loader.document(node)
                if document.value is not None:
                    yield document
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(part for part in (error.context, error.problem) if part)
        raise ManifestError(mark.line + 1 if mark else 0, f"This is not YAML: {said}.") from None
    except yaml.YAMLError as error:
        raise ManifestError(0, f"This is not YAML: {' '.join(str(error).split())}.") from None
    except RecursionError:
        raise ManifestError(0, "The document is nested too deeply.") from None
