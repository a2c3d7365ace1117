"""Reads YAML files as kubectl and the API server do, with the line of each field.

Each error is one sentence, also for hostile files. ``esm-operator validate`` reads manifests with this module, and
``esm-operator export`` quotes the strings that it would read as something else.
"""

import base64
import json
import math
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
    """Reads scalars as Kubernetes does, with :func:`plain`."""

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
        return _scalar(cast("yaml.ScalarNode", node))

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        names: set[str] = set()
        for key, _ in node.value:  # before a merge (<<) adds keys that may exist already
            name = _key(key)
            if name in names:
                raise ManifestError(key.start_mark.line + 1, f"The key {name} occurs twice. Remove one of the two.")
            names.add(name)
        self.flatten_mapping(node)
        result: dict[str, Any] = {}
        for key, value in node.value:
            name = _key(key)
            self._lines[(*path, name)] = key.start_mark.line + 1
            result[name] = self._value(value, (*path, name))
        return result


_TAG = "tag:yaml.org,2002:"
#: The tag of a scalar without quotes and without a tag.
_PLAIN = "!plain"
_Loader.yaml_implicit_resolvers = {
    "<": [(f"{_TAG}merge", re.compile("^<<$"))],
    None: [(_PLAIN, re.compile(""))],  # None stands for any first character
}

_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
_INTEGER = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_FIRST_OF_INTEGERS_THAT_ARE_TOO_LARGE = 2**63


def plain(text: str) -> bool | int | float | str | None:
    """The value of a scalar without quotes, as kubectl and the API server read it.

    They convert YAML to JSON with go-yaml (version 2, ``resolve.go``) and encoding/json. So ``08`` is 8, ``0o7`` is 7,
    ``1_000`` and ``1e3`` are the integer 1000, and an integer of more than 64 bits is a float. A time and ``12:30`` are
    strings.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    number = text if text.startswith(".") else text.replace("_", "")
    if _NOT_FINITE.fullmatch(number):
        return float(number.replace(".", ""))
    integer, value = _INTEGER.fullmatch(number), 0.0
    if integer is not None:
        value = int(number, _base(integer[1]))
    elif _FLOAT.fullmatch(number):
        value = float(number)
        if not math.isfinite(value):
            return text
    else:
        return text
    small = -_FIRST_OF_INTEGERS_THAT_ARE_TOO_LARGE <= value < _FIRST_OF_INTEGERS_THAT_ARE_TOO_LARGE
    return int(value) if small and value == int(value) else float(value)


def _base(digits: str) -> int:
    """The base of the digits of an integer, in the notation of Go."""
    bases = {"0x": 16, "0o": 8, "0b": 2}
    return bases.get(digits[:2].lower(), 8 if len(digits) > 1 and digits[0] == "0" else 10)


def _scalar(node: yaml.ScalarNode) -> Any:
    """The value of a scalar of a document."""
    text, tag = str(node.value), str(node.tag).removeprefix(_TAG)
    if tag == "binary":
        try:
            return base64.b64decode(text).decode()
        except ValueError:
            return text
    value = plain(text) if tag in (_PLAIN, "int", "float", "bool", "null") else text
    if isinstance(value, float) and not math.isfinite(value):
        raise ManifestError(node.start_mark.line + 1, f"JSON has no number {text}. Write a finite number or a string.")
    return value


def _key(node: yaml.Node) -> str:
    """The key of an object. The keys of JSON are strings, so ``yes`` becomes ``true``."""
    value = _scalar(node) if isinstance(node, yaml.ScalarNode) else None
    if value is None:
        raise ManifestError(node.start_mark.line + 1, "A key must be a string, not null, a list or an object.")
    return value if isinstance(value, str) else json.dumps(value)


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
