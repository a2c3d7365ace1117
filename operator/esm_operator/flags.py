"""The flags of a command: the parser, the help, and messages about wrong values.

pydantic-settings makes the parser from the settings class of the command. Its help shows Python types, and pydantic's
messages are for Python programmers. This module replaces both. The command line uses it for every command.
"""

import argparse
import difflib
import inspect
import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import Any, NoReturn

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, CliApp, CliSettingsSource

from esm_operator import terminal
from esm_operator.settings import PREFIX, FlagsOnly, Settings, unknown_variables

#: Placeholders for the values of flags. Other flags have their last word as the placeholder.
_PLACEHOLDERS = {
    "requests_per_second": "NUMBER",
    "kubernetes_requests_per_second": "NUMBER",
    "deletions_per_minute": "NUMBER",
    "targets_per_namespace": "NUMBER",
    "max_targets": "NUMBER",
    "max_mappings": "NUMBER",
    "sweep_interval": "SECONDS",
    "tag_sweep_interval": "SECONDS",
    "lease_duration": "SECONDS",
    "probe_address": "HOST:PORT",
    "metrics_address": "HOST:PORT",
    "default_tags": "KEY=VALUE,...",
    "tag": "KEY=VALUE,...",
    "without_tags": "PATTERN,...",
    "kms_keys": "ARN,...",
    "assume_roles": "ARN,...",
    "trusted_roles": "ARN,...",
    "service_account": "NAME",
}
#: Columns before the descriptions of flags.
_INDENT = 24
#: Messages about a value, by pydantic's type of the error.
_MESSAGES = {
    "float_parsing": "must be a number, not `{input}`",
    "finite_number": "must be a number, not `{input}`",
    "int_parsing": "must be a whole number, not `{input}`",
    "int_from_float": "must be a whole number, not `{input}`",
    "bool_parsing": "must be true or false, not `{input}`",
    "literal_error": "must be {expected}, not `{input}`",
    "greater_than": "must be greater than {gt:g}, not {input}",
    "greater_than_equal": "must be at least {ge:g}, not {input}",
    "less_than_equal": "must be at most {le:g}, not {input}",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
}


class _Parser(argparse.ArgumentParser):
    """A parser that reports a mistake in one line."""

    def error(self, message: str) -> NoReturn:
        end = "" if message.endswith("?") else "."
        self.exit(2, f"esm-operator: {message}{end} Run `{self.prog} --help` for the flags.\n")


def parser(command: type[BaseSettings], program: str) -> "CliSettingsSource[argparse.ArgumentParser]":
    """The parser of a command's flags, as a source of its settings.

    Args:
        command: the settings class. Its docstring is the description of the command.
        program: the words that run the command.
    """
    made = _Parser(
        program,
        usage=f"{program} [flags]",
        description=inspect.getdoc(command),
        epilog=_epilog(command),
        formatter_class=argparse.RawTextHelpFormatter,
        allow_abbrev=False,
        add_help=False,
    )
    flags = made.add_argument_group("flags")
    flags.add_argument("-h", "--help", action="help", help="Show this help.")

    def add_argument(_: Any, *names: str, **options: Any) -> None:
        name = options.get("dest", names[0])
        field = command.model_fields[name]
        if "dest" not in options:  # it is positional
            options["metavar"] = name.removesuffix("s").upper()
            made.usage = f"{program} [flags] {options['metavar']}..."
        elif "metavar" in options:
            options["metavar"] = placeholder(name, field)
        options["help"] = _wrapped(_meaning(field))
        flags.add_argument(*names, **options)

    return CliSettingsSource(command, root_parser=made, add_argument_method=add_argument)


def run(command: type[BaseSettings], program: str, words: Sequence[str]) -> None:
    """Run a command with the words that follow its name. Raises SystemExit."""
    source = parser(command, program)
    given, unknown = source.root_parser.parse_known_args(words)
    if unknown:
        near = difflib.get_close_matches(unknown[0].partition("=")[0], map(_flag, command.model_fields), n=1)
        hint = f". Did you mean {near[0]}?" if near else ""
        source.root_parser.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
    if _has_variables(command):
        _check_environment(command)
    try:
        CliApp.run(command, cli_args=given, cli_settings_source=source)
    except ValidationError as error:
        for detail in error.errors():
            terminal.say(f"{_problem(detail, command)}.")
        sys.exit(2)


def placeholder(name: str, field: FieldInfo) -> str:
    """The text that stands for the value of a flag in the help."""
    choices = [one for part in _parts(field.annotation) for one in (part, *_parts(part)) if isinstance(one, str)]
    if choices:
        return f"{{{','.join(choices)}}}"
    if name in _PLACEHOLDERS:
        return _PLACEHOLDERS[name]
    word = name.rpartition("_")[2].upper()
    return f"{word.removesuffix('S')},..." if _is_list(field) else word


def _meaning(field: FieldInfo) -> str:
    """The description of a flag, with its default."""
    text = " ".join((field.description or "").split())
    if "Default:" in text or field.is_required():
        return text
    default = field.get_default(call_default_factory=True)
    if not default:
        return text
    shown = "true" if default is True else f"{default:g}" if isinstance(default, float) else str(default)
    return f"{text} Default: {shown}."


def _epilog(command: type[BaseSettings]) -> str:
    fields = command.model_fields
    texts: list[str] = []
    if any(_is_list(field) and not field.is_required() for field in fields.values()):
        texts.append("Separate the items of a list by commas, or repeat the flag.")
    if _has_variables(command):
        name = next(iter(fields))
        texts.append(
            f"Each flag can also be set by an environment variable, such as {_flag(name)} by {PREFIX}{name.upper()}. A "
            "flag wins over its variable."
        )
    return textwrap.fill(" ".join(texts), _columns(), break_on_hyphens=False)


def _wrapped(text: str) -> str:
    """A text of the right column of the help."""
    return textwrap.fill(text, _columns() - _INDENT, break_on_hyphens=False).replace("%", "%%")


def _columns() -> int:
    return max(60, min(120, shutil.get_terminal_size().columns - 2))


def _parts(annotation: Any) -> tuple[Any, ...]:
    return getattr(annotation, "__args__", ())


def _is_list(field: FieldInfo) -> bool:
    return getattr(field.annotation, "__origin__", None) in (list, dict)


def _has_variables(command: type[BaseSettings]) -> bool:
    return not issubclass(command, FlagsOnly)


def _check_environment(command: type[BaseSettings]) -> None:
    """End the process if a variable has the prefix of settings and is not a setting.

    A warning is not enough. Without that setting, an operator could work under the name of another cluster, in all
    namespaces, or without the limit on deletions. Other commands accept the settings of ``run`` too, because they are
    also run in its pod.
    """
    problems = unknown_variables({*command.model_fields, *Settings.model_fields}, os.environ)
    for problem in problems:
        terminal.say(problem)
    if problems:
        sys.exit(2)


def _problem(detail: ErrorDetails, command: type[BaseSettings]) -> str:
    """The message about a wrong value."""
    name = str(detail["loc"][0])
    variable = f" (or {PREFIX}{name.upper()})" if _has_variables(command) else ""
    values = {**detail.get("ctx", {}), "input": detail["input"]}
    if "expected" in values:
        values["expected"] = str(values["expected"]).replace("'", "")
    text = _MESSAGES.get(detail["type"], "").format_map(values) or detail["msg"].removeprefix("Value error, ")
    return f"{_flag(name)}{variable}: {text}"


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
