"""Text from outside: every character is visible, every length is limited, and statuses can always be written."""

import json
import logging
import sys
import unicodedata
from collections.abc import Generator, Iterator, Mapping
from typing import Any, Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from esm_operator import logs
from esm_operator.adapters import library_logs
from esm_operator.api import annotations
from esm_operator.api.fields import FIELDS
from esm_operator.api.foreign_text import ANSWER, MESSAGE, VALUE, cut, shown, visible
from esm_operator.api.recorded_status import Applied, MappingReport, MappingStatus
from esm_operator.planning.actions import Tag, Update
from esm_operator.planning.differences import describe
from esm_operator.status.conditions import Outcome, Verdict, render
from esm_operator.status.failure import Disposition, Failure, sentence_of
from esm_operator.status.messages import outcome_of_failure, tagged
from esm_operator.status.rendering import message
from esm_operator.status.subject import Subject
from tools import crd_definitions

ANY_TEXT = st.text(st.characters(), max_size=50) | st.builds(
    lambda part, times: part * times, st.text(st.characters(), min_size=1, max_size=5), st.integers(1, 2_000)
)
NOW = "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain text", "plain text"),
        ("Größe, 日本, 🙂", "Größe, 日本, 🙂"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\tb\nc\r", "a\\tb\\nc\\r"),
        ("\x00\x7f\x85", "\\x00\\x7f\\x85"),
        ("\u2028\u2029", "\\u2028\\u2029"),
        ("\u202a\u202e\u2066\u2069", "\\u202a\\u202e\\u2066\\u2069"),
        ("\u200e\u200f\u061c\ufeff\u200b", "\\u200e\\u200f\\u061c\\ufeff\\u200b"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_characters_that_are_not_printable_are_visible(text: str, seen: str) -> None:
    assert visible(text) == seen


def test_every_control_and_direction_character_is_escaped() -> None:
    for code in range(sys.maxunicode + 1):
        one = chr(code)
        if unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
            assert visible(one).isascii()
            assert visible(one).isprintable()


@given(ANY_TEXT, st.integers(50, 5_000))
@settings(max_examples=50)
def test_a_shown_text_is_printable_short_and_shown_again_unchanged(text: str, most: int) -> None:
    once = shown(text, most)
    assert once.isprintable()
    assert len(once) <= most
    assert shown(once, most) == once
    assert sentence_of(text).isprintable()


def test_a_cut_shows_how_much_is_left_out() -> None:
    assert cut("a" * 200, VALUE) == "a" * 200
    assert cut("a" * 4_200, VALUE) == f"{'a' * 160}... (4,040 more characters)"


class LongText(str):
    """A text that is too long to look at each character."""

    def isprintable(self) -> bool:
        raise AssertionError("the whole text is read")

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("the whole text is read")


def test_only_the_beginning_of_a_long_text_is_escaped() -> None:
    text = LongText("\x7f" * 900_000)
    assert shown(text, ANSWER) == "\\x7f" * 502 + "... (899,498 more characters)"
    assert shown("a" + "\u202e" * 199, VALUE) == "a" + "\\u202e" * 26 + "... (173 more characters)"


# Statuses


def most_of_a_message() -> int:
    version = crd_definitions.event_source_mappings()["spec"]["versions"][0]
    status = version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]
    return int(status["conditions"]["items"]["properties"]["message"]["maxLength"])


def rendered(outcome: Outcome, mapping: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    report = MappingReport.of_answer(mapping) if mapping is not None else None
    return render(
        MappingStatus(),
        generation=1,
        outcome=outcome,
        mapping=report,
        tags=None,
        applied=Applied(),
        uuid="1",
        gone=False,
        requested="",
        now=NOW,
        **more,
    ).render()


def check(status: Mapping[str, Any]) -> None:
    """The API server accepts the status, and all its texts are visible."""
    for condition in status["conditions"]:
        assert len(condition["message"]) <= MESSAGE < most_of_a_message()
        assert condition["message"].isprintable()
    size = len(json.dumps(status, ensure_ascii=False).encode())
    assert size < 200_000, "etcd accepts objects of 1.5 MB"


@given(text=ANY_TEXT, other=ANY_TEXT, code=ANY_TEXT)
@example("\x1b" * 9_000, "\u2028" * 9_000, "\ud800" * 9_000)
@settings(max_examples=20)
def test_every_status_of_an_error_can_be_written(text: str, other: str, code: str) -> None:
    subject = Subject(function=other, event_source=text, uuid=code, region=other, account=code)
    failure = Failure(
        "RefusedByAWS",
        Disposition.PERSON,
        answer=f'AWS answered "{sentence_of(text)}"',
        sentence=sentence_of(text),
        values={"action": other, "code": code},
    )
    mapping = {
        "State": other,
        "StateTransitionReason": text,
        "LastProcessingResult": f"PROBLEM: {text}",
        "FunctionArn": other,
        "FilterCriteriaError": {"ErrorCode": code, "Message": text},
    }
    outcome = outcome_of_failure(failure, subject)
    check(rendered(outcome, mapping))
    check(rendered(outcome, mapping | {"FilterCriteriaError": None}))


VALUES = st.none() | st.booleans() | st.integers() | ANY_TEXT | st.lists(ANY_TEXT, max_size=3).map(tuple)
PATHS = st.sampled_from([row.path for row in FIELDS])


@given(st.dictionaries(st.sampled_from([row.path for row in FIELDS]), st.tuples(VALUES, VALUES), max_size=len(FIELDS)))
@settings(max_examples=25)
def test_every_status_of_a_difference_can_be_written(changes: Mapping[str, tuple[Any, Any]]) -> None:
    update = Update(
        "1", {path: new for path, (_, new) in changes.items()}, frozenset(), {p: o for p, (o, _) in changes.items()}
    )
    assert len(describe(update)) <= len(FIELDS) * (2 * VALUE + 100)
    text = message("Observed", "Differs", update=update)
    check(rendered(Outcome(Verdict.READY, "Observed", text, synced=False, sync_message=text)))
    for late in (True, False):
        status = rendered(Outcome(Verdict.READY, "Enabled", text, synced=True, sync_message=text), tags_late=late)
        check(status)
        synced = next(one["message"] for one in status["conditions"] if one["type"] == "Synced")
        assert synced.endswith(message("InSync", "TagsLate")) is late


def test_no_message_of_a_condition_is_written_as_it_comes() -> None:
    check(rendered(Outcome(Verdict.STALLED, "RefusedByAWS", "\x1b" * 100_000, synced=False)))


def test_the_longest_report_of_unknown_annotations_is_not_cut() -> None:
    names = [f"{annotations.PREFIX}{'x' * 62}{number}" for number in range(annotations.MOST_REPORTED)]
    status = rendered(Outcome(Verdict.READY, "Enabled", "Yes.", synced=True), unknown_annotations=names)
    check(status)
    assert MappingStatus.parse(status).unknown_annotations == tuple(names)


def test_texts_of_aws_in_the_status_are_limited() -> None:
    report = MappingReport.of_answer({"StateTransitionReason": "x" * 100_000, "State": "Enabled"})
    assert len(report.state_transition_reason or "") <= ANSWER
    assert report.state == "Enabled"


# Logs


@pytest.fixture
def logging_restored() -> Generator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in library_logs.LEVELS}
    yield
    root.handlers[:], root.level = handlers, level
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


@pytest.mark.parametrize("style", ["text", "json"])
@pytest.mark.usefixtures("logging_restored")
def test_no_line_of_the_log_is_from_outside(capsys: pytest.CaptureFixture[str], style: Literal["text", "json"]) -> None:
    logs.configure(style, "info")
    nasty = "\x1b[2J\n2026-01-01T00:00:00+0000 INFO    forged\u2028\u202e"
    logger = logging.getLogger("test")
    logger.info("AWS said %s", nasty, extra={"resource": nasty, "namespace": "shop", "uuid": nasty})
    try:
        raise ValueError(nasty)
    except ValueError:
        logger.exception("It failed")
    logger.warning("long %s", "x" * 100_000)
    written = capsys.readouterr().err
    lines = written.splitlines()
    assert not [line for line in lines if line.startswith("2026-01-01T00:00:00")]
    assert all(map(str.isprintable, written.split("\n")))
    assert "ValueError" in written
    assert max(map(len, lines)) < 10_000
    if style == "json":
        first = json.loads(lines[0])
        assert first["name"] == visible(nasty)
        assert first["message"] == f"AWS said {visible(nasty)}"
        assert "forged" in json.loads(lines[1])["exc_info"]


def test_keys_of_tags_are_visible() -> None:
    assert tagged(Tag("1", {"a\u202e": "1"}, frozenset({"b" * 9_000}))).isprintable()
