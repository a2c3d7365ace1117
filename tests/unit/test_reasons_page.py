"""docs/reference/reasons has a section for each reason of a condition or an Event, and no other section."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from esm_operator.api import reasons
from esm_operator.status.next_attempt import Next
from esm_operator.status.reason_table import TABLE, Ends

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "operator" / "esm_operator"
REASONS = SOURCE / "api" / "reasons.py"
DOCS = ROOT / "docs"
FOLDER = DOCS / "reference" / "reasons"
INDEX = FOLDER / "README.md"
PAGES = {path.name: path.read_text() for path in sorted(FOLDER.glob("*.md")) if path != INDEX}
STALLED, RETRIED, IN_PROGRESS, READY = "Stalled", "Retried automatically", "In progress", "Ready"
PROCESSING, ANNOTATIONS, PROVIDER_CONFIG = "Processing", "Unknown annotations", "ProviderConfig"
REFERENCES = "References"
WARNINGS, NORMAL = "Warning Events", "Normal Events"
GROUP_NAMES = (
    STALLED,
    RETRIED,
    IN_PROGRESS,
    READY,
    PROCESSING,
    ANNOTATIONS,
    REFERENCES,
    PROVIDER_CONFIG,
    WARNINGS,
    NORMAL,
)
#: What carries a reason, and which of its arguments it is: by position, or by name.
CARRIERS = {
    "Outcome": (1, "reason", "event", "sync_reason"),
    "Finding": (0, "reason"),
    "message": (0, "reason"),
    "Conflict": (0, "reason"),
    "Stall": (0, "reason"),
    "Wait": (0, "reason"),
    "Unresolved": (0, "reason"),
    "Failure": (0, "reason"),
    "ErrorRule": (2, "reason"),
    "warning": (1, "reason"),
    "normal": (1, "reason"),
}
#: What is rendered from the table of reasons, by the first two arguments.
RENDERED = ("Finding", "Stall", "Wait", "Conflict", "Unresolved", "message")


def members(of: Any) -> set[str]:
    """The words of a type that is made of Literals."""
    return {one for part in get_args(of) for one in ({part} if isinstance(part, str) else members(part))}


ALL = members(reasons.EventReason) | members(reasons.ProviderConfigReason)


def sections() -> Iterator[tuple[str, str, str, str]]:
    """Page, group, reason and text of each section. A heading that is no reason is the title of a group."""
    for name, page in PAGES.items():
        group = ""
        for section in re.split(r"^#+ ", page, flags=re.MULTILINE)[1:]:
            heading, _, text = section.partition("\n")
            if heading in (*GROUP_NAMES, "Other conditions", "Events"):
                group = heading
            else:
                yield name, group, heading, text


GROUPS = {reason: group for _, group, reason, _ in sections()}


def modules() -> Iterator[ast.Module]:
    for path in sorted(SOURCE.rglob("*.py")):
        if path != REASONS:
            yield ast.parse(path.read_text())


def said() -> set[str]:
    """The reasons that the code gives to what carries them, as far as they are written there."""
    return {
        argument.value
        for module in modules()
        for call in ast.walk(module)
        if isinstance(call, ast.Call)
        for argument in carried(call)
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str) and argument.value
    }


def carried(call: ast.Call) -> Iterator[ast.expr]:
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    position, *names = CARRIERS.get(name, (None,))
    if name in ("warning", "normal") and not _is_events(call.func):  # the logger's
        return
    if isinstance(position, int) and len(call.args) > position:
        yield call.args[position]
    yield from (keyword.value for keyword in call.keywords if keyword.arg in names)


def _is_events(function: ast.expr) -> bool:
    return isinstance(function, ast.Attribute) and "recorder" in ast.dump(function.value)


def test_each_finding_and_message_has_a_row_in_the_table() -> None:
    used = {
        (words[0], (*words, "")[1])
        for module in modules()
        for call in ast.walk(module)
        if isinstance(call, ast.Call) and getattr(call.func, "attr", getattr(call.func, "id", "")) in RENDERED
        for positional in [call.args[:2]]
        if positional and all(isinstance(one, ast.Constant) for one in positional)
        for words in [[str(getattr(one, "value", "")) for one in positional]]
    }
    assert len(used) > 40, "the calls that carry reasons are called otherwise now"
    assert sorted(used - TABLE.keys()) == []


def test_each_reason_has_a_section_and_no_other() -> None:
    headings = [reason for _, _, reason, _ in sections()]
    assert sorted(headings) == sorted(ALL)


def test_the_code_says_no_others() -> None:
    found = said()
    assert len(found) > 40, "the calls that carry reasons are called otherwise now"
    assert found <= ALL


def test_the_code_says_each() -> None:
    words = {
        node.value
        for module in modules()
        for node in ast.walk(module)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    states = members(reasons.StateReason)  # AWS says them
    assert sorted(ALL - states - words) == []


def test_the_index_links_to_each_section() -> None:
    rows = re.findall(r"^\| \[(\w+)\]\(([^)]*)\) \|", INDEX.read_text(), re.MULTILINE)
    assert sorted(rows) == sorted((reason, f"{page}#{reason.lower()}") for page, _, reason, _ in sections())
    assert [reason for reason, _ in rows] == sorted((reason for reason, _ in rows), key=str.lower)


@pytest.mark.parametrize(
    ("group", "heading", "text"), [one[1:] for one in sections()], ids=[one[2] for one in sections()]
)
def test_a_section_has_the_meaning_what_to_check_and_what_to_do(group: str, heading: str, text: str) -> None:
    meaning, *rest = (part.strip() for part in re.split(r"\*\*(?:Check|Do):\*\*", text))
    assert meaning.endswith("."), heading
    assert len(meaning) > 15
    if group in (READY, REFERENCES, NORMAL) or heading == "NoProblem":
        assert rest == [], "these reasons need no action"
        return
    check, action = rest
    assert check
    assert action
    assert (action == "wait.") <= (group == IN_PROGRESS), heading


def endings(reason: str) -> set[Ends]:
    """What can end the states in which Ready has a reason. Empty: Ready is True, or never has the reason."""
    rows = [row for (one, _), row in TABLE.items() if one == reason]
    return {row.ends for row in rows if row.next not in (Next.NONE, Next.PART, Next.EVENT)}


def kstatus(reason: str) -> str:
    """What the index says of a reason."""
    if reason not in members(reasons.OutcomeReason):
        return ""
    match sorted(endings(reason), key=lambda ends: ends.value):
        case []:
            return "Current"
        case [Ends.ITSELF]:
            return "InProgress"
        case [Ends.PERSON]:
            return "Failed"
        case [Ends.PERMISSION]:
            return "InProgress, then Failed"
        case _:
            return "InProgress or Failed"


def test_the_index_has_the_kstatus_of_each_reason() -> None:
    rows = re.findall(r"^\| \[(\w+)\]\([^)]*\) \| .* \| ?(.*) \|$", INDEX.read_text(), re.MULTILINE)
    assert dict(rows) == {reason: kstatus(reason) for reason in ALL}


def test_reasons_that_only_a_person_can_end_are_on_the_page_of_stalled_ones() -> None:
    stalled = {reason for reason in members(reasons.OutcomeReason) if endings(reason) - {Ends.ITSELF}}
    mixed = {"ProviderConfigNotFound"}  # stalled only if the ProviderConfig was deleted
    assert {reason for reason, group in GROUPS.items() if group == STALLED} == stalled - mixed


@pytest.mark.parametrize(
    ("of", "groups"),
    [
        (reasons.TargetReason, {STALLED, RETRIED}),
        (reasons.ReferenceReason, {STALLED, RETRIED}),
        (reasons.ResolvedReason, {REFERENCES}),
        (reasons.ProcessingReason, {PROCESSING}),
        (reasons.AnnotationReason, {ANNOTATIONS}),
        (reasons.HappeningReason, {WARNINGS, NORMAL}),
        (reasons.ProviderConfigReason, {PROVIDER_CONFIG}),
        (reasons.StateReason, {IN_PROGRESS, READY}),
    ],
)
def test_sections_are_grouped_by_how_urgent_they_are(of: Any, groups: set[str]) -> None:
    assert {GROUPS[reason] for reason in members(of)} == groups


def anchors(page: str) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", one.lower()).replace(" ", "-") for one in headings}


def test_its_links_lead_somewhere() -> None:
    links = [
        (name, path, anchor)
        for name, page in {**PAGES, INDEX.name: INDEX.read_text()}.items()
        for path, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", page)
    ]
    assert len(links) > 10
    for name, path, anchor in links:
        target = FOLDER / (path or name)
        assert target.is_file(), (name, path)
        assert not anchor or anchor in anchors(target.read_text()), (name, path, anchor)
