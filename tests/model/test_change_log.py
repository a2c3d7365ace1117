"""The change log: each change in AWS is one line with its cause, and a change without an answer is one too."""

import logging
import re
from collections.abc import Generator
from contextlib import contextmanager

from tests.model.aws import ACCOUNT, REGION
from tests.model.script import ONE, SQS, TWO, Script
from tests.model.world import CLUSTER_NAME, SWEEP_INTERVAL

#: The words of a line between the mapping and the cause.
PLACE = f"in {REGION} (account {ACCOUNT}). Cause: "
_CHANGE = re.compile(rf"(\w+) mapping \S+ {re.escape(PLACE)}(.*)")


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@contextmanager
def logged() -> Generator[list[logging.LogRecord]]:
    """The lines of the change log meanwhile."""
    lines, logger = _Lines(), logging.getLogger("esm_operator.reconcile.change_log")
    level = logger.level
    logger.addHandler(lines)
    logger.setLevel(logging.INFO)
    try:
        yield lines.records
    finally:
        logger.removeHandler(lines)
        logger.setLevel(level)


def changes(lines: list[logging.LogRecord]) -> list[tuple[str, str]]:
    """The verb of each line, and its cause with the change."""
    matches = (_CHANGE.fullmatch(line.getMessage()) for line in lines)
    return [(match[1], match[2]) for match in matches if match is not None]


def test_each_change_is_a_line_with_its_cause(script: Script) -> None:
    with logged() as lines:
        script.apply(**SQS, batchSize=5)
        script.begin()
        script.edit(batchSize=7)
        script.calmly(60)
        script.mapping().config["BatchSize"] = 3
        script.calmly(SWEEP_INTERVAL + 60)
        script.edit(tags={"team": "shop"})
        script.calmly(60)
        script.edit(tags=None)
        script.calmly(60)
        script.delete()
        script.converge()
    assert changes(lines) == [
        ("Created", "new resource."),
        ("Updated", "edit. Change: batchSize: 5 -> 7"),
        ("Updated", "drift. Change: batchSize: 3 -> 7"),
        ("Tagged", "edit. Change: Tags: set team"),
        ("Untagged", "edit. Change: Tags: removed team"),
        ("Deleted", "deletion of the resource."),
    ]


def test_a_mapping_that_was_deleted_by_hand_is_not_logged_as_new(script: Script) -> None:
    script.apply(**SQS)
    script.begin()
    with logged() as lines:
        script.aws.standing.clear()
        script.calmly(SWEEP_INTERVAL + 60)
    assert changes(lines) == [("Created", "deleted outside of Kubernetes.")]


def test_a_take_over_and_a_release_are_logged_as_such(script: Script) -> None:
    script.apply(**SQS)
    script.begin()
    uuid = script.mapping().uuid
    adoption = {"policy": "IfExists", "uuid": uuid, "takeOverFrom": f"{CLUSTER_NAME}/{ONE}"}
    with logged() as lines:
        script.apply(TWO, **SQS, adoption=adoption, deletionPolicy="Retain")
        script.calmly(60)
        script.delete(TWO)
        script.calmly(60)
    assert changes(lines) == [("Tagged", f"take-over. Change: from {CLUSTER_NAME}/{ONE}"), ("Untagged", "release.")]


def test_a_change_without_an_answer_is_a_warning(script: Script) -> None:
    script.apply(**SQS, batchSize=5)
    script.begin()
    script.edit(batchSize=7)
    update = script.until_asked("update_event_source_mapping")
    with logged() as lines:
        script.world.decide(update, "lost")
        script.calmly(60)
    text = f"AWS did not answer UpdateEventSourceMapping of mapping {script.mapping().uuid} {PLACE}edit."
    assert lines[0].levelno == logging.WARNING
    assert lines[0].getMessage().startswith(text)
    assert script.mapping().config["BatchSize"] == 7
