"""The reference of fields: each field is on the pages of the source types that take it, with its values and default."""

import re
from functools import cache

import botocore.session
import pytest
import yaml
from botocore.model import StructureShape

from esm_operator.api.fields import FIELDS, STATUS_MEMBERS, Field
from esm_operator.api.sources import ALL, SourceType, observed_source_type
from tools import fields
from tools.field_facts import DEFAULTS_FROM_RESPONSES, EXAMPLES, EXAMPLES_OF, allowed_values, default, leaves, meaning

COMMON = fields.COMMON.read_text()


@cache
def page(source: SourceType) -> str:
    return fields.PAGES[source].read_text()


def has_row(text: str, path: str) -> bool:
    """Whether a page has a row for a field. Long structures have a table, whose rows have shorter names."""
    top, _, rest = path.partition(".")
    short = (
        bool(rest) and f"### {top}\n" in text and re.search(rf"^\| `{re.escape(rest)}`(?: ¹)? \|", text, re.MULTILINE)
    )
    return bool(
        short or re.search(rf"^(?:\| `{re.escape(path)}`(?: ¹)? \||### {re.escape(path)}$)", text, re.MULTILINE)
    )


def test_an_immutable_field_has_a_mark() -> None:
    assert "\n| `topics` ¹ | " in page(SourceType.MSK)
    assert "\n| `batchSize` | " in page(SourceType.MSK)
    assert "\n| `consumerGroupID` ¹ | " in page(SourceType.SELF_MANAGED_KAFKA)


def shown(row: Field) -> list[str]:
    """The paths under which the tables show a row of the table of fields."""
    return [leaf.path for leaf in leaves() if leaf.row is row and "sourceAccessConfigurations" not in leaf.path] or [
        row.path
    ]


@pytest.mark.parametrize("row", FIELDS, ids=lambda row: row.path)
def test_a_field_is_on_the_pages_of_the_sources_that_take_it(row: Field) -> None:
    for path in shown(row):
        if has_row(COMMON.split("## Fields by source type")[0], path):
            assert row.sources == ALL
            assert not any(has_row(page(source), path) for source in SourceType)
        else:
            assert {source for source in SourceType if has_row(page(source), path)} == row.sources, path


def test_each_field_of_the_spec_is_on_a_page() -> None:
    texts = [COMMON, *map(page, SourceType)]
    lacking = [
        leaf.path
        for leaf in leaves()
        if "sourceAccessConfigurations" not in leaf.path and not any(has_row(text, leaf.path) for text in texts)
    ]
    assert lacking == []


def test_each_field_of_the_status_is_on_its_page() -> None:
    text = fields.STATUS.read_text()
    named = {path.split(".")[0] for path in re.findall(r"^\| `([^`]+)`", text, re.MULTILINE)}
    assert set(STATUS_MEMBERS.values()) <= named


def test_a_page_has_at_most_300_lines() -> None:
    long = [path.name for path, text in fields.files().items() if text is None or text.count("\n") > 300]
    assert long == []


@pytest.mark.parametrize("source", SourceType)
def test_the_example_is_of_the_source_type(source: SourceType) -> None:
    """That the example is valid is a test of all pages."""
    for name in EXAMPLES_OF[source]:
        spec = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())["spec"]
        answer = {
            "EventSourceArn": spec.get("eventSourceARN"),
            "SelfManagedEventSource": spec.get("selfManagedEventSource"),
        }
        assert observed_source_type(answer) is source
    (block,) = re.findall(r"```yaml\n(.*?)```", page(source), re.DOTALL)
    assert block == (EXAMPLES / f"{EXAMPLES_OF[source][0]}.yaml").read_text()


def test_each_example_is_named_on_a_page() -> None:
    assert {name for names in EXAMPLES_OF.values() for name in names} == {path.stem for path in EXAMPLES.glob("*.yaml")}


def documentation(member: tuple[str, ...]) -> str:
    """AWS's documentation of a member of CreateEventSourceMapping."""
    model = botocore.session.get_session().get_service_model("lambda")
    shape = model.operation_model("CreateEventSourceMapping").input_shape
    for name in member:
        assert isinstance(shape, StructureShape)
        shape = shape.members[name]
    assert shape is not None
    return shape.documentation


def test_the_api_reference_of_aws_states_the_other_defaults() -> None:
    with_default = [row for row in FIELDS if row.defaults]
    assert {row.path for row in with_default} >= DEFAULTS_FROM_RESPONSES
    for row in with_default:
        text = documentation(row.member)
        # FullDocument: "Otherwise, DocumentDB sends only a partial document".
        stated = "default" in text.lower() or "Otherwise" in text
        assert stated == (row.path not in DEFAULTS_FROM_RESPONSES), row.path


@pytest.mark.parametrize(
    ("path", "source", "values", "initial"),
    [
        ("batchSize", SourceType.SQS, "from 1 to 10,000", "`10`"),
        ("batchSize", SourceType.MQ, "from 1 to 10,000", "`100`"),
        ("maximumBatchingWindowInSeconds", SourceType.MSK, "from 0 to 300", "500 ms"),
        ("maximumBatchingWindowInSeconds", SourceType.KINESIS, "from 0 to 300", "`0`"),
        ("startingPosition", SourceType.KINESIS, "`TRIM_HORIZON`, `LATEST`, `AT_TIMESTAMP`", "required"),
        ("startingPosition", SourceType.DYNAMODB, "`TRIM_HORIZON`, `LATEST`", "required"),
        ("startingPosition", SourceType.MQ, "`TRIM_HORIZON`, `LATEST`", ""),
        ("metricsConfig.metrics", SourceType.SQS, "`EventCount`", ""),
        ("metricsConfig.metrics", SourceType.MSK, "`EventCount`, `ErrorCount`, `KafkaMetrics`", ""),
        ("provisionedPollerConfig.maximumPollers", SourceType.SQS, "from 2 to 10,000", "`200`"),
        ("provisionedPollerConfig.maximumPollers", SourceType.MSK, "from 1 to 2,000", "`200`"),
        ("tumblingWindowInSeconds", SourceType.KINESIS, "from 0 to 900", "`0` ²"),
        ("deletionPolicy", SourceType.SQS, "`Delete`, `Retain`", "`Delete`"),
    ],
)
def test_values_and_defaults_are_those_of_the_source(path: str, source: SourceType, values: str, initial: str) -> None:
    (leaf,) = (leaf for leaf in leaves() if leaf.path == path)
    assert allowed_values(leaf, source) == values
    assert default(leaf, source) == initial


@pytest.mark.parametrize(
    ("path", "source", "word", "there"),
    [
        ("batchSize", SourceType.SQS, "FIFO", True),
        ("batchSize", SourceType.KINESIS, "FIFO", False),
        ("maximumRetryAttempts", SourceType.SELF_MANAGED_KAFKA, "consumptionMode", True),
        ("maximumRetryAttempts", SourceType.MSK, "consumptionMode", False),
        ("provisionedPollerConfig.minimumPollers", SourceType.SQS, "scalingConfig", True),
        ("provisionedPollerConfig.minimumPollers", SourceType.MSK, "scalingConfig", False),
        ("destinationConfig.onFailure.destination", SourceType.MSK, "kafka://", True),
        ("destinationConfig.onFailure.destination", SourceType.KINESIS, "kafka://", False),
    ],
)
def test_a_page_has_no_sentence_about_another_source(path: str, source: SourceType, word: str, there: bool) -> None:
    (leaf,) = (leaf for leaf in leaves() if leaf.path == path)
    assert (word in meaning(leaf, source)) == there
