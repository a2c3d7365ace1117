"""YAML that commands print: nothing of AWS can add a line, a field or a document to it."""

import ast
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

import esm_operator
from esm_operator import terminal
from esm_operator.api import manifests
from esm_operator.commands.export_manifest import MappingsToExport, Style
from esm_operator.commands.export_manifest import manifests as manifests_of
from esm_operator.commands.orphan_search import Orphan
from esm_operator.commands.orphans import remedies, table
from esm_operator.commands.yaml_text import UnwritableError, comment, document, line
from tests.unit.test_export import OWNED, UUID, answer

#: A document that must not get into the output, in the form of a value.
DOCUMENT = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: pwned}"
BREAKS = ("\n", "\r", "\r\n", "\x85", "\u2028", "\u2029", "\x0b", "\x0c", "\x1c", "\x00")
NASTY = [
    *[f"x{end}---{end}{DOCUMENT.replace(chr(10), end)}{end}---" for end in BREAKS],
    "\t", "'", '"', "''", '"""', "\\", "\\n", "#", " # x", ": ", "- ", "? ", "| ", "> ", "%YAML 1.1", "&a", "*a", "!x",
    "!!python/object/apply:os.system [id]", "---", "...", "{}", "[]", "null", "~", "yes", "1e3", "0x1f", "2026-01-01",
    "\u202e", "\ufeff", "\U000e0041", "🙂", "é", " lead", "trail ", "", "=", "<<", "`", "@",
    "a" * 5_000, "a b " * 2_000,
]  # fmt: skip
TEXT = (
    st.sampled_from(NASTY)
    | st.text(st.characters(), max_size=30)
    | st.tuples(*[st.sampled_from(NASTY)] * 2).map("".join)
)


def documents(text: str) -> list[Any]:
    """What kubectl reads. It splits documents at lines of ``---`` before it parses YAML."""
    parts = [part for part in text.split("\n---\n") if part.strip()]
    assert len(parts) == 1
    assert list(yaml.safe_load_all(text)) == [one.value for one in manifests.documents(text)]
    return [one.value for one in manifests.documents(text)]


def is_printable(text: str) -> bool:
    return all(map(str.isprintable, text.split("\n")))


@given(
    st.dictionaries(TEXT, TEXT | st.lists(TEXT, max_size=3) | st.dictionaries(TEXT, TEXT, max_size=2), max_size=4),
    st.lists(TEXT, max_size=3),
)
@settings(max_examples=60)
def test_a_document_has_only_the_given_values(value: Mapping[str, Any], comments: list[str]) -> None:
    try:
        text = document(value, comments)
    except UnwritableError:
        assert any("\ud800" <= one <= "\udfff" for one in json.dumps([value, comments], ensure_ascii=False))
        return
    assert is_printable(text)
    assert documents(text) == [value]
    assert len([one for one in text.split("\n") if one.startswith("#")]) == len(comments)


@given(TEXT, TEXT)
@example("\u2028", "\ud800")
@settings(max_examples=30)
def test_tags_and_owners_do_not_leave_a_manifest(key: str, value: str) -> None:
    owner = {f"esm-operator.io/{name}": text for name, text in {**OWNED, "cluster": value}.items()}
    for tags in ({key: value}, {"aws:cloudformation:stack-name": value, key: "1"}, {**owner, key: value}):
        mapping = answer(State=value, FunctionArn=value, Topics=[value], UUID=UUID)
        made = manifests_of([MappingsToExport(mapping, tags)], Style(without_tags=["z*"]))
        try:
            text = made[0].render()
        except UnwritableError:
            continue
        assert is_printable(text)
        assert [one["kind"] for one in documents(text)] == ["EventSourceMapping"]


@given(TEXT, TEXT)
@settings(max_examples=50)
def test_no_value_leaves_the_line_of_an_adoption(owner: str, uuid: str) -> None:
    found = Orphan(uuid, owner, owner, owner, owner, owner, f"blue/{owner}", owner, owner)
    text = remedies([found])
    assert is_printable(text)
    _, _, remark, command, adoption = text.split("\n")
    assert remark.startswith("# ")
    assert command.startswith("aws lambda delete-event-source-mapping --region ")
    if not adoption.startswith("#"):
        value = {"policy": "Required", "uuid": uuid, "takeOverFrom": f"blue/{owner}"}
        assert yaml.safe_load(adoption) == {"adoption": value}
    assert len(table([found]).split("\n")) == 2


def test_an_ordinary_line_is_written_as_people_write_it() -> None:
    value = {"policy": "Required", "uuid": UUID, "takeOverFrom": "blue/shop/orders"}
    assert line("adoption", value) == f"adoption: {{policy: Required, uuid: {UUID}, takeOverFrom: blue/shop/orders}}"
    assert comment("a\u2028b") == "# a\\u2028b"


def test_half_a_character_is_refused() -> None:
    with pytest.raises(UnwritableError, match="cannot hold"):
        document({"a": "\ud800"})


# Terminals


def prints(file: Path) -> Iterator[int]:
    """The lines of a module that print, or end the process with a text."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            says = node.args and (isinstance(node.args[0], ast.JoinedStr) or _is_text(node.args[0]))
            if called in ("print", "sys.stdout.write", "sys.stderr.write") or (called == "sys.exit" and says):
                yield node.lineno


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def test_only_one_module_prints() -> None:
    root = Path(esm_operator.__file__).parent
    found = [f"{file.name}:{number}" for file in sorted(root.rglob("*.py")) for number in prints(file)]
    assert {one.partition(":")[0] for one in found} == {"terminal.py"}


def test_prints_are_visible(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.put("a\x1b[2J\nb\u202e")
    terminal.say("c\nd")
    with pytest.raises(SystemExit) as ended:
        terminal.stop("e\x9b", 2)
    assert ended.value.code == 2
    assert capsys.readouterr() == ("a\\x1b[2J\nb\\u202e\n", "esm-operator: c\\nd\nesm-operator: e\\x9b\n")
