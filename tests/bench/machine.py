"""Where and with what the benchmark runs."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.bench.results import Machine
from tests.controlplane import assets


def this_machine() -> Machine:
    """As it is now."""
    packages = {name: version(name) for name in ("kopf", "boto3", "kubernetes", "esm-operator")}
    return Machine(
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        cores=len(os.sched_getaffinity(0)),
        processor=_processor(),
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9,
        versions={"Python": platform.python_version(), "Kubernetes": _kubernetes(), **packages},
    )


def _kubernetes() -> str:
    said = subprocess.run(
        [assets.find("kube-apiserver"), "--version"], capture_output=True, text=True, check=True
    ).stdout
    return said.strip().removeprefix("Kubernetes v")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
