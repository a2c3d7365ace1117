"""The server has every member that botocore has. These tests fail when AWS adds a member."""

from __future__ import annotations

import pytest

from .configuration import RESETS
from .model import LAMBDA, answer_members, members
from .quota import OUTSIDE_OF_QUOTA
from .sources import ACCESS_TYPES, ALL_TAKE, FILLED_IN, TAKEN, Source

# Members of the answer that a Create does not set. The tests of answers are in other files.
ANSWERED = {
    "EventSourceMappingArn",
    "FilterCriteriaError",
    "FunctionArn",
    "LastModified",
    "LastProcessingResult",
    "State",
    "StateTransitionReason",
    "UUID",
}
NOT_ANSWERED = {"Enabled", "FunctionName", "Tags"}


@pytest.mark.parametrize("operation", ["CreateEventSourceMapping", "UpdateEventSourceMapping"])
def test_every_member_is_in_the_table_of_sources(operation: str) -> None:
    assert members(operation) <= ALL_TAKE | set(TAKEN)


def test_the_table_of_sources_has_only_members_of_aws() -> None:
    asked = members("CreateEventSourceMapping") | members("UpdateEventSourceMapping")
    assert asked == ALL_TAKE | set(TAKEN)
    assert not ALL_TAKE & set(TAKEN)
    assert set(RESETS) <= asked


def test_every_member_of_the_answer_is_known() -> None:
    assert answer_members() == (members("CreateEventSourceMapping") - NOT_ANSWERED) | ANSWERED


def test_every_kind_of_source_access_is_in_the_table() -> None:
    shape = LAMBDA.shape_for("SourceAccessType")
    assert set(ACCESS_TYPES) == set(shape.metadata["enum"])


def test_every_source_has_defaults() -> None:
    assert set(FILLED_IN) == set(Source)
    assert all(set(filled_in.members) <= answer_members() for filled_in in FILLED_IN.values())


def test_operations_without_the_shared_quota_exist() -> None:
    assert set(LAMBDA.operation_names) >= OUTSIDE_OF_QUOTA
