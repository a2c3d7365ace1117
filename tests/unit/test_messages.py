"""Each message names the mapping and its place, quotes AWS, and ends with the remedy and the next attempt."""

import re
import string
from typing import Any, TypeGuard, get_args

import pytest

from esm_operator.api import reasons
from esm_operator.aws.errors import REASONS
from esm_operator.planning import actions, plan
from esm_operator.planning.finding import Finding
from esm_operator.planning.managers import RULES, manager_of
from esm_operator.reconcile import drift_backoff
from esm_operator.status.failure import Disposition
from esm_operator.status.next_attempt import Next
from esm_operator.status.reason_table import TABLE, Ends
from esm_operator.status.rendering import message, message_of
from esm_operator.status.subject import Subject
from tests.unit.plan_cases import CASES
from tools.messages import SPECIAL, SUBJECT, UUID, VALUES, example, failed

#: Messages that are not about a mapping in a known place.
ELSEWHERE = {
    "AnotherOperator": "other",
    "InUse": "users",
    "MappingsRemain": "users",
    "NoRegion": "mapping",
    "NotAllowed": "config",
    "OutputsConflict": "config_map",
    "OutputsForbidden": "config_map",
    "OutputsNotWritten": "config_map",
    "ProviderConfigDeleting": "config",
    "ProviderConfigForbidsNamespace": "config",
    "ProviderConfigNotFound": "config",
    "ProviderConfigRequired": "namespace",
    "ReferenceChanged": "field",
    "ReferenceForbidden": "field",
    "ReferenceNotFound": "field",
    "ReferenceNotReady": "field",
    "RegionNotAllowed": "config",
    "ResourcesRefused": "users",
    "RegionUnknown": "mapping",
    "TooManyTargets": "mapping",
    "UnknownAnnotation": "annotation",
}
#: Messages of mappings that the operator has not read, or that repeat the place of another message.
WITHOUT_PLACE = {("InSync", "NotCompared"), ("InSync", "Terminating"), ("InSync", "Paused")}
PLACES = ("eu-west-1 (account 123456789012)", "account 123456789012, region us-west-2")
OBJECTS = (UUID, '"orders"', SUBJECT.event_source, "{place}", "{action}", "shop/orders -> ", "shop/orders-2")
#: Requests that the operator repeats without a remedy, because nothing is wrong, or only AWS can correct it.
WITHOUT_REMEDY = {"AWSUnavailable", "NotFound", "OperationInProgress"}
ROWS = [key for key, row in TABLE.items() if row.next is not Next.PART]


def names(text: str) -> set[str]:
    """The values that a sentence names."""
    return {name.partition(".")[0] for _, name, _, _ in string.Formatter().parse(text) if name}


def shown(key: tuple[Any, str]) -> str:
    return failed(key) if TABLE[key].next is Next.FAILURE else example(key)


def identifier(key: tuple[Any, str]) -> str:
    return "-".join(part for part in key if part)


@pytest.mark.parametrize("key", TABLE, ids=identifier)
def test_no_placeholder_is_left(key: tuple[Any, str]) -> None:
    text = shown(key)
    assert "{" not in text.replace("{policy: IfExists", ""), text
    assert not re.search(r"None\b|\(\)|<|  |(?<!\.)\.\.(?!\.)| \.(?!\w)|\bobject at\b", text), text
    assert text.strip()


@pytest.mark.parametrize("key", ROWS, ids=identifier)
def test_it_names_the_object_and_the_place(key: tuple[Any, str]) -> None:
    text = shown(key)
    reason = key[0]
    if reason in ELSEWHERE:
        name = ELSEWHERE[reason]
        assert str(SUBJECT.values().get(name) or SPECIAL.get(key, {}).get(name) or VALUES[name]) in text
        return
    if key not in WITHOUT_PLACE:
        assert any(place in text for place in PLACES), text
    about_account = reason in REASONS  # such as missing credentials: all mappings of the place have the message
    assert about_account or key == ("InSync", "Paused") or any(one in text for one in OBJECTS), text


@pytest.mark.parametrize("key", ROWS, ids=identifier)
def test_it_ends_with_the_next_attempt_in_whole_sentences(key: tuple[Any, str]) -> None:
    text, row = shown(key), TABLE[key]
    if row.next.sentence:
        assert text.endswith(f" {row.next.sentence}")
    if row.ends is not Ends.ITSELF:
        assert row.remedy or key == ("InvalidSpec", ""), "a person is waited for, and told what to do"
    if row.next is Next.FAILURE:
        assert re.search(r'(AWS answered|The AWS SDK reported) .*"', text), "AWS's own sentence"
        assert re.search(r"The operator retries .* within \d+ (minutes?|hour)\.$", text)
        assert row.remedy or key[0] in WITHOUT_REMEDY
    assert text.endswith((".", '."', "run: esm-operator orphans")), text


def test_each_reason_has_a_message() -> None:
    listed = {reason for kind in (reasons.EventReason, reasons.ProviderConfigReason) for reason in _words(kind)}
    states = set(_words(reasons.StateReason))  # of a mapping that is as the spec says: InSync
    assert listed - {reason for reason, _ in TABLE} <= states | {"DriftObserved"}


