"""The documentation is true: its YAML is valid, its commands exist, it builds."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml
from botocore import xform_name

from esm_operator import cli, flags
from esm_operator.api import manifests
from esm_operator.commands import validate
from tests.pages import ROOT, Block, Command, blocks, calls, commands
from tools import iam

NOW = datetime(2026, 11, 24, tzinfo=UTC)
COMMANDS = list(commands())
OURS = [block for block in blocks("yaml", "yml") if "lambda.esm-operator.io" in block.text]
#: Flags of every command of the AWS CLI (AWS CLI User Guide, global options).
AWS_FLAGS = {"--query", "--output", "--region", "--profile", "--endpoint-url", "--no-cli-pager"}
#: Commands of the AWS CLI that are no operations of the API.
AWS_CUSTOM = {("logs", "tail"), ("eks", "update-kubeconfig"), ("ecr", "get-login-password")}


def called(program: str) -> Iterator[tuple[Command, list[str]]]:
    """The calls of a program in all commands, with their arguments."""
    for command in COMMANDS:
        for words in calls(command):
            if words[0].rpartition("/")[2] == program:
                yield command, words[1:]


def test_there_is_something_to_look_at() -> None:
    assert len(OURS) >= 5
    typed_on = {command.place.rpartition(":")[0] for command in COMMANDS}
    assert {"docs/tutorial/getting-started.md", "docs/how-to/uninstall.md", "docs/how-to/iam.md"} <= typed_on
    for program in ("esm-operator", "kubectl", "helm", "aws", "make"):
        assert list(called(program)), program


@pytest.mark.parametrize("block", OURS, ids=str)
def test_manifests_are_valid(block: Block) -> None:
    whole = [one for one in manifests.documents(block.text) if isinstance(one.value, dict) and "kind" in one.value]
    report = validate.Report()
    if whole:
        validate.check_text(str(block), block.text, report, NOW)
    assert [str(problem) for problem in report.problems] == []


@pytest.mark.parametrize("block", list(blocks("yaml", "yml", "json")), ids=str)
def test_blocks_can_be_read(block: Block) -> None:
    assert list(yaml.safe_load_all(block.text)) != [None]


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_the_shell_can_read_it(command: Command) -> None:
    ended = subprocess.run(["bash", "-n", "-c", command.text], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


@cache
def parser(name: str) -> Any:
    command = next(command for command in cli.COMMANDS if command.name == name)
    return flags.parser(command.load(), name).root_parser


@pytest.mark.parametrize(("command", "arguments"), list(called("esm-operator")), ids=lambda value: str(value)[:80])
def test_our_own_commands_exist(command: Command, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    typed = [word for word in arguments if word != "-"]
    typed = typed[: next((number for number, word in enumerate(typed) if word.startswith((">", "<"))), None)]
    if typed == ["--version"]:
        return
    try:
        parser(typed[0]).parse_args(typed[1:])
    except SystemExit as ended:
        if ended.code:
            pytest.fail(f"{command}: {capsys.readouterr().err}")


def test_the_guides_call_the_command_by_its_name() -> None:
    """Its page explains how to install it; the guides need no path."""
    programs = {words[0] for command in COMMANDS if "docs/how-to/" in command.place for words in calls(command)}
    assert "esm-operator" in programs
    assert {program for program in programs if program.endswith("/esm-operator")} == set()


@pytest.mark.parametrize(("command", "arguments"), list(called("aws")), ids=lambda value: str(value)[:80])
def test_commands_of_aws_are_operations_with_such_members(command: Command, arguments: list[str]) -> None:
    service, operation = arguments[:2]
    if (service, operation) in AWS_CUSTOM:
        return
    model = botocore.session.get_session().get_service_model(service)
    names = {xform_name(name, "-"): name for name in model.operation_names}
    assert operation in names, f"{command}: {service} has no {operation}"
    shape: Any = model.operation_model(names[operation]).input_shape
    members = {f"--{xform_name(name, '-')}" for name in shape.members}
    booleans = [name for name, member in shape.members.items() if member.type_name == "boolean"]
    members |= {f"--no-{xform_name(name, '-')}" for name in booleans}
    flags = {word.partition("=")[0] for word in arguments[2:] if word.startswith("--")}
    assert flags <= members | AWS_FLAGS, command
    required = {f"--{xform_name(name, '-')}" for name in shape.required_members}
    assert required <= flags, command


def test_targets_of_make_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    asked = {word for _, words in called("make") for word in words if "=" not in word and not word.startswith("-")}
    assert asked <= targets


def test_values_of_the_chart_exist() -> None:
    values = yaml.safe_load((ROOT / "helm" / "esm-operator" / "values.yaml").read_text())
    for command, words in called("helm"):
        for flag, value in pairwise(words):
            if flag.startswith("--set"):
                place: Any = values
                for key in value.partition("=")[0].split(".")[:2]:
                    if place != {}:  # what may have any keys
                        assert key in place, f"{command}: {value}"
                        place = place[key]


@pytest.mark.parametrize("page", [iam.PAGE, *iam.OTHER_PAGES], ids=lambda page: page.stem)
def test_each_policy_on_a_page_is_the_output_of_the_command_before_it(page: Path) -> None:
    text = page.read_text()
    after_a_command = re.findall(r"^\$ esm-operator iam-policy(?:[^\n]|\\\n)*\n```\n\n```json$", text, re.MULTILINE)
    assert len(after_a_command) == text.count("```json") == text.count('"Statement"') >= 1


def test_the_verbs_on_the_page_are_those_of_the_chart() -> None:
    shipped = {
        (resource, verb)
        for file in (ROOT / "helm" / "esm-operator" / "files" / "rbac").glob("*.yaml")
        for rule in yaml.safe_load(file.read_text())
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    page = (ROOT / "docs" / "explanation" / "security.md").read_text()
    rows = re.findall(r"^\| `([a-z/]+)` \| (`[a-z` ]+`) \|", page, re.MULTILINE)
    assert {(resource, verb) for resource, verbs in rows for verb in re.findall("[a-z]+", verbs)} == shipped


# The site


class Loaded(HTMLParser):
    """What a page of the site loads when it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("script", "img", "iframe", "source"):
            self.addresses.append(given.get("src") or "")
        if tag == "link" and given.get("rel") not in ("canonical", "prev", "next"):
            self.addresses.append(given.get("href") or "")


def test_it_builds_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    ended = subprocess.run(
        [Path(sys.executable).with_name("mkdocs"), "build", "--strict", "--site-dir", tmp_path / "site"],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    made = sorted((tmp_path / "site").rglob("*.html"))
    assert len(made) >= len(list((ROOT / "docs").rglob("*.md")))
    for page in made:
        loaded = Loaded()
        loaded.feed(page.read_text())
        assert loaded.addresses
        assert [one for one in loaded.addresses if re.match(r"(https?:)?//", one)] == [], page
    styles = "".join(file.read_text() for file in (tmp_path / "site").rglob("*.css"))
    assert not re.search(r"url\(['\"]?(https?:)?//", styles)
    pictures = list((ROOT / "docs").rglob("*.svg"))
    assert pictures
    for picture in pictures:
        assert not re.search(r"(href|src)=|<script|@import", picture.read_text()), picture
