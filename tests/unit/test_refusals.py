"""The offline check refuses what the API server refuses, in the same words, and nothing else."""

import re
from datetime import UTC, datetime

import pytest
import yaml

from esm_operator.api import field_rules, offline, rules
from esm_operator.api.spec import MappingSpec
from esm_operator.commands import validate
from tests import refusals, specs
from tests.refusals import Refusal
from tests.specs import BASES, manifest, spec

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def messages(of: specs.Spec) -> list[str]:
    report = validate.Report()
    validate.check_text("file.yaml", yaml.safe_dump(manifest(of)), report, NOW)
    return [f"{problem.field}: {problem.message}" for problem in report.problems]


@pytest.mark.parametrize(
    "case",
    refusals.REFUSALS
    + refusals.REFERENCE_REFUSALS
    + refusals.TYPE_REFUSALS
    + refusals.UNKNOWN_FIELDS
    + refusals.OFFLINE_REFUSALS,
    ids=lambda case: case.name,
)
def test_a_refusal_names_the_field_the_source_and_the_remedy(case: Refusal) -> None:
    found = messages(case.spec)
    assert any(all(word in message for word in case.says) for message in found), found
    assert messages(case.opposite) == []


def test_each_field_with_problems_is_named_with_the_first_of_them() -> None:
    found = offline.check(rules.MAPPING_RULES, refusals.MANY_PROBLEMS)
    assert {one.field for one in found} >= refusals.FIELDS_WITH_PROBLEMS
    about_topics = [one.message for one in found if one.field == "spec.topics"]
    assert len(about_topics) == 1
    assert about_topics[0].startswith("Amazon SQS does not take topics.")


@pytest.mark.parametrize("base", BASES)
def test_the_smallest_spec_of_each_source_passes(base: str) -> None:
    assert messages(spec(base, {})) == []


@pytest.mark.parametrize("case", refusals.OFFLINE_REFUSALS, ids=lambda case: case.name)
def test_problems_that_cel_can_not_see_are_found_by_the_operator(case: Refusal) -> None:
    assert offline.check(rules.MAPPING_RULES, case.spec) == []
    assert offline.offline_problems(MappingSpec.parse(case.spec), NOW) != []
    assert offline.offline_problems(MappingSpec.parse(case.opposite), NOW) == []


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"batchMode": "small"}, "does not know the field batchMode. Upgrade the operator, or remove batchMode."),
        (
            {"deletionPolicy": "Archive"},
            "deletionPolicy Archive. Upgrade the operator, or set deletionPolicy to Delete",
        ),
        ({"adoption": {"policy": "Perhaps"}}, "adoption.policy Perhaps. Upgrade the operator, or set adoption.policy"),
    ],
    ids=["a field", "a policy", "a policy in a structure"],
)
def test_parts_of_a_newer_crd_are_problems(part: specs.Spec, said: str) -> None:
    (problem,) = offline.offline_problems(MappingSpec.parse(spec("sqs", part)), NOW)
    assert said in problem.message


@pytest.mark.parametrize("stamp", refusals.UNREADABLE_TIMES)
def test_a_time_that_python_cannot_read_is_a_problem(stamp: str) -> None:
    """An API server with another CRD, or of another version, may accept it."""
    part = {"startingPosition": "AT_TIMESTAMP", "startingPositionTimestamp": stamp}
    (problem,) = offline.offline_problems(MappingSpec.parse(spec("kinesis", part)), NOW)
    assert problem.field == "spec.startingPositionTimestamp"
    assert stamp in problem.message
    assert "such as 2026-01-31T12:00:00Z" in problem.message


def test_each_rule_about_several_fields_is_met_by_a_refusal() -> None:
    """A rule that no case meets may be broken and nobody knows; those from tables have tests of their own."""
    cases = refusals.REFUSALS + refusals.REFERENCE_REFUSALS
    met = {rule.expression for case in cases for rule in offline.broken(rules.MAPPING_RULES, case.spec)}
    tables = (
        field_rules.not_taken,
        field_rules.required,
        field_rules.counts,
        field_rules.ranges,
        field_rules.words,
        field_rules.texts,
    )
    tested_elsewhere = {rule.expression for table in tables for rule in table()}
    twins = re.compile(
        r"\{source\} takes only .* in sourceAccessConfigurations"
        r"|\{source\} takes no startingPositionTimestamp in consumptionMode Queue"
        r"|\{source\} needs \w+ if selfManagedKafkaEventSourceConfig.schemaRegistryConfig is set"
        r"|The entry OAUTHBEARER_\w+ in .* needs an entry"
    )
    unmet = {
        rule.words
        for rule in rules.MAPPING_RULES
        if rule.expression not in met | tested_elsewhere and not twins.match(rule.words)
    }
    assert unmet == set()