def _words(kind: Any) -> list[str]:
    return [word for part in get_args(kind) for word in ([part] if isinstance(part, str) else _words(part))]


def test_each_error_of_aws_has_a_message() -> None:
    assert {reason for reason, _ in TABLE} >= REASONS


def test_the_table_names_no_value_that_nobody_gives() -> None:
    given = {*VALUES, *SUBJECT.values(), *(name for values in SPECIAL.values() for name in values)}
    assert {name for row in TABLE.values() for name in names(row.sentence) | names(row.remedy)} <= given


@pytest.mark.parametrize("case", CASES)
def test_each_plan_gives_the_values_of_its_message(case: str) -> None:
    desired, view, _ = CASES[case]
    action = plan.plan(desired, view)
    if isinstance(action, actions.Wait | actions.Stall | actions.Conflict):
        text = message_of(action, SUBJECT)
        assert "{" not in text.replace("{policy: IfExists", "")
        assert "None" not in text


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (SUBJECT, f'The mapping {UUID} of function "orders" in eu-west-1 (account 123456789012) is enabled.'),
        (
            Subject(function="orders", region="eu-west-1", account="123456789012"),
            'The mapping of function "orders" in eu-west-1 (account 123456789012) is enabled.',
        ),
        (Subject(function="orders", region="eu-west-1"), 'The mapping of function "orders" in eu-west-1 is enabled.'),
        (Subject(), "The mapping in the region of the mapping is enabled."),
    ],
)
def test_what_is_not_known_is_left_out(subject: Subject, expected: str) -> None:
    assert message("InSync", subject=subject, state="enabled") == expected


def test_the_times_are_those_of_the_back_offs() -> None:
    assert [disposition.value[1] for disposition in Disposition] == [60, 300, 1800, 3600]
    assert "1 minute." in Next.SOON.sentence
    assert "5 minutes." in Next.SLOW.sentence
    assert "30 minutes." in Next.PERSON.sentence
    assert "1 hour." in Next.FATAL.sentence
    assert f"{drift_backoff.LONGEST / 60:.0f} minutes" in Next.DRIFT.sentence


@pytest.mark.parametrize(
    ("tags", "name", "revealing"),
    [
        ({}, "", set()),
        ({"team": "shop", "Name": "orders"}, "", set()),
        ({"managed-by": "terraform", "team": "shop"}, "Terraform", {"managed-by"}),
        ({"ManagedBy": "Terraform Cloud"}, "Terraform", {"ManagedBy"}),
        ({"Terraform": "true"}, "Terraform", {"Terraform"}),
        ({"created_by": "OpenTofu"}, "Terraform", {"created_by"}),
        (
            {"aws:cloudformation:stack-name": "shop", "aws:cloudformation:logical-id": "Orders", "team": "shop"},
            "CloudFormation",
            {"aws:cloudformation:stack-name", "aws:cloudformation:logical-id"},
        ),
        ({"provisioner": "AWS CDK"}, "CloudFormation", {"provisioner"}),
        ({"services.k8s.aws/controller-version": "lambda-v1.5.0"}, "ACK", {"services.k8s.aws/controller-version"}),
        (
            {"crossplane-kind": "eventsourcemapping.lambda.aws.upbound.io", "crossplane-name": "orders"},
            "Crossplane",
            {"crossplane-kind", "crossplane-name"},
        ),
        ({"esm-operator.io/name": "orders"}, "an esm-operator", {"esm-operator.io/name"}),
        ({"managed-by": "pulumi"}, "another tool", {"managed-by"}),
    ],
)
def test_tags_reveal_another_manager(tags: dict[str, str], name: str, revealing: set[str]) -> None:
    manager = manager_of(tags)
    assert (manager.name, set(manager.tags)) == (name, revealing)
    assert manager.tags.items() <= tags.items()


def test_each_manager_can_be_revealed() -> None:
    assert {rule.name for rule in RULES} == {
        "ACK",
        "CloudFormation",
        "Crossplane",
        "Terraform",
        "an esm-operator",
        "another tool",
    }


def test_owner_tags_are_not_shown_as_tags_of_a_tool() -> None:
    conflicts = [action for desired, view, _ in CASES.values() if _is_owned(action := plan.plan(desired, view))]
    assert {action.case for action in conflicts} >= {"Owned", "KeepsOwn", "OtherIdentity"}
    assert [action for action in conflicts if "esm-operator.io/name" in message_of(action, SUBJECT)] == []


def _is_owned(action: actions.Action) -> TypeGuard[actions.Conflict]:
    return isinstance(action, actions.Conflict) and action.values.get("whose") is not None


def test_a_mapping_of_another_tool_is_not_to_be_deleted() -> None:
    values = {"uuid": UUID, "manager": manager_of({"managed-by": "terraform"})}
    text = message_of(Finding("Conflict", "Managed", values), SUBJECT)
    assert "The tags of the mapping show that Terraform manages it (managed-by=terraform)." in text
    assert "Do not delete the mapping." in text
    assert "unless spec.deletionPolicy is Retain" in text
