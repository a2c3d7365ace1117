"""Scripted scenarios: unknown annotations with the operator's prefix are reported once."""

from collections.abc import Mapping
from typing import Any

import pytest

from esm_operator.api.annotations import ORPHAN, PREFIX
from tests.model.cluster import Answer
from tests.model.script import ONE, SQS, TWO, Script

LET_GO = f"{PREFIX}let-go"
PAUSE = f"{PREFIX}pause"
LONG = 1000.0


@pytest.fixture
def events(script: Script, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The messages of all Events with the reason UnknownAnnotation."""
    posted: list[str] = []
    really = script.cluster.request

    def noted(method: str, path: str, body: Any) -> Answer:
        if path.endswith("/events") and body.get("reason") == "UnknownAnnotation":
            assert body["type"] == "Warning"
            posted.append(body["message"])
        return really(method, path, body)

    monkeypatch.setattr(script.cluster, "request", noted)
    return posted


def annotate(script: Script, **annotations: str | None) -> None:
    names = {f"{PREFIX}{name.replace('_', '-')}": value for name, value in annotations.items()}
    script.cluster.edit(ONE, {"metadata": {"annotations": names}})


def conditions(script: Script) -> Mapping[str, Mapping[str, Any]]:
    return {one["type"]: one for one in script.status()["conditions"]}


def test_an_unknown_annotation_is_reported_once_and_shown_until_it_is_removed(
    script: Script, events: list[str]
) -> None:
    script.apply(**SQS)
    script.begin()
    ready = conditions(script)["Ready"]
    annotate(script, let_go="true")
    script.calmly()
    assert [LET_GO in one and ORPHAN in one for one in events] == [True]
    report = conditions(script)["UnknownAnnotations"]
    assert (report["status"], report["reason"], report["message"]) == ("True", "UnknownAnnotation", events[0])
    assert conditions(script)["Ready"] == ready

    script.edit(batchSize=5)
    script.calmly(LONG)
    script.world.crash()
    script.world.start()
    script.calmly(LONG)
    annotate(script, let_go="false")
    script.calmly(LONG)
    assert len(events) == 1

    annotate(script, pause="true")
    script.calmly()
    assert [PAUSE in one for one in events] == [False, True]
    annotate(script, pause=None, let_go=None)
    script.calmly()
    assert "UnknownAnnotations" not in conditions(script)
    assert len(events) == 2
    script.converge()


def test_an_unknown_annotation_that_was_set_while_no_operator_ran_is_reported(
    script: Script, events: list[str]
) -> None:
    script.apply(**SQS)
    script.begin()
    script.world.crash()
    annotate(script, pause="true")
    script.world.start()
    script.calmly(LONG)
    assert len(events) == 1
    assert "UnknownAnnotations" in conditions(script)


def test_an_outdated_report_is_removed_at_the_start(script: Script, events: list[str]) -> None:
    """The next version of the operator knows the annotation, or a user removed it while no operator ran."""
    script.apply(**SQS)
    annotate(script, pause="true")
    script.begin()
    assert "UnknownAnnotations" in conditions(script)
    script.world.crash()
    annotate(script, pause=None)
    script.world.start()
    script.calmly(LONG)
    assert "UnknownAnnotations" not in conditions(script)
    assert len(events) == 1


def test_an_unknown_annotation_costs_one_write_and_no_call_to_aws(script: Script, events: list[str]) -> None:
    script.apply(**SQS)
    script.apply(TWO, functionName="bills", eventSourceARN=f"{SQS['eventSourceARN']}-2")
    script.begin()
    before = len(script.world.history)
    annotate(script, pause="true")
    script.calmly()
    sent = script.world.history[before:]
    assert len([line for line in sent if " PATCH " in line]) == 1, sent
    assert not [line for line in sent if "event_source_mapping" in line or "tags" in line], sent
    assert len(events) == 1


def test_an_unknown_annotation_is_reported_during_a_back_off(script: Script, events: list[str]) -> None:
    """A user may have mistyped an annotation and be waiting for its effect."""
    script.apply(**SQS)
    script.begin()
    script.delete()
    for _ in range(6):
        script.world.decide(script.until_asked("delete_event_source_mapping"), "refused")
    now = script.world.clock.now
    annotate(script, let_go="true")
    script.world.decide(script.until_asked("delete_event_source_mapping"), "refused")
    script.world.calm()
    assert script.world.clock.now - now < 1
    assert len(events) == 1
    assert "UnknownAnnotations" in conditions(script)


def test_two_operators_of_different_versions_do_not_overwrite_each_others_reports(
    script: Script, events: list[str]
) -> None:
    script.apply(**SQS)
    annotate(script, pause="true")
    script.begin()
    others = [one for one in script.status()["conditions"] if one["type"] != "UnknownAnnotations"]
    script.cluster.edit(ONE, {"status": {"conditions": others}})
    before = len(script.world.history)
    script.calmly(10)
    assert not [line for line in script.world.history[before:] if " PATCH " in line]
    assert len(events) == 1
