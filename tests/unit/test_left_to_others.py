"""``ignoreChanges``: the values of others that a new mapping gets, for each field of each source."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esm_operator.api.fields import BY_PATH, FIELDS, observed_values
from esm_operator.api.ignore_changes import ENTRIES, IDENTITY_FIELDS, IgnoredChanges, covering
from esm_operator.api.recorded_status import is_by_aws
from esm_operator.api.spec import MappingSpec
from esm_operator.planning import actions, differences, plan
from esm_operator.planning.allowed import UNLIMITED, AllowLists, Scope
from esm_operator.planning.inputs import Creation, ObservedMapping
from esm_operator.planning.left_to_others import creation, left_values
from tests.e2e.manifests import TEN_KINDS
from tests.every_field import SOURCES, pairs_of
from tests.specs import spec
from tests.unit.plan_cases import KINESIS, OWNER, SQS, UUID, found, made, wanted

QUEUE, OTHER_QUEUE = SQS["eventSourceARN"], f"{SQS['eventSourceARN']}-2"
DESTINATION = "destinationConfig.onFailure.destination"


def seen(of: Mapping[str, Any], *, tags: Mapping[str, str] | None = None, state: str = "Enabled") -> ObservedMapping:
    """The own mapping of a resource, as AWS answers it if it was made by this spec."""
    asked = MappingSpec.parse(of).parameters
    answer = {**asked, "UUID": UUID, "State": state, "FunctionArn": asked["FunctionName"]}
    return ObservedMapping(UUID, state, observed_values(answer), {**OWNER.tags(), **(tags or {})}, answer=answer)


def created(
    of: Mapping[str, Any],
    recorded: Mapping[str, str],
    *,
    tags: Mapping[str, str] | None = None,
    replaces: Mapping[str, str] | None = None,
    scope: Scope = UNLIMITED,
    default_tags: Mapping[str, str] | None = None,
) -> Creation:
    """What a Create of a spec sends."""
    defaults = default_tags or {}
    every = {**defaults, **(tags or {}), **OWNER.tags()}
    asked = MappingSpec.parse(of)
    return creation(asked, every, recorded, replaces=replaces or {}, scope=scope, default_tags=defaults)


def pairs() -> list[Any]:
    """Each field of each source that others may change."""
    found = [(source, pair) for source in SOURCES for pair in pairs_of(source)]
    return [
        pytest.param(source, pair, id=f"{pair.path} of {source}")
        for source, pair in found
        if pair.path in ENTRIES and pair.path != "enabled"
    ]


@pytest.mark.parametrize(("source", "pair"), pairs())
def test_a_new_mapping_gets_the_values_that_others_have_set(source: str, pair: Any) -> None:
    base = "self-managed" if "self" in source else source
    specs = [spec(base, {**pair.beside, pair.path: one.spec}) for one in pair.values]
    first, second = ({**SOURCES[source], **one} for one in specs)
    asked = {**first, "ignoreChanges": [pair.path]}
    desired = wanted(asked)
    left = left_values(desired, seen(second), {})
    assert ENTRIES[pair.path] >= left.keys() != set()
    result = created(asked, left)
    others = MappingSpec.parse(second).values
    for path, value in MappingSpec.parse(first).values.items():
        assert result.values.get(path) == (others.get(path) if path in ENTRIES[pair.path] else value)
    without = {name: value for name, value in second.items() if name != pair.path.split(".")[0]}
    assert not created(asked, left_values(desired, seen(without), {})).values.keys() & left.keys()


def test_a_new_mapping_gets_the_state_that_others_have_set() -> None:
    asked = {**SQS, "enabled": True, "ignoreChanges": ["enabled"]}
    left = left_values(wanted(asked), seen(SQS, state="Disabled"), {})
    assert left == {"enabled": "false"}
    assert created(asked, left).parameters["Enabled"] is False
    for state in ("Updating", "Deleting"):
        assert left_values(wanted(asked), seen(SQS, state=state), left) == left, "AWS does not show it now"


def test_a_state_that_aws_has_set_is_not_one_of_others() -> None:
    asked = {**SQS, "enabled": True, "ignoreChanges": ["enabled"]}
    disabled = seen(SQS, state="Disabled")
    by_aws = ObservedMapping(UUID, "Disabled", disabled.values, disabled.tags, disabled_because="Lambda initiated")
    assert left_values(wanted(asked), by_aws, {"enabled": "true"}) == {}


@pytest.mark.parametrize(
    ("entries", "spec_tags", "aws_tags", "expected"),
    [
        (["tags.team"], {"team": "shop", "a": "1"}, {"team": "red", "a": "2", "x": "9"}, {"team": "red", "a": "1"}),
        (["tags.team"], {"team": "shop"}, {}, {}),
        (["tags.team"], {}, {"team": "red"}, {"team": "red"}),
        (["tags"], {"team": "shop", "a": "1"}, {"team": "red", "x": "9", "aws:x": "y"}, {"team": "red", "x": "9"}),
        (["tags"], {"team": "shop"}, {}, {}),
        (["batchSize"], {"team": "shop"}, {"team": "red"}, {"team": "shop"}),
    ],
)
def test_a_new_mapping_gets_the_tags_that_others_have_set(
    entries: list[str], spec_tags: dict[str, str], aws_tags: dict[str, str], expected: dict[str, str]
) -> None:
    asked = {**SQS, "ignoreChanges": entries}
    left = left_values(wanted(asked, tags=spec_tags), seen(SQS, tags=aws_tags), {})
    assert created(asked, left, tags=spec_tags).tags == {**expected, **OWNER.tags()}


@pytest.mark.parametrize("entries", [["tags"], ["tags.team"]])
@pytest.mark.parametrize(
    ("recorded", "expected"),
    [("null", "shop"), ("5", "shop"), ('{"a": 1}', "shop"), ("{", "shop"), ('"red"', "red")],
)
def test_a_new_mapping_has_the_default_tags_whatever_the_record_has(
    entries: list[str], recorded: str, expected: str
) -> None:
    """The spec may have another value for the tag. So others may have set one too, but no record removes the tag."""
    asked = {**SQS, "ignoreChanges": entries}
    for spec_tags in ({}, {"team": "shop"}):
        default_tags = {"team": spec_tags.get("team", "shop")}
        result = created(asked, {"tags.team": recorded}, tags=spec_tags, default_tags=default_tags)
        assert result.tags == {"team": expected, **OWNER.tags()}


def test_what_is_no_longer_ignored_is_as_in_the_spec() -> None:
    asked = {**SQS, "batchSize": 5, "ignoreChanges": ["batchSize", "tags.team"]}
    left = left_values(wanted(asked), seen({**SQS, "batchSize": 7}, tags={"team": "red"}), {})
    assert left == {"batchSize": "7", "tags.team": '"red"'}
    now = {**SQS, "batchSize": 5, "ignoreChanges": ["enabled"]}
    assert created(now, left).parameters == MappingSpec.parse(now).parameters
    assert created(now, left).tags == OWNER.tags()


def test_values_of_a_source_type_do_not_go_to_another_one() -> None:
    asked = {**KINESIS, "batchSize": 5, "ignoreChanges": ["batchSize", "enabled"]}
    recorded = {"batchSize": "10000", "enabled": "false"}
    of_queue = differences.immutable_texts(MappingSpec.parse(SQS).values)
    result = created(asked, recorded, replaces=of_queue)
    assert (result.parameters["BatchSize"], result.parameters["Enabled"]) == (5, False)
    of_stream = differences.immutable_texts(MappingSpec.parse(KINESIS).values)
    assert created(asked, recorded, replaces=of_stream).parameters["BatchSize"] == 10_000


def test_a_destination_that_is_not_allowed_is_not_taken_over() -> None:
    own, secret = f"{QUEUE}-failed", f"{QUEUE}-secret"
    asked = {
        **KINESIS,
        "destinationConfig": {"onFailure": {"destination": own}},
        "ignoreChanges": ["destinationConfig"],
    }
    recorded = {DESTINATION: f'"{secret}"'}
    assert created(asked, recorded).values[DESTINATION] == secret
    scope = Scope(AllowLists(destinations=(own,)), "shop", "shop", "eu-west-1", "123456789012")
    assert created(asked, recorded, scope=scope).values[DESTINATION] == own


@pytest.mark.parametrize("text", ["", "{", "nothing", "[" * 100_000, "[" * 400 + "]" * 400, "[1]", '{"a":1}'])
def test_a_record_that_aws_cannot_have_returned_is_ignored(text: str) -> None:
    asked = {**SQS, "batchSize": 5, "ignoreChanges": ["batchSize"]}
    assert created(asked, {"batchSize": text}).parameters["BatchSize"] == 5


@pytest.mark.parametrize("text", ["1", '"x"', '{"filters":[1]}', '{"filters":[null]}', '{"filters":{"a":1}}', '{"":1}'])
def test_filters_that_aws_cannot_have_returned_are_ignored(text: str) -> None:
    asked = {**SQS, "filterCriteria": {"filters": [{"pattern": "{}"}]}, "ignoreChanges": ["filterCriteria"]}
    result = created(asked, {"filterCriteria": text})
    assert (result.parameters, result.values) == (MappingSpec.parse(asked).parameters, MappingSpec.parse(asked).values)


def test_a_default_that_cannot_be_set_is_not_set() -> None:
    """AWS answers a batching window of 0 for its own 500 ms, which cannot be restored once it was set."""
    asked = {"functionName": "orders", **TEN_KINDS["msk"], "ignoreChanges": ["maximumBatchingWindowInSeconds"]}
    mapping = seen({**asked, "maximumBatchingWindowInSeconds": 0})
    assert left_values(wanted(asked), mapping, {}) == {"maximumBatchingWindowInSeconds": "null"}


def test_hidden_filters_stay_as_they_were_recorded() -> None:
    asked = {**SQS, "ignoreChanges": ["filterCriteria"]}
    hidden = ObservedMapping(UUID, "Enabled", {}, OWNER.tags(), filters_hidden=True)
    recorded = {"filterCriteria": '{"filters":[{"pattern":"{}"}]}'}
    assert left_values(wanted(asked), hidden, recorded) == recorded


def test_all_fields_but_those_of_the_identity_can_be_ignored() -> None:
    with_another = {"startingPositionTimestamp"}
    assert {path for paths in ENTRIES.values() for path in paths} == BY_PATH.keys() - IDENTITY_FIELDS
    assert {row.path for row in FIELDS} - ENTRIES.keys() == IDENTITY_FIELDS | with_another
    assert covering("startingPositionTimestamp") == ["startingPosition"]
    assert covering("functionName") == []
    assert ENTRIES["provisionedPollerConfig"] == {
        path for path in BY_PATH if path.startswith("provisionedPollerConfig.")
    }


@given(st.lists(st.sampled_from(sorted(ENTRIES)), max_size=5), st.integers(1, 100), st.integers(1, 100))
def test_no_update_has_an_ignored_field(entries: list[str], batch: int, other: int) -> None:
    asked = {**SQS, "batchSize": batch, "kmsKeyARN": "key", "enabled": True, "ignoreChanges": entries}
    view = found(seen({**SQS, "batchSize": other}, state="Disabled"))
    action = plan.plan(made(asked), view)
    changed = action.change.keys() | action.reset if isinstance(action, actions.Update) else set[str]()
    differing = {"kmsKeyARN", "enabled"} | ({"batchSize"} if batch != other else set[str]())
    assert changed == differing - IgnoredChanges.parse(entries).fields


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("USER_INITIATED", False),
        ("User action", False),
        ("User initiated", False),
        (None, False),
        ("", False),
        ("Lambda initiated", True),
        ("LAMBDA_INITIATED", True),
        ("EVENT_SOURCE_AUTHN_ERROR", True),
        ("The queue was deleted", True),
    ],
)
def test_the_reason_of_a_change_of_state_shows_who_caused_it(reason: str | None, expected: bool) -> None:
    assert is_by_aws(reason) is expected
