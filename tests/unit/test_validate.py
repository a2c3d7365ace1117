"""`validate` shows the line of each mistake, and has a sentence for all contents of a file."""

import io
import json
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


def test_a_problem_has_file_line_resource_field_and_message() -> None:
    (problem,) = problems(MAPPING + "  enabled: true\n  startingPosition: LATEST\n")
    assert str(problem).startswith(
        "a.yaml:10: shop/orders: spec.startingPosition: Amazon SQS does not take startingPosition"
    )


def test_the_line_is_counted_through_all_documents_and_lists() -> None:
    other = MAPPING.replace("orders", "bills")
    text = f"# a comment\n---\n{MAPPING}---\n" + other + "  scalingConfig:\n    maximumConcurrency: 1\n"
    assert [(problem.line, problem.field) for problem in problems(text)] == [
        (21, "spec.scalingConfig.maximumConcurrency")
    ]
    listed = "apiVersion: v1\nkind: List\nitems:\n- " + MAPPING.replace("\n", "\n  ") + "  batchSize: 0\n"
    assert [(problem.line, problem.resource) for problem in problems(listed)] == [(12, "shop/orders")]


def test_a_missing_field_is_reported_at_its_parent() -> None:
    (problem,) = problems(MAPPING.replace("  functionName: orders\n", ""))
    assert (problem.line, problem.field) == (6, "spec.functionName")
    (problem,) = problems(MAPPING.split("spec:")[0])
    assert (problem.line, problem.field) == (1, "spec")


@pytest.mark.parametrize(
    ("line", "field", "words"),
    [
        ("batchsize: 5", "spec.batchsize", "no such field; did you mean batchSize?"),
        ("kmsKeyArn: x", "spec.kmsKeyArn", "did you mean kmsKeyARN?"),
        ("something: 5", "spec.something", "no such field."),
        ("batchSize: ten", "spec.batchSize", "must be of type integer, not string."),
        ("batchSize: 1.5", "spec.batchSize", "must be of type integer, not number."),
        ("enabled: 'yes'", "spec.enabled", "must be of type boolean, not string."),
        ("topics: orders", "spec.topics", "must be of type array, not string."),
        ("scalingConfig: 5", "spec.scalingConfig", "must be of type object, not integer."),
        ("tags: {a: 5}", "spec.tags.a", "must be of type string, not integer."),
        ("topics: [a, a]", "spec.topics", "twice"),
        ("batch_size: 5", "spec.batch_size", "no such field; did you mean batchSize?"),
        ("deletion_policy: Retain", "spec.deletion_policy", "no such field; did you mean deletionPolicy?"),
        ("scaling_config: {}", "spec.scaling_config", "no such field; did you mean scalingConfig?"),
        ("adoption: {x: y}", "spec.adoption.x", "no such field. Possible fields: policy, takeOverFrom, uuid."),
        ("startingPositionTimestamp: 2026-01-01", "spec.startingPositionTimestamp", "such as 2026-01-31T12:00:00Z"),
    ],
)
def test_wrong_types_and_unknown_fields(line: str, field: str, words: str) -> None:
    (problem,) = problems(f"{MAPPING}  {line}\n")
    assert (problem.line, problem.field) == (9, field)
    assert words in problem.message


def test_words_are_read_as_kubernetes_reads_them() -> None:
    text = "{enabled: yes, off: no, on: Y, d: n, time: 12:30, date: 2026-01-01T00:00:00Z, "
    text += "hex: 0x10, old: 010, none: ~, e: 1e3}"
    (document,) = manifests.documents(text)
    assert document.value == {
        "enabled": True,
        "false": False,
        "true": True,
        "d": False,
        "time": "12:30",
        "date": "2026-01-01T00:00:00Z",
        "hex": 16,
        "old": 8,
        "none": None,
        "e": 1000,
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
        (b"? [a]\n: b\n", "a.yaml:1: A key must be a string, not null, a list or an object."),
        (b"hello\n", "a.yaml:1: A manifest must be an object with apiVersion, kind, metadata and spec."),
        (b"a: 1\n", "a.yaml:1: A manifest needs apiVersion and kind, and both must be strings."),
        (b"!!python/object:os.system {}\n", "a.yaml:1:"),
        (
            b"apiVersion: lambda.esm-operator.io/v2\nkind: EventSourceMapping\n",
            "a.yaml:1: apiVersion: There is no such version. Use lambda.esm-operator.io/v1.",
        ),
        (
            b"apiVersion: lambda.esm-operator.io/v1\nkind: Mapping\n",
            "a.yaml:2: kind: There is no such kind in lambda.esm-operator.io. Use EventSourceMapping or",
        ),
    ],
)
def test_a_file_that_can_not_be_read_is_reported_in_one_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    said = told(tmp_path, content)
    assert said.startswith(message), said
    assert "\n" not in said


