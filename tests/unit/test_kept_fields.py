"""Fields that AWS keeps or refuses: what is remembered, and what the resource shows."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from esm_operator.api import values
from esm_operator.api.recorded_status import Kept
from esm_operator.planning.inputs import Desired, ObservedMapping
from esm_operator.status.conditions import Verdict
from esm_operator.status.failure import Disposition, Failure
from esm_operator.status.field_outcomes import (
    RefusedFields,
    as_text,
    first_disposition,
    kept_fields,
    kept_message,
    refused_fields,
    refused_outcome,
    still_kept,
)
from esm_operator.status.rendering import message_of_failure
from esm_operator.status.subject import Subject
from tests.unit.plan_cases import MSK, SQS, made, seen

LOG, WINDOW = "loggingConfig.systemLogLevel", "maximumBatchingWindowInSeconds"
DEBUG = seen(EventSourceArn=MSK["eventSourceARN"], LoggingConfig={"SystemLogLevel": "DEBUG"})
INVALID = Failure("RefusedByAWS", Disposition.PERSON, answer='AWS answered "No."', sentence="No.")
NO_ROLE = Failure("RoleLacksPermission", Disposition.SLOW, answer='AWS answered "No role."', sentence="No role.")
HERE = Subject(function="orders", region="eu-west-1", account="123456789012")
PLACE = "eu-west-1 (account 123456789012)"


def gone(*paths: str, **more: Any) -> Desired:
    """A Kafka mapping whose spec has lost these fields."""
    return made(MSK, applied_fields=frozenset(paths), **more)


CASES: Mapping[str, tuple[Desired, ObservedMapping, dict[str, Kept], dict[str, str], dict[str, Kept]]] = {
    "AWS took the reset and kept the value": (gone(LOG), DEBUG, {LOG: Kept("DEBUG")}, {}, {LOG: Kept("DEBUG")}),
    "AWS has reset it": (
        gone(LOG),
        seen(EventSourceArn=MSK["eventSourceARN"]),
        {LOG: Kept("DEBUG")},
        {},
        {},
    ),
    "somebody has set another value since": (gone(LOG), DEBUG, {LOG: Kept("WARN")}, {}, {}),
    "the spec sets it again": (
        made({**MSK, "loggingConfig": {"systemLogLevel": "DEBUG"}}),
        DEBUG,
        {LOG: Kept("DEBUG")},
        {},
        {},
    ),
    "AWS refused the reset": (gone(LOG), DEBUG, {}, {LOG: "No."}, {LOG: Kept("DEBUG", "No.", 3)}),
    "AWS refused the reset again": (
        gone(LOG),
        DEBUG,
        {LOG: Kept("DEBUG", "Never.", 2)},
        {LOG: "No."},
        {LOG: Kept("DEBUG", "No.", 3)},
    ),
    "AWS refused the reset before, for this very spec": (
        gone(LOG),
        DEBUG,
        {LOG: Kept("DEBUG", "No.", 3)},
        {},
        {LOG: Kept("DEBUG", "No.", 3)},
    ),
    "AWS knows no reset of it": (
        gone(WINDOW),
        seen(EventSourceArn=MSK["eventSourceARN"], MaximumBatchingWindowInSeconds=30),
        {},
        {},
        {WINDOW: Kept("30")},
    ),
    "it is still to be reset": (gone(LOG), DEBUG, {}, {}, {}),
    "a default is nothing that is kept": (
        made(applied_fields=frozenset({"batchSize"})),
        seen(BatchSize=10),
        {"batchSize": Kept("5")},
        {},
        {},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_aws_keeps(case: str) -> None:
    desired, found, noted, refusals, expected = CASES[case]
    assert kept_fields(desired, found, noted, refusals, 3) == expected


def test_a_long_value_is_remembered_by_its_beginning() -> None:
    pattern = '{"a":["' + "x" * 3_000 + '"]}'
    desired = made(applied_fields=frozenset({"filterCriteria"}))
    found = seen(FilterCriteria={"Filters": [{"Pattern": pattern}]})
    kept = kept_fields(desired, found, {}, {"filterCriteria": "No."}, 3)
    assert len(kept["filterCriteria"].value) == 1_024
    assert kept_fields(desired, found, kept, {}, 3) == kept


def test_the_message_says_which_fields_why_and_what_to_do() -> None:
    assert kept_message({}, HERE) == ""
    told = kept_message({WINDOW: Kept("30"), LOG: Kept("DEBUG", "No.", 3)}, HERE)
    assert told == (
        f'AWS keeps the last value of spec.{LOG}, spec.{WINDOW} of the mapping of function "orders" in {PLACE}, '
        f"although the spec no longer sets it. All other fields match the spec. AWS refused to reset spec.{LOG} and "
        'answered "No." The operator retries the reset after the next edit. If the value is acceptable, do nothing. To '
        "change the value, set the field. To get the default, delete the resource and create it again. The new mapping "
        "of a stream reads from spec.startingPosition."
    )


POLLERS = ("provisionedPollerConfig.maximumPollers", "provisionedPollerConfig.minimumPollers")
_PROVISIONED = seen(
    EventSourceArn=MSK["eventSourceARN"],
    ProvisionedPollerConfig={"MinimumPollers": 2, "MaximumPollers": 3},
    BatchSize=100,
)
MIN_ONLY = made({**MSK, "provisionedPollerConfig": {"minimumPollers": 5}}, applied_fields=frozenset(POLLERS))


@pytest.mark.parametrize(
    ("desired", "failures", "expected"),
    [
        (gone(*POLLERS), {}, ()),
        (gone(*POLLERS), {("ProvisionedPollerConfig",): INVALID}, [(POLLERS, INVALID, True)]),
        (gone(*POLLERS), {("ProvisionedPollerConfig",): NO_ROLE}, [(POLLERS, NO_ROLE, False)]),
        (MIN_ONLY, {("ProvisionedPollerConfig",): INVALID}, [(POLLERS, INVALID, False)]),
        (gone(*POLLERS), {("BatchSize",): INVALID}, ()),  # AWS has it as it should be by now
        (gone(*POLLERS), {("BatchSize", "ProvisionedPollerConfig"): INVALID}, ()),
    ],
)
def test_which_fields_are_refused(
    desired: Desired, failures: Mapping[tuple[str, ...], Failure], expected: list[tuple[Any, ...]]
) -> None:
    found = refused_fields(desired, _PROVISIONED, {frozenset(members): one for members, one in failures.items()})
    assert found == tuple(RefusedFields(*one) for one in expected)


def test_a_refused_field_is_shown_by_its_name_with_the_sentence_of_aws() -> None:
    shown = refused_outcome([RefusedFields(("batchSize",), INVALID, kept=False)], "", HERE)
    assert (shown.verdict, shown.reason, shown.synced, shown.event) == (
        Verdict.STALLED,
        "RefusedByAWS",
        False,
        "RefusedByAWS",
    )
    assert shown.message == f"AWS refuses to change spec.batchSize. {message_of_failure(INVALID, HERE)}"
    assert 'AWS answered "No." Correct the spec' in shown.message
    assert shown.sync_message == ""


def test_of_several_refusals_the_one_that_waits_for_a_person_is_the_reason_and_the_one_that_heals_the_pace() -> None:
    both = [RefusedFields(POLLERS, NO_ROLE, kept=False), RefusedFields(("batchSize",), INVALID, kept=False)]
    shown = refused_outcome(both, "AWS keeps something.", HERE)
    assert (shown.verdict, shown.reason) == (Verdict.STALLED, "RefusedByAWS")
    assert shown.message == (
        f"AWS refuses to change spec.{POLLERS[0]}, spec.{POLLERS[1]}. {message_of_failure(NO_ROLE, HERE)} "
        f"AWS refuses to change spec.batchSize. {message_of_failure(INVALID, HERE)}"
    )
    assert shown.sync_message.endswith("AWS keeps something.")
    assert first_disposition(both) is Disposition.SLOW
    assert refused_outcome(both[:1], "", HERE).reason == "RoleLacksPermission"


def test_an_sqs_mapping_needs_no_notes() -> None:
    assert kept_fields(made(SQS), seen(), {}, {}, 1) == {}


def test_half_a_character_in_a_filter_is_kept_as_the_api_server_stores_it() -> None:
    pattern = json.dumps({"body": ["\ud800", "🙂"]})
    text = as_text(values.filters({"Filters": [{"Pattern": pattern}]}))
    assert text == '[{"body":["\ufffd","🙂"]}]'
    left = {"filterCriteria": values.filters({"Filters": [{"Pattern": pattern}]})}
    assert still_kept(left, {"filterCriteria": Kept(text)}) == {"filterCriteria": Kept(text)}
