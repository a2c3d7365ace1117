"""The command line: ``esm-operator run | crds | validate | orphans | export | iam-policy``."""

import asyncio
import os
import sys
from importlib import resources
from importlib.metadata import version
from typing import Any

from kubernetes.aio.config import ConfigException
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    CliApp,
    CliPositionalArg,
    CliSubCommand,
    PydanticBaseSettingsSource,
    get_subcommand,
)

from esm_operator import kopf_handlers, logs
from esm_operator.adapters import kubernetes_client
from esm_operator.cluster import lease
from esm_operator.commands import validate
from esm_operator.commands.export import Export
from esm_operator.commands.iam_policy import IamPolicy
from esm_operator.commands.orphans import Orphans
from esm_operator.metrics import probes
from esm_operator.settings import COMMAND_CONFIG, PREFIX, Settings, known_region, unknown_variables


class Run(Settings):
    """Run the operator until it is stopped."""

    def cli_cmd(self) -> None:
        logs.configure(self.log_format, self.log_level)
        try:
            known_region(self.default_region())
        except ValueError as error:
            sys.exit(f"esm-operator: AWS_REGION (or AWS_DEFAULT_REGION): {error}.")
        settings = self.model_copy(
            update={
                "region": self.default_region(),
                "identity": self.identity or lease.own_identity(),
                "lease_namespace": self.lease_namespace or lease.own_namespace(),
            }
        )
        try:
            asyncio.run(kubernetes_client.configuration())
        except ConfigException as error:
            sys.exit(f"esm-operator: There is no cluster to work in ({error}). Set KUBECONFIG, or run it in a pod.")
        try:
            probes.check(settings.probe_address)
        except OSError as error:
            reason = error.strerror or error
            sys.exit(f"esm-operator: --probe-address {settings.probe_address} can't be used: {reason}.")
        asyncio.run(kopf_handlers.run(settings))


class Crds(BaseModel):
    """Print the CustomResourceDefinitions, for kubectl apply -f -."""

    def cli_cmd(self) -> None:
        print(resources.files("esm_operator.api").joinpath("crds.yaml").read_text("utf-8"), end="")


class Validate(BaseModel):
    """Check manifests without a cluster: the rules of kubectl apply, and those that only the operator has."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    files: CliPositionalArg[list[str]] = Field(min_length=1)
    """YAML files, or - for standard input."""

    def cli_cmd(self) -> None:
        report = validate.check_files(self.files)
        for problem in report.problems:
            print(problem)
        skipped = f", {report.skipped} of other kinds skipped" if report.skipped else ""
        checked = f"{report.checked} resource{'' if report.checked == 1 else 's'} checked"
        problems = f"{len(report.problems)} problem{'' if len(report.problems) == 1 else 's'}"
        print(f"{checked}{skipped}, {problems}", file=sys.stderr)
        if report.problems:
            sys.exit(1)


class Root(BaseSettings):
    """Keeps AWS Lambda event source mappings as Kubernetes resources say."""

    model_config = COMMAND_CONFIG

    run: CliSubCommand[Run] = Field(description="run the operator until it is stopped")
    crds: CliSubCommand[Crds] = Field(description="print the CustomResourceDefinitions")
    validate_: CliSubCommand[Validate] = Field(alias="validate", description="check manifests without a cluster")
    orphans: CliSubCommand[Orphans] = Field(description="list mappings at AWS that no resource stands for")
    export: CliSubCommand[Export] = Field(description="print manifests of the mappings that exist at AWS")
    iam_policy: CliSubCommand[IamPolicy] = Field(
        alias="iam-policy", description="print the least IAM policy, or a trust policy, as JSON"
    )
    version: bool = False
    """Print the version and end."""

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *args: Any, **kwargs: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only flags. A variable such as VERSION in the environment is not about this program."""
        return (init_settings,)

    def cli_cmd(self) -> None:
        if self.version:
            print(f"esm-operator {version('esm-operator')}")
            return
        command = get_subcommand(self, is_required=False)
        if command is None:
            names = (field.alias or name for name, field in Root.model_fields.items() if name != "version")
            print(f"esm-operator: Name a command: {', '.join(names)}. --help tells what each does.", file=sys.stderr)
            sys.exit(2)
        if isinstance(command, BaseSettings):
            _check_environment(type(command))
        CliApp.run_subcommand(self)


def _check_environment(command: type[BaseSettings]) -> None:
    """End the process if a variable looks like a setting and is not one.

    A warning is not enough: without that setting an operator could work under another cluster's name, in all
    namespaces, or without the limit on deletions. Other commands know the settings of ``run`` too, because they are
    used in its pod.
    """
    problems = unknown_variables({*command.model_fields, *Settings.model_fields}, os.environ)
    for problem in problems:
        print(f"esm-operator: {problem}", file=sys.stderr)
    if problems:
        sys.exit(2)


def main() -> None:
    """The console script ``esm-operator``."""
    try:
        CliApp.run(Root)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except ValidationError as error:
        for problem in error.errors():
            place = [str(part) for part in problem["loc"]]
            flag = f"--{place[-1].replace('_', '-')}"
            if place[0] != "iam-policy":  # what it prints depends on nothing but its flags
                flag += f" (or {PREFIX}{place[-1].upper()})"
            text = problem["msg"].removeprefix("Value error, ")
            print(f"esm-operator: {flag}: {text}", file=sys.stderr)
        sys.exit(2)
