"""Downloads etcd, kube-apiserver and kubectl in one archive. Go needs minutes to build them.

The archives are those of envtest, the test environment of controller-runtime. An index in YAML lists one archive for
each Kubernetes version and platform, with its URL and its SHA-512 checksum::

    releases:
      v1.37.0:
        envtest-v1.37.0-linux-amd64.tar.gz:
          hash: 0ee5...
          selfLink: https://...
"""

import hashlib
import http.client
import os
import platform
import re
import shutil
import tarfile
import tempfile
import threading
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import yaml

from tests.controlplane.binaries import BINARIES
from tests.controlplane.progress import Progress

Answer = TypeVar("Answer")

INDEX_URL = "https://raw.githubusercontent.com/kubernetes-sigs/controller-tools/HEAD/envtest-releases.yaml"
#: The variable that names another index; empty: nothing is downloaded.
INDEX_VARIABLE = "ENVTEST_INDEX_URL"
#: Seconds to wait for the index, and for the beginning of an archive.
PATIENCE = 3.0
#: Seconds without a byte of an archive after which a download has failed.
STALL_LIMIT = 15.0
#: Seconds between two lines of progress.
INTERVAL = 5.0
#: Bytes a second that the announced duration assumes.
_ASSUMED_SPEED = 10e6
_CHUNK = 1 << 18
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)")


class DownloadError(Exception):
    """The programs can't be downloaded. The message is the reason, as the end of a sentence."""


@dataclass(frozen=True)
class Archive:
    version: str
    """Of Kubernetes, such as ``1.37.0``."""
    url: str
    sha512: str


def installed(version: str, *, exact: bool, cache: Path) -> Path | None:
    """The folder of programs that were downloaded before; None: there is none.

    Args:
        version: of Kubernetes, such as ``1.37.2``.
        exact: whether another patch release is not good enough.
        cache: the folder of all downloads.
    """
    found = [folder.name for folder in cache.glob("*") if all((folder / name).exists() for name in BINARIES)]
    best = _best(found, version, exact=exact)
    return cache / best if best else None


def download(version: str, *, exact: bool, cache: Path) -> Path:
    """Download the programs and verify their checksum. Returns their folder, which is complete.

    Raises:
        DownloadError: there is no archive for this machine, or the download failed.
    """
    archive = _find_archive(version, exact=exact)
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as temporary:
        file, unpacked = Path(temporary) / "archive.tar.gz", Path(temporary) / "programs"
        _fetch(archive, file)
        _unpack(file, unpacked)
        shutil.rmtree(cache / archive.version, ignore_errors=True)  # it would not be complete
        unpacked.rename(cache / archive.version)
    return cache / archive.version


def _find_archive(version: str, *, exact: bool) -> Archive:
    url = os.environ.get(INDEX_VARIABLE, INDEX_URL)
    if not url:
        raise DownloadError(f"{INDEX_VARIABLE} is empty")
    try:
        releases: Mapping[str, Mapping[str, Mapping[str, Any]]] = yaml.safe_load(_soon(url, _read))["releases"]
        machine = platform.machine().lower()
        suffix = f"-{platform.system().lower()}-{_MACHINES.get(machine, machine)}.tar.gz"
        archives = {
            name.removeprefix("v"): Archive(name.removeprefix("v"), str(one["selfLink"]), str(one["hash"]).lower())
            for name, release in releases.items()
            for file, one in release.items()
            if file.endswith(suffix)
        }
    except (yaml.YAMLError, KeyError, TypeError, AttributeError):
        raise DownloadError(f"{url} is not an index of envtest archives") from None
    best = _best(archives, version, exact=exact)
    if best is None:
        wanted = version if exact else version.rpartition(".")[0]
        raise DownloadError(f"envtest has no archive of Kubernetes {wanted} for {suffix[1:].partition('.')[0]}")
    return archives[best]


def _best(versions: Mapping[str, object] | list[str], version: str, *, exact: bool) -> str | None:
    """Of the versions, the wanted one, or else the newest patch release of the same minor release."""
    if version in versions or exact:
        return version if version in versions else None
    minor = version.rpartition(".")[0]
    patches = [one for one in versions if _VERSION.fullmatch(f"v{one}") and one.rpartition(".")[0] == minor]
    return max(patches, key=lambda one: int(one.rpartition(".")[2]), default=None)


def _fetch(archive: Archive, file: Path) -> None:
    """Write an archive to a file, and compare its checksum."""
    response = _soon(archive.url, lambda response: response)
    digest = hashlib.sha512()
    with response, file.open("wb") as written:
        size = int(response.headers.get("Content-Length") or 0)
        length = f": {_megabytes(size)} MB, about {max(1, round(size / _ASSUMED_SPEED))} s at 10 MB/s" if size else ""
        programs = f"{', '.join(list(BINARIES)[:-1])} and {list(BINARIES)[-1]}"
        progress = Progress(f"Downloading {programs} {archive.version}{length}. This is done once.", INTERVAL)
        try:
            while chunk := response.read(_CHUNK):
                digest.update(chunk)
                written.write(chunk)
                total = f" of {_megabytes(size)}" if size else ""
                progress.tick(f"{_megabytes(written.tell())}{total} MB")
            if size and written.tell() != size:
                raise DownloadError(f"the download of {archive.url} ended after {written.tell()} of {size} bytes")
        except (OSError, http.client.HTTPException) as error:
            raise DownloadError(f"the download of {archive.url} was interrupted ({error})") from error
    if digest.hexdigest() != archive.sha512:
        raise DownloadError(f"{archive.url} does not have the SHA-512 checksum of the index")


def _unpack(file: Path, folder: Path) -> None:
    """Write the programs of an archive to a folder, and nothing else of it."""
    folder.mkdir()
    try:
        with tarfile.open(file) as archive:
            for member in archive:
                name = Path(member.name).name
                if member.isfile() and name in BINARIES and (content := archive.extractfile(member)):
                    with content, (folder / name).open("wb") as program:
                        shutil.copyfileobj(content, program)
                    (folder / name).chmod(0o755)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise DownloadError(f"the archive can't be unpacked ({error})") from error
    missing = [name for name in BINARIES if not (folder / name).exists()]
    if missing:
        raise DownloadError(f"the archive has no {' and no '.join(missing)}")


def _read(response: Any) -> bytes:
    with response:
        return response.read()


def _soon(url: str, use: Callable[[Any], Answer]) -> Answer:
    """What a function makes of the response, if all of it takes no longer than PATIENCE.

    A thread does it, because name resolution can't be interrupted and can take much longer.
    """
    answers: list[Answer] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            answers.append(use(urllib.request.urlopen(url, timeout=STALL_LIMIT)))
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=run, name=f"GET {url}", daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if answers:
        return answers[0]
    if errors:
        raise DownloadError(f"{url} can't be read ({getattr(errors[0], 'reason', errors[0])})")
    raise DownloadError(f"{urlsplit(url).netloc} did not answer within {PATIENCE:.0f} s")


def _megabytes(size: int) -> int:
    return round(size / 1e6)
