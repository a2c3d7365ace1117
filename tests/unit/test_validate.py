"""`validate` tells the line of each mistake, and has a sentence for whatever a file holds."""

import io
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from esm_operator.api import manifests
from esm_operator.commands import validate

NOW = datetime(2026, 11, 24, tzinfo=UTC)
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))

MAPPING = """\
apiVersion: lambda.esm-operator.io/v1
kind: EventSourceMapping
metadata:
  name: orders
  namespace: shop
spec:
  functionName: orders
  eventSourceARN: arn:aws:sqs:eu-west-1:123456789012:orders
"""


def problems(text: str) -> list[validate.ManifestProblem]:
    report = validate.Report()
    validate.check_text("a.yaml", text, report, NOW)
    return report.problems


def told(tmp_path: Path, content: bytes) -> str:
    file = tmp_path / "a.yaml"
    file.write_bytes(content)
    (problem,) = validate.check_files([str(file)], NOW).problems
    return str(problem).replace(str(tmp_path) + "/", "")


def test_the_examples_pass() -> None:
    report = validate.check_files([str(file) for file in EXAMPLES], NOW)
    assert report.problems == []
    assert report.checked == len(EXAMPLES) == 10


def test_a_problem_tells_file_line_resource_field_and_message() -> None:
    (problem,) = problems(MAPPING + "  enabled: true\n  startingPosition: LATEST\n")
    assert str(problem).startswith(
        "a.yaml:10: shop/orders: spec.startingPosition: Amazon SQS does not take startingPosition"
    )


def test_the_line_is_counted_through_all_documents_and_lists() -> None:
    text = f"# a comment\n---\n{MAPPING}---\n" + MAPPING + "  scalingConfig:\n    maximumConcurrency: 1\n"
    assert [(problem.line, problem.field) for problem in problems(text)] == [
        (21, "spec.scalingConfig.maximumConcurrency")
    ]
    listed = "apiVersion: v1\nkind: List\nitems:\n- " + MAPPING.replace("\n", "\n  ") + "  batchSize: 0\n"
    assert [(problem.line, problem.resource) for problem in problems(listed)] == [(12, "shop/orders")]


def test_a_missing_field_is_told_at_what_is_around_it() -> None:
    (problem,) = problems(MAPPING.replace("  functionName: orders\n", ""))
    assert (problem.line, problem.field) == (6, "spec.functionName")
    (problem,) = problems(MAPPING.split("spec:")[0])
    assert (problem.line, problem.field) == (1, "spec")


@pytest.mark.parametrize(
    ("line", "field", "words"),
    [
        ("batchsize: 5", "spec.batchsize", "no such field; did you mean batchSize?"),
        ("kmsKeyArn: x", "spec.kmsKeyArn", "did you mean kmsKeyARN?"),
        ("something: 5", "spec.something", "There is no such field."),
        ("batchSize: ten", "spec.batchSize", "must be of type integer, not string."),
        ("batchSize: 1.5", "spec.batchSize", "must be of type integer, not number."),
        ("enabled: 'yes'", "spec.enabled", "must be of type boolean, not string."),
        ("topics: orders", "spec.topics", "must be of type array, not string."),
        ("scalingConfig: 5", "spec.scalingConfig", "must be of type object, not integer."),
        ("tags: {a: 5}", "spec.tags.a", "must be of type string, not integer."),
        ("topics: [a, a]", "spec.topics", "twice"),
        ("startingPositionTimestamp: 2026-01-01", "spec.startingPositionTimestamp", "such as 2026-01-31T12:00:00Z"),
    ],
)
def test_wrong_types_and_unknown_fields(line: str, field: str, words: str) -> None:
    (problem,) = problems(f"{MAPPING}  {line}\n")
    assert (problem.line, problem.field) == (9, field)
    assert words in problem.message


def test_words_are_read_as_kubernetes_reads_them() -> None:
    text = "{enabled: yes, off: no, yes: Y, no: n, time: 12:30, date: 2026-01-01T00:00:00Z, "
    text += "hex: 0x10, old: 010, none: ~, e: 1e3}"
    (document,) = manifests.documents(text)
    assert document.value == {
        "enabled": True,
        "off": False,
        "yes": True,
        "no": False,
        "time": "12:30",
        "date": "2026-01-01T00:00:00Z",
        "hex": 16,
        "old": 8,
        "none": None,
        "e": 1000.0,
    }


def test_anchors_and_merges_are_followed() -> None:
    (document,) = manifests.documents("a: &a {b: 1, c: 2}\nd:\n  <<: *a\n  c: 3\n")
    assert document.value["d"] == {"b": 1, "c": 3}


