"""Status: conditions as kstatus reads them, and times that only a change moves."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from esm_operator.api.reasons import OutcomeReason
from esm_operator.api.recorded_status import Applied, Kept, MappingReport, MappingStatus
from esm_operator.status.conditions import Outcome, Verdict, lacking_for, render
from esm_operator.status.reason_table import PERMISSIONS
from esm_operator.status.subject import Subject

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
SUBJECT = Subject(function="orders", region="eu-west-1", account="123456789012")
MAPPING: Mapping[str, Any] = {
    "UUID": "1",
    "State": "Enabled",
    "StateTransitionReason": "User action",
    "EventSourceMappingArn": "arn:aws:lambda:eu-west-1:123456789012:event-source-mapping:1",
    "FunctionArn": "arn:aws:lambda:eu-west-1:123456789012:function:orders",
    "LastModified": datetime(2026, 1, 1, tzinfo=UTC),
    "LastProcessingResult": "OK",
    "BatchSize": 10,
}


def shown(
    verdict: Verdict = Verdict.READY,
    *,
    previous: Mapping[str, Any] | None = None,
    mapping: Mapping[str, Any] | None = MAPPING,
    synced: bool | None = True,
    applied: Applied | None = None,
    tags: Mapping[str, str] | None = None,
    now: str = NOW,
    lacking_for: float = 0.0,
    reason: OutcomeReason = "Enabled",
) -> dict[str, Any]:
    status = render(
        MappingStatus.parse(previous or {}),
        generation=3,
        outcome=Outcome(verdict, reason, "A sentence.", synced=synced, subject=SUBJECT),
        mapping=MappingReport.of_answer(mapping) if mapping is not None else None,
        tags=tags,
        applied=applied or Applied(),
        uuid="1" if mapping else "",
        gone=False,
        requested="",
        now=now,
        lacking_for=lacking_for,
    )
    return status.render()


def conditions(status: Mapping[str, Any]) -> dict[str, str]:
    return {one["type"]: one["status"] for one in status["conditions"]}


def kstatus(status: Mapping[str, Any], generation: int, *, deleting: bool) -> str:
    """What kstatus makes of an object (its rules for any kind)."""
    if deleting:
        return "Terminating"
    if status.get("observedGeneration") not in (None, generation):
        return "InProgress"
    told = conditions(status)
    if told.get("Reconciling") == "True":
        return "InProgress"
    if told.get("Stalled") == "True":
        return "Failed"
    return "InProgress" if told.get("Ready") == "False" else "Current"


@pytest.mark.parametrize("verdict", Verdict)
def test_verdicts_mean_what_kstatus_makes_of_them(verdict: Verdict) -> None:
    ready, reconciling, stalled, word = verdict.value
    status = shown(verdict)
    told = conditions(status)
    assert (told["Ready"], told["Reconciling"], told["Stalled"]) == (ready, reconciling, stalled)
    assert kstatus(status, 3, deleting=verdict is Verdict.TERMINATING) == word
    assert kstatus(status, 4, deleting=False) == "InProgress"


def failing(status: str, since: str, reason: str = "FunctionNotFound", *, stalled: str = "False") -> Mapping[str, Any]:
    """A status whose conditions have had these values since a time."""
    values = {"Ready": status, "Stalled": stalled}
    return {
        "conditions": [
            {"type": kind, "status": value, "reason": reason, "lastTransitionTime": since}
            for kind, value in values.items()
        ]
    }


@pytest.mark.parametrize("reason", sorted(PERMISSIONS))
@pytest.mark.parametrize(
    ("previous", "lacking_for", "word"),
    [
        ({}, 0.0, "InProgress"),  # a new resource
        (failing("True", "2025-01-01T00:00:00Z"), 0.0, "InProgress"),  # an edit of a resource that was Ready
        (failing("False", "2025-01-01T00:00:00Z"), 119.0, "InProgress"),  # it has failed for another reason before
        (failing("False", "2025-12-31T23:59:00Z"), 120.0, "Failed"),
        (failing("False", "2025-12-31T23:59:00Z", "Conflict", stalled="True"), 0.0, "InProgress"),
        (failing("False", "2025-12-31T23:59:00Z", "AccessDenied", stalled="True"), 0.0, "Failed"),  # no change back
    ],
)
def test_a_missing_permission_is_failed_after_two_minutes(
    previous: Mapping[str, Any], lacking_for: float, word: str, reason: OutcomeReason
) -> None:
    status = shown(Verdict.STALLED, previous=previous, synced=False, reason=reason, lacking_for=lacking_for)
    assert kstatus(status, 3, deleting=False) == word
    again = shown(Verdict.STALLED, previous=status, synced=False, reason=reason, now=LATER, lacking_for=lacking_for)
    assert kstatus(again, 3, deleting=False) == word


@pytest.mark.parametrize(
    ("previous", "seconds"),
    [
        ({}, 0.0),
        (failing("False", "2025-12-31T23:58:00Z"), 0.0),
        (failing("True", "2025-12-31T23:58:00Z", "Enabled"), 0.0),
        (failing("False", "2025-12-31T23:58:00Z", "AccessDenied"), 120.0),
    ],
)
def test_a_status_shows_how_long_a_permission_is_missing(previous: Mapping[str, Any], seconds: float) -> None:
    assert lacking_for(MappingStatus.parse(previous), NOW) == seconds


def test_all_other_reasons_are_failed_immediately() -> None:
    status = shown(Verdict.STALLED, synced=False, reason="Conflict")
    assert kstatus(status, 3, deleting=False) == "Failed"


def test_a_status_has_all_that_aws_reports() -> None:
    status = shown(tags={"b": "2", "a": "1"}, applied=Applied(frozenset({"batchSize"}), frozenset({"a"}), {"x": "y"}))
    del status["conditions"]
    assert status == {
        "observedGeneration": 3,
        "uuid": "1",
        "state": "Enabled",
        "stateTransitionReason": "User action",
        "arn": MAPPING["EventSourceMappingArn"],
        "account": "123456789012",
        "region": "eu-west-1",
        "functionARN": MAPPING["FunctionArn"],
        "lastModified": "2026-01-01T00:00:00Z",
        "lastProcessingResult": "OK",
        "tagsAll": {"a": "1", "b": "2"},
        "applied": {"fields": ["batchSize"], "tags": ["a"], "immutable": {"x": "y"}},
    }


def test_without_a_mapping_only_conditions_are_written() -> None:
    assert shown(Verdict.STALLED, mapping=None, synced=None).keys() == {"observedGeneration", "conditions"}


def test_what_is_not_known_of_tags_stays() -> None:
    assert shown(previous={"tagsAll": {"a": "1"}})["tagsAll"] == {"a": "1"}
    assert shown(previous={"tagsAll": {"a": "1"}}, tags={})["tagsAll"] == {}


def test_times_move_only_with_the_status_of_a_condition() -> None:
    first = shown()
    assert shown(previous=first, now=LATER) == first
    second = shown(Verdict.IN_PROGRESS, previous=first, now=LATER)
    times = {one["type"]: one["lastTransitionTime"] for one in second["conditions"]}
    assert times == {"Ready": LATER, "Reconciling": LATER, "Stalled": NOW, "Synced": NOW, "Processing": NOW}


@pytest.mark.parametrize(
    ("synced", "status", "message"),
    [
        (True, "True", 'The mapping of function "orders" in eu-west-1 (account 123456789012) matches the spec.'),
        (
            False,
            "False",
            'The mapping of function "orders" in eu-west-1 (account 123456789012) does not match the spec. The '
            "condition Ready shows the cause.",
        ),
        (None, "Unknown", 'The operator has not compared the mapping of function "orders" with AWS yet.'),
    ],
)
def test_synced(synced: bool | None, status: str, message: str) -> None:
    told = next(one for one in shown(synced=synced)["conditions"] if one["type"] == "Synced")
    assert (told["status"], told["message"]) == (status, message)


def test_what_is_being_deleted_is_not_compared() -> None:
    told = next(one for one in shown(Verdict.TERMINATING, synced=None)["conditions"] if one["type"] == "Synced")
    assert (told["status"], told["message"]) == (
        "Unknown",
        'The operator does not compare the mapping of function "orders", because the resource is being deleted.',
    )


@pytest.mark.parametrize(("generation", "says"), [(3, "True"), (2, "Unknown")])
def test_what_was_in_sync_stays_so_while_somebody_else_changes_it(generation: int, says: str) -> None:
    before = [{**one, "observedGeneration": generation} for one in shown()["conditions"]]
    during = shown(Verdict.IN_PROGRESS, previous={"conditions": before}, synced=None, reason="Updating")
    assert conditions(during)["Synced"] == says


@pytest.mark.parametrize(
    ("members", "status", "reason"),
    [
        ({"LastProcessingResult": "OK"}, "True", "NoProblem"),
        ({"LastProcessingResult": "No records processed"}, "True", "NoProblem"),
        ({"LastProcessingResult": "PROBLEM: Function call failed"}, "False", "ProcessingProblem"),
        (
            {"FilterCriteriaError": {"ErrorCode": "KMSAccessDeniedException", "Message": "No."}},
            "False",
            "FilterCriteriaError",
        ),
        ({"LastProcessingResult": None}, None, None),
    ],
)
def test_processing(members: Mapping[str, Any], status: str | None, reason: str | None) -> None:
    rendered = shown(mapping={**MAPPING, **members})
    told = next((one for one in rendered["conditions"] if one["type"] == "Processing"), {})
    assert (told.get("status"), told.get("reason")) == (status, reason)
    assert conditions(rendered)["Ready"] == "True"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            {"ErrorCode": "KMSAccessDeniedException", "Message": "User: x is not authorized to perform: kms:Decrypt"},
            'AWS answered with KMSAccessDeniedException and "User: x is not authorized to perform: kms:Decrypt." Allow '
            "kms:Decrypt to the identity that AWS names, in the key policy and in its IAM policies.",
        ),
        (
            {"ErrorCode": "KMSDisabledException", "Message": ""},
            "AWS answered with KMSDisabledException and without an explanation. Make sure that the key in "
            "spec.kmsKeyARN is enabled, and that its policy allows Lambda to decrypt.",
        ),
        (
            {"ErrorCode": "KMSDisabledException"},
            "AWS answered with KMSDisabledException and without an explanation. Make sure that the key in "
            "spec.kmsKeyARN is enabled, and that its policy allows Lambda to decrypt.",
        ),
    ],
)
def test_a_filter_that_kms_refuses_names_the_action_and_is_never_without_a_sentence(
    error: Mapping[str, Any], message: str
) -> None:
    rendered = shown(mapping={**MAPPING, "FilterCriteriaError": error})
    told = next(one["message"] for one in rendered["conditions"] if one["type"] == "Processing")
    assert told == (
        'AWS cannot decrypt the filter criteria of the mapping of function "orders" in eu-west-1 (account '
        f"123456789012). {message} The operator records an Event when this works again."
    )


def test_what_was_applied_is_read_as_it_was_written() -> None:
    kept = {"kmsKeyARN": Kept("key"), "loggingConfig.systemLogLevel": Kept("DEBUG", "It can't be.", 3)}
    applied = Applied(frozenset({"batchSize"}), frozenset({"team"}), {"startingPosition": "LATEST"}, kept)
    assert Applied.parse(applied.render()) == applied
    assert Applied.parse({}) == Applied()


def test_what_was_seen_last_stays_while_the_mapping_can_not_be_seen() -> None:
    seen = shown(tags={"team": "shop"})
    refused = render(
        MappingStatus.parse(seen),
        generation=3,
        outcome=Outcome(Verdict.IN_PROGRESS, "NoCredentials", "There are none.", synced=False),
        mapping=None,
        tags=None,
        applied=Applied(),
        uuid=str(seen["uuid"]),
        gone=False,
        requested="",
        now=LATER,
    )
    assert refused.report == MappingReport.of_answer(MAPPING)
    assert refused.tags == {"team": "shop"}
    assert refused.condition("Processing").status == conditions(seen)["Processing"]
    assert refused.condition("Ready").status == "False"


def test_a_status_is_read_as_it_was_written() -> None:
    refused = shown(mapping={**MAPPING, "FilterCriteriaError": {"ErrorCode": "KMSDisabledException"}})
    assert refused["filterCriteriaError"] == {"errorCode": "KMSDisabledException"}
    for status in ({}, {"creating": "uid/1/x"}, {"providerConfig": "shop"}, shown(mapping=None), refused):
        assert MappingStatus.parse(status).render() == status
