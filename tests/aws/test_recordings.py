"""Each recorded scenario is replayed. The answers of the server must equal those of AWS exactly.

Each placeholder of a recording stands for a text in the answer of the server. In one scenario, the same placeholder
always stands for the same text, and different placeholders stand for different texts.
"""

from __future__ import annotations

import datetime
import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from . import AwsServer
from .scenarios import ACCOUNT, ANSWERED_SINCE, LEFT_OUT, REGION, SCENARIOS, Step

FOLDER = os.environ.get("AWS_RECORDINGS", "")
needs_recordings = pytest.mark.skipif(
    not FOLDER, reason="AWS_RECORDINGS names no folder with responses recorded on AWS"
)

PLACEHOLDER = re.compile(r"<[a-z]+(?:-[a-z]+)*(?::\d+)?>")
# Texts that replace a value that the recorder did not keep.
ANYTHING = frozenset(
    {"datetime", "<datetime>", "maximum-batching-window-in-seconds", "<approximate-creation-datetime>"}
)
ANY_PATTERN = [{"numeric": [">", 0]}]


@cache
def recordings() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(Path(FOLDER).glob("*.json")):
        found.update(json.loads(path.read_text()))
    return found


@needs_recordings
def test_every_recorded_scenario_is_replayed_or_listed_as_left_out() -> None:
    assert set(recordings()) == set(SCENARIOS) | set(LEFT_OUT)
    assert not set(SCENARIOS) & set(LEFT_OUT)
    for name, steps in SCENARIOS.items():
        labels = [step.label for step in steps if step.label is not None]
        assert sorted(labels) == sorted(recordings()[name]["responses"]), name


@needs_recordings
@pytest.mark.parametrize("name", SCENARIOS)
def test_the_server_gives_the_recorded_answers(name: str, aws: AwsServer) -> None:
    recorded = recordings()[name]["responses"]
    replay = Replay(aws)
    for step in SCENARIOS[name]:
        answer = replay.perform(step, recorded.get(step.label))
        if step.label is not None:
            replay.compare(recorded[step.label], answer, step.label, ANSWERED_SINCE.get(name, frozenset()))


class Replay:
    """The run of one scenario: its client, the last created mapping, and the texts of placeholders."""

    def __init__(self, aws: AwsServer) -> None:
        self._control = aws.control
        self._client: Any = aws.client("lambda", region=REGION, account=ACCOUNT)
        self._mapping = {"uuid": "", "arn": ""}
        self._bound: dict[str, str] = {}

    def perform(self, step: Step, recorded: dict[str, Any] | None) -> dict[str, Any]:
        if step.world:
            self._control.set_world(**step.world)
        if step.edit:
            self._control.edit_mapping(self._mapping["uuid"], **step.edit)
        asked = {name: self._filled(value) for name, value in step.asked.items()}
        asked |= {member: _asked(member, (recorded or {})[member]) for member in step.copied}
        try:
            answer: dict[str, Any] = getattr(self._client, step.operation)(**asked)
        except ClientError as error:
            if step.label is None:
                raise
            answer = {**error.response}
        metadata = answer.pop("ResponseMetadata")
        if "EventSourceMappingArn" in answer:
            self._mapping = {"uuid": answer["UUID"], "arn": answer["EventSourceMappingArn"]}
        if step.part is not None:
            (part,) = answer[step.part]
            return part
        return {**answer, "HTTPStatusCode": metadata["HTTPStatusCode"]}

    def compare(self, recorded: Any, answer: dict[str, Any], label: str, answered_since: frozenset[str]) -> None:
        surplus = {member for member in answer if member not in recorded and member in answered_since}
        self._same(recorded, {name: answer[name] for name in answer if name not in surplus}, label)

    def _filled(self, value: Any) -> Any:
        return value.format(**self._mapping) if isinstance(value, str) else value

    def _same(self, recorded: Any, answer: Any, where: str) -> None:
        if isinstance(recorded, str) and recorded in ANYTHING:
            return
        if isinstance(recorded, dict):
            members = cast(dict[str, Any], recorded)
            assert set(members) == set(answer), where
            for name, value in members.items():
                parsed = name == "Pattern" and not isinstance(value, str)
                self._same(value, json.loads(answer[name]) if parsed else answer[name], f"{where}.{name}")
        elif isinstance(recorded, list):
            items = cast(list[Any], recorded)
            assert len(items) == len(answer), where
            for number, value in enumerate(items):
                self._same(value, answer[number], f"{where}[{number}]")
        elif isinstance(recorded, str):
            self._same_text(recorded, answer, where)
        else:
            assert recorded == answer, where

    def _same_text(self, recorded: str, answer: Any, where: str) -> None:
        assert not isinstance(answer, datetime.datetime), where
        names: list[str] = []

        def group(placeholder: re.Match[str]) -> str:
            name = placeholder[0]
            if name in self._bound:
                return re.escape(self._bound[name])
            if name in names:
                return f"(?P=p{names.index(name)})"
            names.append(name)
            return f"(?P<p{len(names) - 1}>.+?)"

        pieces = PLACEHOLDER.split(recorded)
        found = [group(match) for match in PLACEHOLDER.finditer(recorded)]
        pattern = re.escape(pieces[0])
        for text, placeholder in zip(pieces[1:], found, strict=True):
            pattern += placeholder + re.escape(text)
        match = re.fullmatch(pattern, answer)
        assert match, f"{where}: {recorded!r} was recorded, {answer!r} is answered"
        for number, name in enumerate(names):
            value = match[f"p{number}"]
            assert value not in self._bound.values(), f"{where}: {value} is {name} and another placeholder"
            self._bound[name] = value


def _asked(member: str, recorded: Any) -> Any:
    """A recorded value as a request needs it. Recordings have parsed filter patterns, and requests need texts."""
    if member != "FilterCriteria":
        return recorded
    return {"Filters": [{"Pattern": json.dumps(_any_pattern(each["Pattern"]))} for each in recorded["Filters"]]}


def _any_pattern(pattern: Any) -> Any:
    if isinstance(pattern, str) and pattern in ANYTHING:
        return ANY_PATTERN
    if isinstance(pattern, dict):
        return {name: _any_pattern(value) for name, value in cast(dict[str, Any], pattern).items()}
    return pattern
