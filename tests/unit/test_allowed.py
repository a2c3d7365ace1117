"""Allow-lists: which functions, event sources and destinations a namespace may connect."""

import fnmatch
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esm_operator.api import limits
from esm_operator.api.fields import present_values
from esm_operator.api.spec import Adoption
from esm_operator.api.values import Canonical
from esm_operator.planning import actions, plan
from esm_operator.planning.allowed import AllowLists, Scope, matches
from esm_operator.planning.inputs import Observation
from esm_operator.planning.target import provider_config
from esm_operator.status.rendering import message_of
from tests.unit.plan_cases import OTHER, UUID, seen, wanted

PLACE = Scope(config="shop", namespace="team-a", region="eu-west-1", account="123456789012")
HERE = "eu-west-1:123456789012"
OURS = f"arn:aws:lambda:{HERE}:function"


def values(**members: Any) -> dict[str, Canonical]:
    """The fields of a mapping, from members of a request."""
    queue = f"arn:aws:sqs:{HERE}:orders"
    source = {} if "SelfManagedEventSource" in members else {"EventSourceArn": queue}
    return present_values({"FunctionName": "orders", **source, **members})


def refused(scope: Scope, **members: Any) -> str:
    """The list that refuses; empty: none."""
    finding = scope.refusal(values(**members))
    return str(finding.values["list"]) if finding is not None else ""


def is_allowed(pattern: str, function: str, scope: Scope = PLACE) -> bool:
    limited = replace(scope, lists=AllowLists(functions=(pattern,)))
    return not refused(limited, FunctionName=function)


@pytest.mark.parametrize(
    ("pattern", "function", "allowed"),
    [
        ("*", "anything", True),
        ("*", "arn:aws:lambda:us-east-1:222222222222:function:anything", True),
        ("orders", "orders", True),
        ("orders", f"{OURS}:orders", True),
        ("orders", "123456789012:function:orders", True),
        ("orders", "function:orders", True),
        ("orders", "orders:live", True),
        ("orders", "orders:$LATEST", True),
        ("orders", "orders-2", False),
        ("orders", "222222222222:function:orders", False),
        ("orders", "arn:aws:lambda:us-east-1:123456789012:function:orders", False),
        ("orders:live", "orders:live", True),
        ("orders:live", "orders", False),
        ("orders:live", "orders:test", False),
        ("orders:$LATEST", "orders", True),
        ("orders:$LATEST", "orders:live", False),
        ("${namespace}_*", "team-a_orders", True),
        ("${namespace}_*", "team-a_orders:live", True),
        ("${namespace}_*", "team-a-b_orders", False),
        ("${namespace}-*", "team-a-b-orders", True),  # the documentation warns of this
        ("*_team-a", "orders_team-a", True),
        ("*_team-a", "orders:x_team-a", False),
        (f"{OURS}:orders", "orders", True),
        (f"{OURS}:orders", "222222222222:function:orders", False),
        ("arn:aws:lambda:*:*:function:orders", "orders", True),
        ("arn:aws:lambda:*:*:function:orders", "222222222222:function:orders", True),
        ("arn:*:lambda:*:123456789012:function:*", "orders:live", True),
        ("arn:aws:lambda:us-*:*:function:*", "orders", False),
        ("arn:aws:lambda:*:*:function:${namespace}_*:live", "team-a_orders:live", True),
        ("arn:aws:lambda:*:*:function:${namespace}_*:live", "team-a_orders:test", False),
    ],
)
def test_functions_are_compared_by_meaning(pattern: str, function: str, allowed: bool) -> None:
    assert re.fullmatch(limits.FUNCTION_PATTERNS, pattern)
    assert is_allowed(pattern, function) is allowed


@pytest.mark.parametrize(
    ("pattern", "function", "allowed"),
    [
        ("orders", "orders", True),  # its own account, whatever it is
        ("orders", "123456789012:function:orders", False),
        ("arn:aws:lambda:*:*:function:orders", "orders", True),
        (f"{OURS}:orders", "orders", False),
        (f"{OURS}:orders", f"{OURS}:orders", True),
    ],
)
def test_nothing_is_allowed_by_guess_while_the_account_is_not_known(pattern: str, function: str, allowed: bool) -> None:
    assert is_allowed(pattern, function, replace(PLACE, account="")) is allowed


def test_a_text_that_is_no_function_is_allowed_only_by_a_star() -> None:
    text = "lambda:eu-west-1:123456789012:function:orders:live:more"
    assert not is_allowed("arn:aws:lambda:*:*:function:*", text)
    assert is_allowed("*", text)


def test_a_pattern_with_the_namespace_allows_nothing_without_one() -> None:
    assert not is_allowed("${namespace}_*", "_orders", replace(PLACE, namespace=""))


