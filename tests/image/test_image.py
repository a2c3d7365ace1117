"""The built image: its labels, the programs that it must not have, and its operator.

``.ci/image`` builds it on a base of Debian packages, which needs root, buildah and debootstrap. The tests are skipped
without them. The operator runs in the files of the image, as another user than that of the image, without the right to
write.
"""

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.bed import Bed
from tests.e2e.manifests import queue
from tests.operator_process import ROOT, base_environment, free_port
from tests.waiting import eventually

STORAGE = Path.home() / ".cache" / "esm-operator" / "images"
BUILDAH = ("buildah", "--root", str(STORAGE), "--runroot", str(STORAGE / "run"))
IMAGE = "esm-operator:test"
CHROOT = (shutil.which("chroot") or "/usr/sbin/chroot",)
#: A user id of a cluster in which each namespace has its own user ids.
SOMEBODY = 1_000_650_000
COMPILERS = ("cc", "gcc", "g++", "clang", "ld", "as", "make")
INSTALLERS = ("pip", "pip3", "uv", "conda")

pytestmark = pytest.mark.long


def buildah(*arguments: str) -> str:
    return subprocess.run([*BUILDAH, *arguments], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def image() -> str:
    """The name of the image, built from the checkout."""
    lacking = [one for one in ("buildah", "debootstrap") if shutil.which(one) is None]
    if lacking or os.geteuid() != 0:
        pytest.skip(f"The image is not built here: {' and '.join(lacking) or 'root'} is needed.")
    environment = {**os.environ, "BASE": "debootstrap", "IMAGE": IMAGE, "STORAGE": str(STORAGE)}
    STORAGE.parent.mkdir(parents=True, exist_ok=True)
    with STORAGE.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the next worker finds all layers in the cache
        done = subprocess.run([ROOT / ".ci" / "image"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-5000:]
    return IMAGE


@pytest.fixture(scope="module")
def config(image: str) -> dict[str, Any]:
    """The OCI configuration and history of the image."""
    return json.loads(buildah("inspect", "--type", "image", image))["OCIv1"]


@pytest.fixture(scope="module")
def root(image: str) -> Generator[Path]:
    """The image's files."""
    container = buildah("from", "--pull=false", image)
    try:
        yield Path(buildah("mount", container))
    finally:
        buildah("rm", container)


def inside(root: Path, *command: str) -> list[str]:
    """Run a command of the operator in the files of the image."""
    return [*CHROOT, f"--userspec={SOMEBODY}:0", str(root), "/opt/esm-operator/bin/esm-operator", *command]


def environment_of(config: dict[str, Any]) -> dict[str, str]:
    """The variables that the image sets."""
    return dict(one.split("=", 1) for one in config["config"]["Env"])


def test_the_dockerfile_is_clean() -> None:
    subprocess.run([ROOT / ".venv" / "bin" / "hadolint", ROOT / "Dockerfile"], check=True)


def test_the_image_starts_the_operator_as_another_user(config: dict[str, Any]) -> None:
    assert config["config"]["User"] == "65532:65532"
    assert config["config"]["Entrypoint"] == ["esm-operator"]
    assert config["config"]["Cmd"] == ["run"]
    assert list(config["config"]["ExposedPorts"]) == ["8080/tcp", "8081/tcp"]


def test_the_image_has_labels(config: dict[str, Any], root: Path) -> None:
    labels = config["config"]["Labels"]
    version = labels["org.opencontainers.image.version"]
    assert f'version = "{version}"' in (ROOT / "pyproject.toml").read_text()
    command, environment = inside(root, "--version"), environment_of(config)
    said = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True).stdout
    assert said == f"esm-operator {version}\n"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert labels["org.opencontainers.image.revision"]
    assert labels["org.opencontainers.image.base.name"].startswith("localhost/esm-operator-base:")
    assert (root / "usr/share/licenses/esm-operator/LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def test_the_image_has_no_compiler_and_no_package_installer(root: Path) -> None:
    commands = {
        file.name for folder in ("usr/bin", "usr/local/bin", "opt/esm-operator/bin") for file in _in(root / folder)
    }
    assert not commands & {*COMPILERS, *INSTALLERS}
    packages = {file.name for file in _in(next((root / "opt/esm-operator/lib").glob("python3*/site-packages")))}
    assert "esm_operator" in packages
    assert not packages & {"pip", "setuptools", "wheel", "pytest", "moto"}


def test_the_image_does_not_show_the_origin_of_packages(config: dict[str, Any], root: Path) -> None:
    told = json.dumps(config).lower()
    assert not [word for word in ("pip_", "index-url", "index_url", "password", "token", "secret") if word in told]
    assert not [one for one in ("etc/pip.conf", "run/ca.crt", "run/secrets") if _holds_anything(root / one)]


def test_the_operator_works_as_any_user_without_the_right_to_write(
    bed: Bed, config: dict[str, Any], root: Path, operator_kubeconfig: Path, tmp_path: Path
) -> None:
    bed.compares_log = False  # this operator is not the bed's
    kubeconfig = root / "tmp" / "kubeconfig"
    port = free_port()
    log = tmp_path / "image.log"
    before = _writable(root)
    kubeconfig.write_bytes(operator_kubeconfig.read_bytes())
    kubeconfig.chmod(0o644)
    environment = {**base_environment(Path("/tmp/kubeconfig"), bed.aws.endpoint), **environment_of(config)}
    command = inside(root, "run", f"--probe-address=127.0.0.1:{port}", "--metrics-address=")
    with log.open("w") as file:
        process = subprocess.Popen(command, env=environment, stderr=file)
    try:
        bed.apply(queue("orders"))
        bed.wait_ready("orders")
        bed.delete("orders")
        bed.wait_gone("orders")
        eventually(lambda: not bed.mappings(), what="no mapping is left in AWS")
    except BaseException:
        print(log.read_text())
        raise
    finally:
        process.terminate()
        process.wait(30)
        kubeconfig.unlink()
    assert _writable(root) == before
    assert "Traceback" not in log.read_text()


def _in(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _holds_anything(path: Path) -> bool:
    return bool(_in(path)) if path.is_dir() else path.is_file() and path.stat().st_size > 0


def _writable(root: Path) -> set[str]:
    """The files of the operator's user."""
    return {str(file) for file in (root / "tmp").rglob("*") if file.lstat().st_uid == SOMEBODY}