def test_other_kinds_are_skipped_and_counted() -> None:
    report = validate.Report()
    text = f"apiVersion: v1\nkind: ConfigMap\n---\n{MAPPING}"
    validate.check_text("a.yaml", text, report, NOW)
    assert (report.checked, report.skipped, report.problems) == (1, 1, [])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "a.yaml: There is no resource in this file."),
        (b"# nothing\n---\n---\n", "a.yaml: There is no resource in this file."),
        (b"a: [\n", "a.yaml:2: This is not YAML: while parsing a flow node"),
        (b"a: b: c\n", "a.yaml:1: This is not YAML: mapping values are not allowed here."),
        (b"\ta: b\n", "a.yaml:1: This is not YAML: while scanning for the next token"),
        (b"a: 1\n\xff\xfe\x00", "a.yaml:2: This is not UTF-8 text."),
        (b"a: \x00\n", "a.yaml: This is not YAML: unacceptable character"),
        (b"a: *b\n", "a.yaml:1: This is not YAML: found undefined alias 'b'."),
        (b"a: 1\nb: 2\na: 3\n", "a.yaml:3: The key a occurs twice. Remove one of the two."),
        (
            b"a: &a\n  b: *a\n",
            "a.yaml:1: The document is too large or nested too deeply, or an alias refers to itself.",
        ),
        (b"[" * 5000, "a.yaml"),
        (b"? [a]\n: b\n", "a.yaml:1: A key must be a string, not a list or an object."),
        (b"hello\n", "a.yaml:1: A manifest must be an object with apiVersion, kind, metadata and spec."),
        (b"a: 1\n", "a.yaml:1: A manifest needs apiVersion and kind."),
        (b"!!python/object:os.system {}\n", "a.yaml:1:"),
        (
            b"apiVersion: lambda.esm-operator.io/v2\nkind: EventSourceMapping\n",
            "a.yaml:1: apiVersion: There is no such version; it must be lambda.esm-operator.io/v1.",
        ),
        (
            b"apiVersion: lambda.esm-operator.io/v1\nkind: Mapping\n",
            "a.yaml:2: kind: There is no such kind in lambda.esm-operator.io; it must be EventSourceMapping or",
        ),
    ],
)
def test_a_file_that_can_not_be_read_is_told_in_one_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    said = told(tmp_path, content)
    assert said.startswith(message), said
    assert "\n" not in said


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    (missing,) = validate.check_files([str(tmp_path / "none.yaml")]).problems
    assert missing.message == "The file cannot be read: No such file or directory."
    (folder,) = validate.check_files([str(tmp_path)]).problems
    assert folder.message == "The file cannot be read: Is a directory."


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.TextIOWrapper(io.BytesIO((MAPPING + "  batchSize: 0\n").encode()))
    monkeypatch.setattr(sys, "stdin", text)
    (problem,) = validate.check_files(["-"]).problems
    assert (problem.file, problem.line) == ("-", 9)


def test_all_files_are_checked_even_if_one_can_not_be_read(tmp_path: Path) -> None:
    good = tmp_path / "good.yaml"
    good.write_text(MAPPING)
    report = validate.check_files([str(tmp_path / "none.yaml"), str(good)], NOW)
    assert (report.checked, len(report.problems)) == (1, 1)


def test_a_provider_config_is_checked_too() -> None:
    head = "apiVersion: lambda.esm-operator.io/v1\nkind: ProviderConfig\nmetadata: {name: default}\n"
    text = f"{head}spec:\n  region: Mars\n"
    (problem,) = problems(text)
    assert (problem.line, problem.resource, problem.field) == (5, "default", "spec.region")


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("lambda.esm-operator.io/let-go", "It is called lambda.esm-operator.io/orphan now."),
        ("lambda.esm-operator.io/pause", "Did you mean lambda.esm-operator.io/paused?"),
    ],
)
def test_an_annotation_that_the_operator_does_not_know_is_a_problem(written: str, words: str) -> None:
    names = ("example.com/pause", written, "lambda.esm-operator.io/paused")
    annotations = "".join(f"    {name}: 'true'\n" for name in names)
    (problem,) = problems(MAPPING.replace("spec:\n", f"  annotations:\n{annotations}spec:\n"))
    assert (problem.line, problem.field) == (8, f"metadata.annotations.{written}")
    assert words in problem.message


@pytest.mark.parametrize("annotations", ["", "[]", "a", "{1: a}"])
def test_annotations_that_are_none_raise_nothing(annotations: str) -> None:
    assert problems(MAPPING.replace("spec:\n", f"  annotations: {annotations}\nspec:\n")) == []