@pytest.mark.parametrize(
    ("pattern", "source", "allowed"),
    [
        ("*", f"arn:aws:sqs:{HERE}:orders", True),
        ("arn:aws:sqs:*:*:*", f"arn:aws:sqs:{HERE}:orders", True),
        ("arn:aws:sqs:*:*:orders", f"arn:aws:sqs:{HERE}:orders.fifo", False),
        ("arn:aws:sqs:eu-*:123456789012:${namespace}_*", f"arn:aws:sqs:{HERE}:team-a_orders.fifo", True),
        ("arn:aws:sqs:eu-*:123456789012:${namespace}_*", f"arn:aws:sqs:{HERE}:team-b_orders", False),
        ("arn:aws:sqs:*:123456789012:*", "arn:aws:sqs:eu-west-1:222222222222:orders", False),
        ("arn:aws:kinesis:*:*:stream/orders", f"arn:aws:kinesis:{HERE}:stream/orders", True),
        ("arn:aws:kinesis:*:*:stream/orders", f"arn:aws:kinesis:{HERE}:stream/orders/consumer/a:1", False),
        ("arn:aws:kinesis:*:*:stream/orders/*", f"arn:aws:kinesis:{HERE}:stream/orders/consumer/a:1", True),
        ("arn:aws:dynamodb:*:*:table/*_shop/stream/*", f"arn:aws:dynamodb:{HERE}:table/a_shop/stream/2026", True),
        (
            "arn:aws:dynamodb:*:*:table/*_shop/stream/*",
            f"arn:aws:dynamodb:{HERE}:table/a/stream/x_shop/stream/1",
            False,
        ),
        ("arn:aws:mq:*:*:broker:orders:*", f"arn:aws:mq:{HERE}:broker:orders:b-1", True),
        ("kafka://*", f"arn:aws:sqs:{HERE}:orders", False),
    ],
)
def test_event_sources_are_patterns_of_arns(pattern: str, source: str, allowed: bool) -> None:
    assert re.fullmatch(limits.SOURCE_PATTERNS, pattern)
    scope = replace(PLACE, lists=AllowLists(event_sources=(pattern,)))
    assert (not refused(scope, EventSourceArn=source)) is allowed


@pytest.mark.parametrize(
    ("patterns", "servers", "allowed"),
    [
        (["*"], ["a.example.com:9092"], True),
        (["kafka://*"], ["a.example.com:9092", "b.example.com:1"], True),
        (["kafka://*.example.com:9092"], ["a.example.com:9092"], True),
        (["kafka://*.EXAMPLE.com:9092"], ["A.Example.com:9092"], True),
        (["kafka://*.example.com:9092"], ["a.example.com:9093"], False),
        (["kafka://*.example.com:*"], ["a.example.com:9093"], True),
        (["kafka://*.example.com:9092"], ["a.b.example.com:9092"], False),
        (["kafka://kafka-*:9092"], ["kafka-1:9092"], True),
        (["kafka://kafka-*:9092"], ["kafka-1.attacker.test:9092"], False),
        (["kafka://a.example.com:9092"], ["a.example.com:9092", "b.example.com:9092"], False),
        (["kafka://a.example.com:9092", "kafka://b.*.com:*"], ["a.example.com:9092", "b.example.com:9092"], True),
        (["arn:aws:kafka:*:*:*"], ["a.example.com:9092"], False),
        ([], ["a.example.com:9092"], False),
    ],
)
def test_each_bootstrap_server_must_match(patterns: Sequence[str], servers: Sequence[str], allowed: bool) -> None:
    assert all(re.fullmatch(limits.SOURCE_PATTERNS, pattern) for pattern in patterns)
    scope = replace(PLACE, lists=AllowLists(event_sources=tuple(patterns)))
    source = {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": list(servers)}}
    assert (not refused(scope, SelfManagedEventSource=source)) is allowed


def test_a_source_that_is_not_known_is_refused() -> None:
    scope = replace(PLACE, lists=AllowLists(event_sources=("arn:aws:sqs:*:*:*", "kafka://*")))
    assert refused(scope, EventSourceArn="") == "allowedEventSources"
    both = {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["a.example.com:9092"]}}
    only_kafka = replace(PLACE, lists=AllowLists(event_sources=("kafka://*",)))
    assert refused(only_kafka, EventSourceArn=f"arn:aws:sqs:{HERE}:x", SelfManagedEventSource=both)


@pytest.mark.parametrize(
    ("pattern", "destination", "allowed"),
    [
        ("*", "arn:aws:s3:::attacker", True),
        ("arn:aws:s3:::${namespace}.*", "arn:aws:s3:::team-a.failed", True),
        ("arn:aws:s3:::${namespace}.*", "arn:aws:s3:::team-a-b.failed", False),
        ("arn:aws:sqs:*:*:failed", f"arn:aws:sqs:{HERE}:failed", True),
        ("arn:aws:sqs:*:*:failed", f"arn:aws:sns:{HERE}:failed", False),
        ("kafka://${namespace}.*", "kafka://team-a.failed.orders", True),
        ("kafka://${namespace}.*", "kafka://failed", False),
    ],
)
def test_destinations(pattern: str, destination: str, allowed: bool) -> None:
    assert re.fullmatch(limits.DESTINATION_PATTERNS, pattern)
    scope = replace(PLACE, lists=AllowLists(destinations=(pattern,)))
    config = {"OnFailure": {"Destination": destination}}
    assert (not refused(scope, DestinationConfig=config)) is allowed
    assert not refused(scope), "a mapping without a destination"


