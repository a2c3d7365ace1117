"""The command line: commands import only what they need, and the help is for people who do not know Python."""

import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
from pydantic_settings import BaseSettings

from esm_operator import cli, flags
from tests.operator_process import ROOT

LOADERS = {command.name: command for command in cli.COMMANDS}
#: Libraries that take long to import.
AWS, CLUSTER, CEL, SETTINGS, YAML = "botocore", "kopf", "cel", "pydantic_settings", "yaml"
#: For each command line, the libraries that it must not import.
NOT_IMPORTED = {
    "--version": {AWS, CLUSTER, CEL, SETTINGS, YAML, "kubernetes", "aiohttp", "pydantic"},
    "--help": {AWS, CLUSTER, CEL, SETTINGS, YAML, "kubernetes", "aiohttp", "pydantic"},
    "validate examples/04-sqs-queue.yaml": {AWS, CLUSTER, "kubernetes", "aiohttp", "prometheus_client", "jinja2"},
    "crds": {AWS, CLUSTER, CEL, YAML, "kubernetes", "aiohttp", "prometheus_client"},
    "iam-policy": {CLUSTER, CEL, "kubernetes", "aiohttp", "prometheus_client"},
    "export --help": {CLUSTER, CEL, "kubernetes", "kopf"},
    "orphans --help": {CLUSTER, CEL},
    "check-upgrade --help": {CLUSTER, CEL},
}


@pytest.mark.parametrize("words", NOT_IMPORTED)
def test_a_command_does_not_import_what_it_does_not_need(words: str) -> None:
    script = (
        "import sys, atexit\n"
        "atexit.register(lambda: print('\\nIMPORTED', *sorted({name.partition('.')[0] for name in sys.modules})))\n"
        f"sys.argv = ['esm-operator', *{words.split()}]\n"
        "from esm_operator.cli import main\n"
        "main()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT / "operator")},
        capture_output=True,
        text=True,
        check=True,
    )
    imported = set(ended.stdout.rpartition("IMPORTED ")[2].split())
    assert {"sys", "esm_operator"} <= imported
    assert imported & NOT_IMPORTED[words] == set()


def settings_of(name: str) -> type[BaseSettings]:
    return LOADERS[name].load()


@pytest.mark.parametrize("name", LOADERS)
def test_the_help_shows_no_python(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.run([name, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: esm-operator {name} [flags]")
    assert not re.search(r"\b(str|int|float|bool|None|True|False|factory)\b|list\[|dict\[", text)
    assert "Default: ." not in text
    assert "default: )" not in text
    for field in settings_of(name).model_fields.values():
        assert field.description, "each flag has a description"
        assert re.match(r"[A-Z].*\.$", " ".join(field.description.split())), field.description


@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize("columns", ["70", "120", "400"])
def test_lines_of_the_help_fit(
    name: str, columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    with pytest.raises(SystemExit):
        cli.run([name, "--help"])
    flag_lines = capsys.readouterr().out.partition("\nflags:\n")[2].splitlines()
    assert max(map(len, flag_lines)) <= min(120, int(columns))


def test_the_help_of_the_program_lists_each_command(capsys: pytest.CaptureFixture[str]) -> None:
    cli.run(["--help"])
    text = capsys.readouterr().out
    for command in cli.COMMANDS:
        assert re.search(rf"^  {command.name} +{re.escape(command.summary)}$", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "A command is missing. Run `esm-operator --help` for the list of commands."),
        (["valdate"], "There is no command `valdate`. Did you mean `validate`?"),
        (["--verbose"], "There is no command `--verbose`. Run `esm-operator --help` for the list of commands."),
        (
            ["run", "--sweep-intervall=1"],
            "unrecognized arguments: --sweep-intervall=1. Did you mean --sweep-interval? Run `esm-operator run --help` "
            "for the flags.",
        ),
        (
            ["run", "--sweep-interval=often"],
            "--sweep-interval (or ESM_OPERATOR_SWEEP_INTERVAL): must be a number, not `often`.",
        ),
        (
            ["run", "--deletions-per-minute=1.5"],
            "--deletions-per-minute (or ESM_OPERATOR_DELETIONS_PER_MINUTE): must be a whole number, not `1.5`.",
        ),
        (
            ["run", "--lease-duration=5"],
            "--lease-duration (or ESM_OPERATOR_LEASE_DURATION): must be at least 10, not 5.",
        ),
        (["run", "--log-level=x"], "--log-level (or ESM_OPERATOR_LOG_LEVEL): must be debug, info, warning or error,"),
        (["run", "--lease-name=A"], "`A` is not the name of a Kubernetes object: use only lower-case letters, digits,"),
        (["run", "--cluster-name="], "--cluster-name (or ESM_OPERATOR_CLUSTER_NAME): must not be empty."),
        (["run", f"--identity={'x' * 254}"], "must have at most 253 characters."),
        (["validate"], "the following arguments are required: FILE. Run `esm-operator validate --help`"),
    ],
)
def test_a_mistake_is_reported_in_one_line(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.run(words)
    assert ended.value.code == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith("esm-operator: ")
    assert message in error
    assert error.count("\n") == 1


def test_each_setting_has_a_placeholder_without_python() -> None:
    for name in LOADERS:
        for field, info in settings_of(name).model_fields.items():
            assert re.fullmatch(r"\{[\w,-]+\}|[A-Z=:]+(,\.\.\.)?", flags.placeholder(field, info)), field


def test_an_unexpected_failure_is_printed_visibly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nasty = "\x1b[2J\r\u2028\nesm-operator: forged"

    def write(_: str) -> None:
        raise RuntimeError(nasty)

    monkeypatch.setattr(sys, "argv", ["esm-operator", "crds"])
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(write=write, flush=lambda: None))
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    lines = capsys.readouterr().err.split("\n")
    assert all(map(str.isprintable, lines))
    assert not [line for line in lines if line.startswith("esm-operator: forged")]
    assert lines[-2].startswith("esm-operator: The command failed unexpectedly: RuntimeError: ")
