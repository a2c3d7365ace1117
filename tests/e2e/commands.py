"""The commands that end by themselves, run as a user does."""

import os
import subprocess
import sys
from collections.abc import Mapping

from tests.bed import Bed
from tests.operator_process import ROOT
from tests.waiting import COMMAND_LIMIT


def run_command(
    bed: Bed, *arguments: str, environment: Mapping[str, str], input: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run ``esm-operator`` against the AWS of a scenario, in an environment that has nothing else.

    Args:
        bed: the scenario.
        arguments: the command, and its own.
        environment: variables in addition to those for AWS, or in their place.
        input: the standard input.
    """
    return subprocess.run(
        [sys.executable, "-m", "esm_operator", *arguments],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "operator"),
            "AWS_ENDPOINT_URL": bed.aws.endpoint,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": "eu-west-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            **environment,
        },
        input=input,
        capture_output=True,
        text=True,
        timeout=COMMAND_LIMIT,
        check=False,
    )