def test_a_missing_file_and_a_folder_without_manifests(tmp_path: Path) -> None:
    (missing,) = validate.check_files([str(tmp_path / "none.yaml")]).problems
    assert missing.message == "The file cannot be read: No such file or directory."
    (tmp_path / "values.yaml").write_text("replicas: 2\n")
    (folder,) = validate.check_files([str(tmp_path)]).problems
    assert str(folder) == f"{tmp_path}: There is no file with a resource of lambda.esm-operator.io in this folder."


def test_the_files_of_a_folder_are_checked_in_order(tmp_path: Path) -> None:
    """Files without a resource of the operator, such as templates of Helm, are skipped."""
    (tmp_path / "deeper").mkdir()
    bad = MAPPING + "  batchSize: 0\n"
    for name, content in {
        "b.yaml": bad,
        "a.yml": bad.replace("name: orders", "name: a"),
        "deeper/c.json": bad,
        "deeper/template.yaml": "{{ if .Values.enabled }}\nkind: ConfigMap\n{{ end }}\n",
        "deeper/notes.txt": bad,
    }.items():
        (tmp_path / name).write_text(content)
    report = validate.check_files([str(tmp_path)], NOW)
    files = [problem.file.removeprefix(f"{tmp_path}/") for problem in report.problems]
    assert files == ["a.yml", "b.yaml", "deeper/c.json"]
    assert report.checked == 3


def test_problems_are_in_the_order_of_lines(tmp_path: Path) -> None:
    text = MAPPING + "  startingPosition: LATEST\n  batchSize: 0\n  tags: {'!': a}\n  topics: [a]\n"
    text = text.replace("functionName: orders", "functionName: 1").replace("spec:", "  labels: {a: '!'}\nspec:")
    assert [problem.line for problem in problems(text)] == [6, 8]
    text = MAPPING + "  topics: [a]\n  startingPosition: LATEST\n  batchSize: 0\n"
    assert [problem.line for problem in problems(text)] == [9, 10, 11]
    file = tmp_path / "a.yaml"
    file.write_text(MAPPING.replace("spec:", "  annotations: {lambda.esm-operator.io/pause: a}\nspec:") + "  x: 1\n")
    assert [problem.line for problem in validate.check_files([str(file)]).problems] == [6, 10]


def test_two_resources_with_the_same_function_and_source(tmp_path: Path) -> None:
    """In all files together. A copy of the same resource, as for another cluster, is no conflict."""
    other = MAPPING.replace("name: orders\n  n", "name: bills\n  n")
    contents = {
        "a.yaml": MAPPING,
        "b.yaml": f"# copy\n{other}",
        "copy.yaml": MAPPING,
        "observed.yaml": other.replace("bills", "watch") + "  managementPolicy: Observe\n",
        "region.yaml": other.replace("bills", "west").replace("eu-west-1", "us-west-2"),
        "version.yaml": other.replace("bills", "live").replace("functionName: orders", "functionName: orders:live"),
    }
    for name, content in contents.items():
        (tmp_path / name).write_text(content)
    (problem,) = validate.check_files([str(tmp_path)], NOW).problems
    assert (problem.file, problem.line, problem.field) == (str(tmp_path / "b.yaml"), 7, "spec")
    assert problem.message.startswith(f"shop/orders ({tmp_path}/a.yaml:1) has the same function and source.")


def test_two_resources_of_one_name_in_a_file() -> None:
    (problem,) = problems(f"{MAPPING}---\n{MAPPING}")
    assert (problem.line, problem.message) == (13, "Line 1 has the same resource. Rename or remove one of the two.")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ('{"body": }', 'not valid JSON at column 10, near `{"body": }`: Expecting value.'),
        ("{'body': 1}", "not valid JSON at column 2, near `{'body': 1}`: Expecting property name enclosed in double"),
        ('{"body":\n  [1,]}', "not valid JSON at line 2, column 6, near "),
        ("", "not valid JSON at column 1: Expecting value."),
        ('{"body": NaN}', 'not valid JSON at column 10, near `{"body": NaN}`: JSON has no value NaN.'),
        ("[1]", 'valid JSON, but not an object such as {"body": {"kind": ["order"]}}.'),
        ("[" * 100_000, "nested too deeply."),
    ],
)
def test_the_place_where_a_filter_pattern_is_not_json(pattern: str, message: str) -> None:
    text = MAPPING + f"  filterCriteria:\n    filters:\n    - pattern: {json.dumps(pattern[:4000])}\n"
    (problem,) = problems(text)
    assert (problem.line, problem.field) == (11, "spec.filterCriteria.filters[0].pattern")
    assert f"Pattern 1 in filterCriteria.filters is {message}" in problem.message
    assert "Amazon SQS needs a JSON object. Correct the pattern." in problem.message