def test_an_absent_list_is_no_limit_and_an_empty_one_allows_nothing() -> None:
    body: dict[str, Any] = {"metadata": {"name": "shop"}, "spec": {"allowedFunctions": None}}
    assert not refused(replace(PLACE, lists=provider_config(body).allow_lists))
    for field in ("allowedFunctions", "allowedEventSources"):
        body["spec"] = {field: []}
        assert refused(replace(PLACE, lists=provider_config(body).allow_lists)) == field
    body["spec"] = {"allowedDestinations": []}
    scope = replace(PLACE, lists=provider_config(body).allow_lists)
    assert not refused(scope)
    assert refused(scope, DestinationConfig={"OnFailure": {"Destination": "kafka://failed"}})


def test_the_message_has_field_value_namespace_and_patterns_and_is_short() -> None:
    patterns = tuple(f"pattern-{number}" for number in range(64))
    scope = replace(PLACE, lists=AllowLists(functions=patterns))
    finding = scope.refusal(values(FunctionName="n" * 5000))
    assert finding is not None
    text = message_of(finding)
    for part in ('"shop"', "spec.functionName", '"team-a"', "allowedFunctions", "pattern-0", "59 more"):
        assert part in text
    assert len(text) < 1000


def test_the_message_about_a_mapping_in_aws_does_not_name_its_value() -> None:
    scope = replace(PLACE, lists=AllowLists(event_sources=()))
    finding = scope.refusal(values(EventSourceArn=f"arn:aws:sqs:{HERE}:secret"), uuid="1-2-3")
    assert finding is not None
    assert "secret" not in message_of(finding)
    assert "1-2-3" in message_of(finding)


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        " ",
        "orders *",
        "${name}_*",
        "$namespace_*",
        "arn:aws:lambda:*",
        "arn:aws:lambda:*:*:layer:x",
        "arn:aws:sqs:*:*:orders",
        "arn:aws:lambda:*:12*:function:orders",
        "arn:aws:lambda:*:*:function:${namespace",
    ],
)
def test_forms_of_patterns_of_functions(pattern: str) -> None:
    assert not re.fullmatch(limits.FUNCTION_PATTERNS, pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "orders",
        "arn:aws:sqs:*",
        "arn:aws:s3:::orders",
        "kafka://",
        "kafka://a.example.com",
        "kafka://a:b",
        "a:9092",
    ],
)
def test_forms_of_patterns_of_event_sources(pattern: str) -> None:
    assert not re.fullmatch(limits.SOURCE_PATTERNS, pattern)


@pytest.mark.parametrize("pattern", ["", "orders", "arn:aws:dynamodb:*:*:x", "kafka://", "arn:aws:s3:::"])
def test_forms_of_patterns_of_destinations(pattern: str) -> None:
    assert not re.fullmatch(limits.DESTINATION_PATTERNS, pattern)


_TEXTS = st.text("ab*", max_size=12)


@given(_TEXTS, st.text("ab", max_size=12))
def test_within_a_part_it_matches_as_a_shell_does(pattern: str, text: str) -> None:
    assert matches(pattern, text) is fnmatch.fnmatchcase(text, pattern)


@given(st.text("ab*:/", max_size=12), st.text("ab:/", max_size=12))
def test_a_match_is_never_wider_than_that_of_a_shell(pattern: str, text: str) -> None:
    if matches(pattern, text):
        assert fnmatch.fnmatchcase(text, pattern)
        inner = pattern.removesuffix("*")
        assert text.count(":") >= inner.count(":")
        if not pattern.endswith("*"):
            assert (text.count(":"), text.count("/")) == (pattern.count(":"), pattern.count("/"))


def test_a_long_value_takes_no_long_time() -> None:
    """A regular expression with so many stars would take days."""
    before = time.process_time()
    assert not matches("*a" * 200 + "b", "a" * 10_000)
    assert time.process_time() - before < 5


@pytest.mark.parametrize(
    "adoption", [Adoption("IfExists", UUID), Adoption("IfExists"), Adoption("IfExists", UUID, str(OTHER))]
)
def test_a_mapping_that_is_not_allowed_is_not_adopted(adoption: Adoption) -> None:
    """Its function differs from that of the spec, which is allowed."""
    scope = replace(PLACE, lists=AllowLists(functions=("team-a_*",)))
    theirs = seen(OTHER if adoption.take_over_from else None, FunctionArn=f"{OURS}:bank_ledger")
    desired = replace(wanted(), adoption=adoption)
    view = Observation(swept=True, mapping=theirs, candidates=(theirs,))
    assert isinstance(plan.plan(desired, view), actions.Adopt)
    action = plan.plan(replace(desired, scope=scope), view)
    assert isinstance(action, actions.Conflict)
    assert (action.reason, action.uuid) == ("NotAllowed", UUID)
    assert "bank_ledger" not in message_of(action)
    allowed = replace(scope, lists=AllowLists(functions=("bank_*",)))
    assert isinstance(plan.plan(replace(desired, scope=allowed), view), actions.Adopt)
