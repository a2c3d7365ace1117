"""Scripted scenarios: what ends the back-off of a resource, and what it is counted by."""

import random
from typing import Any

import pytest

from esm_operator.api.annotations import ORPHAN, RECONCILE_AT
from tests.model.aws import QUEUE, refusal
from tests.model.calls import Call
from tests.model.cluster import Answer
from tests.model.conftest import SEED
from tests.model.script import ONE, SQS, Script, answers


def is_read(call: Call) -> bool:
    """Whether it reads one resource from the API server."""
    return call.name == "GET" and str(call.what["path"]).endswith(f"/{ONE.name}")


def refused(script: Script) -> list[float]:
    """AWS refuses each Create. Returns the times of the attempts."""
    attempts: list[float] = []

    def refuse(_: Any, asked: dict[str, Any]) -> Any:
        del asked
        attempts.append(script.world.clock.now)
        raise refusal("CreateEventSourceMapping", "InvalidParameterValueException", 400, "The role lacks a permission.")

    answers(script, "create_event_source_mapping", refuse)
    return attempts


def test_an_edit_that_a_read_shows_before_the_watch_ends_the_back_off(script: Script) -> None:
    attempts = refused(script)
    script.apply(**SQS)
    script.world.start()
    script.calmly(1200)
    script.until(is_read)
    script.edit(batchSize=5)
    late, script.cluster.watch[:] = list(script.cluster.watch), []
    attempts.clear()
    script.calmly(1)
    script.cluster.watch[:0] = late
    script.calmly(300)
    assert len(attempts) >= 3, "after 0, 60 and 180 s"


def test_a_refusal_of_what_was_edited_meanwhile_does_not_lengthen_the_back_off(script: Script) -> None:
    attempts = refused(script)
    script.apply(**SQS)
    script.world.start()
    script.calmly(1200)
    script.edit(batchSize=4)
    creation = script.until(lambda call: call.what.get("BatchSize") == 4)
    script.edit(batchSize=5)
    script.world.deliver(len(script.cluster.watch))
    script.world.decide(creation, "well")
    attempts.clear()
    script.calmly(90)
    assert len(attempts) == 2, "immediately, and after 60 s"


def test_other_failures_before_a_refusal_do_not_lengthen_its_back_off(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API server refuses writes for some minutes, then AWS refuses the mapping."""
    script.apply(**SQS)
    script.world.start()
    really = script.cluster.request

    def busy(method: str, path: str, body: Any) -> Answer:
        if method == "PATCH" and path.endswith(f"/{ONE.name}"):
            return Answer(503, '{"message":"busy"}')
        return really(method, path, body)

    with monkeypatch.context() as trouble:
        trouble.setattr(script.cluster, "request", busy)
        script.calmly(300)
    attempts = refused(script)
    script.calmly(300)
    assert len(attempts) >= 3, "immediately, and after 60 and 180 s"


def test_an_observing_resource_without_a_mapping_is_read_when_a_person_asks(script: Script) -> None:
    script.apply(**SQS, managementPolicy="Observe")
    script.begin()
    assert script.reason() == "NotFound"
    one = script.world.aws.make("orders", QUEUE, {"team": "red"})
    assert one is not None
    script.cluster.edit(ONE, {"metadata": {"annotations": {RECONCILE_AT: "now"}}})
    script.calmly(1)
    assert script.status()["lastHandledReconcileAt"] == "now"
    assert script.status()["uuid"] == one.uuid


def test_a_release_is_reported_only_when_it_has_happened(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    script.apply(**SQS)
    script.begin()
    really = script.cluster.request
    events: list[str] = []

    def busy(method: str, path: str, body: Any) -> Answer:
        if path.endswith("/events"):
            events.append(body["reason"])
        if method == "PATCH" and (body.get("metadata") or {}).get("finalizers") == []:
            return Answer(503, '{"message":"busy"}')
        return really(method, path, body)

    with monkeypatch.context() as trouble:
        trouble.setattr(script.cluster, "request", busy)
        script.cluster.edit(ONE, {"metadata": {"annotations": {ORPHAN: "true"}}})
        script.delete()
        script.calmly(60)
        assert "Orphaned" not in events
    script.calmly(120)
    assert script.gone()


def test_the_jitter_is_the_same_in_each_run() -> None:
    assert random.getstate() == random.Random(SEED).getstate()