@pytest.mark.parametrize(
    ("metadata", "place", "words"),
    [
        ("{name: orders, nameSpace: shop}", "metadata.nameSpace", "no such field; did you mean namespace?"),
        ("{name: orders, generate_name: a}", "metadata.generate_name", "no such field; did you mean generateName?"),
        ("{name: a..b}", "metadata.name", "must be lower-case letters"),
        ("{name: orders, labels: {a: 5}}", "metadata.labels.a", "must be of type string, not integer."),
        ("{name: orders, labels: {a: a/b}}", "metadata.labels", "the value of a must be letters"),
        ("{name: orders, labels: {a/b/c: a}}", "metadata.labels", "the prefix of the key a/b/c must be a DNS name"),
        ("{namespace: shop}", "metadata.name", "Required value: a resource needs a name."),
    ],
)
def test_metadata_is_checked_as_the_api_server_does(metadata: str, place: str, words: str) -> None:
    text = MAPPING.replace("metadata:\n  name: orders\n  namespace: shop\n", f"metadata: {metadata}\n")
    (problem,) = problems(text)
    assert problem.field == place
    assert words in problem.message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("08", 8), ("010", 8), ("0o7", 7), ("0x1f", 31), ("0b11", 3), ("1_000", 1000), ("1e3", 1000), ("5.", 5)),
        *((".5", 0.5), ("-0.0", 0), ("+1", 1), ("9223372036854775808", 9223372036854775808.0), ("1e400", "1e400")),
        *(("on", True), ("N", False), ("", None), ("~", None), ("tRue", "tRue"), ("12:30", "12:30"), ("_1", "_1")),
        *(("2026-01-01", "2026-01-01"), ("=", "="), ("._5", "._5"), ("1.2.3", "1.2.3"), ("0o8", "0o8")),
    ],
)
def test_the_value_of_a_plain_scalar_is_that_of_kubernetes(text: str, value: object) -> None:
    """Each row was read from the answers of an API server."""
    assert manifests.plain(text) == value
    assert type(manifests.plain(text)) is type(value)


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


def test_regions_that_aws_does_not_have_are_problems() -> None:
    (problem,) = problems(MAPPING.replace("eu-west-1", "eu-wst-1"))
    assert problem.field == "spec.eventSourceARN"
    assert problem.message == (
        "AWS has no region eu-wst-1 that this version knows. Correct the region. If it is new, set "
        "--more-regions=eu-wst-1 here and for the operator."
    )
    head = "apiVersion: lambda.esm-operator.io/v1\nkind: ProviderConfig\nmetadata: {name: default}\n"
    found = problems(f"{head}spec:\n  region: eu-wst-1\n  allowedRegions: [eu-west-1, eu-wst-1]\n")
    assert sorted(one.field for one in found) == ["spec.allowedRegions[1]", "spec.region"]


def test_regions_that_the_flag_names_are_known(tmp_path: Path) -> None:
    file = tmp_path / "orders.yaml"
    file.write_text(MAPPING.replace("eu-west-1", "eu-new-1"))
    assert len(validate.check_files([str(file)], NOW).problems) == 1
    assert validate.check_files([str(file)], NOW, ["eu-new-1"]).problems == []


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


@pytest.mark.parametrize(("annotations", "number"), [("", 0), ("[]", 1), ("a", 1), ("{1: a}", 0)])
def test_annotations_of_any_type_raise_nothing(annotations: str, number: int) -> None:
    assert len(problems(MAPPING.replace("spec:\n", f"  annotations: {annotations}\nspec:\n"))) == number


QUEUE_REF = """
  eventSourceRef:
    apiVersion: sqs.services.k8s.aws/v1alpha1
    kind: Queue
    name: orders
"""


def test_two_resources_with_the_same_references_exclude_each_other() -> None:
    first = MAPPING.replace("  eventSourceARN: arn:aws:sqs:eu-west-1:123456789012:orders\n", QUEUE_REF)
    assert problems(first) == []
    second = first.replace("name: orders\n  namespace", "name: orders-2\n  namespace")
    (problem,) = problems(f"{first}---\n{second}")
    assert "shop/orders (a.yaml:1) has the same function and source" in problem.message
    assert problems(f"{first}---\n{second.replace('namespace: shop', 'namespace: bank')}") == []
    assert problems(f"{first}---\n{second.replace('    name: orders', '    name: returns')}") == []


def test_two_topics_of_one_referred_cluster_are_two_mappings() -> None:
    cluster = QUEUE_REF.replace("sqs", "kafka").replace("Queue", "Cluster")
    first = MAPPING.replace("  eventSourceARN: arn:aws:sqs:eu-west-1:123456789012:orders\n", cluster)
    first += "  topics: [orders]\n"
    second = first.replace("name: orders\n  namespace", "name: orders-2\n  namespace")
    assert len(problems(f"{first}---\n{second}")) == 1
    assert problems(f"{first}---\n{second.replace('topics: [orders]', 'topics: [returns]')}") == []
