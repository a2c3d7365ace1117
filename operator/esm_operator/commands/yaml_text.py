"""The YAML that commands print. All values are from AWS, where other users write them.

A value that ends its line, or a comment with a line break, could add a document of its own to a manifest that a person
applies. Therefore only the YAML library writes values, comments are escaped, and the finished text is checked: it has
only printable characters, it is one document, and it has the same meaning as the values when it is read back.
"""

import json
import re
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, cast

import yaml

from esm_operator.api import limits, manifests
from esm_operator.api.foreign_text import visible

_MARKER = "---"


class UnwritableError(Exception):
    """Values cannot be written as YAML with the same meaning. The text is a sentence."""


def document(value: Mapping[str, Any], comments: Iterable[str] = ()) -> str:
    """Values as one YAML document with lines of comments before them. It begins with ``---`` and ends its last line.

    Raises:
        UnwritableError: the text would not have the same meaning.
    """
    return _checked("".join(f"{one}\n" for one in (_MARKER, *map(comment, comments))) + _dump(value), value)


def line(name: str, value: Mapping[str, Any]) -> str:
    """A field in one line, such as ``adoption: {policy: Required}``. Raises UnwritableError."""
    text = f"{name}: {_dump(value, flow=True).rstrip()}"
    if "\n" in text:
        raise UnwritableError("The values do not fit into one line.")
    return _checked(text, {name: value})


def comment(text: str) -> str:
    """A text as one line of a comment."""
    return f"# {visible(text)}"


def _checked(text: str, value: Mapping[str, Any]) -> str:
    first, *rest = text.split("\n")
    is_plain = first.isprintable() and all(one.isprintable() and not one.startswith(("---", "...")) for one in rest)
    wanted, found = json.dumps([value], sort_keys=True, ensure_ascii=False), ""
    with suppress(manifests.ManifestError, UnicodeEncodeError):  # half a surrogate pair cannot be encoded
        wanted.encode()
        if is_plain:
            read = [one.value for one in manifests.documents(text)]
            found = json.dumps(read, sort_keys=True, ensure_ascii=False)
    if found != wanted:
        raise UnwritableError("A value has characters that YAML cannot hold with the same meaning.")
    return text


def _dump(value: Mapping[str, Any], *, flow: bool = False) -> str:
    return yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=sys.maxsize, default_flow_style=flow
    )


class _Dumper(yaml.SafeDumper):
    """Writes YAML that kubectl, the API server and other tools read as the same values."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent the items of a list."""
        return super().increase_indent(flow, False)

    def write_double_quoted(self, text: str, split: bool = True) -> None:
        """Escape all characters that are not ASCII. Only texts that are not printable have this style."""
        untyped, allowed = cast("Any", self), cast("Any", self).allow_unicode
        untyped.allow_unicode = False
        try:
            cast("Any", super()).write_double_quoted(text, False)
        finally:
            untyped.allow_unicode = allowed


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = None
    if not text.isprintable():
        style = '"'  # line breaks would be folded
    elif manifests.plain(text) != text or (re.match(r"[-+.]?\d", text) and not re.fullmatch(limits.UUID_PATTERN, text)):
        style = (
            "'"  # Kubernetes or another tool reads it as a boolean, a number or null. PyYAML quotes only some of them
        )
    untyped = cast("Any", dumper)  # types-PyYAML does not type it
    return untyped.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
