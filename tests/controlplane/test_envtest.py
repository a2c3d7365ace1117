"""The programs of the control plane are downloaded from an archive server, and built if that is not possible."""

import hashlib
import io
import os
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from tests.controlplane import ControlPlaneError, assets, envtest
from tests.controlplane.binaries import BINARIES, KUBERNETES
from tests.controlplane.gomodule import pinned_version
from tests.waiting import LIMIT

PINNED = pinned_version(KUBERNETES)
MINOR = PINNED.rpartition(".")[0]
INDEX = "/envtest-releases.yaml"
PLATFORM = "linux-amd64"


@dataclass
class ArchiveServer:
    """Serves files over HTTP. `held` paths get no answer, `cut` paths only the first half of one."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    held: set[str] = field(default_factory=set[str])
    cut: set[str] = field(default_factory=set[str])
    requests: Counter[str] = field(default_factory=Counter[str])
    ended: threading.Event = field(default_factory=threading.Event)

    def offer(self, *versions: str, programs: dict[str, bytes] | None = None) -> None:
        """Put an archive for each version on the server, and an index of them."""
        releases: dict[str, dict[str, dict[str, str]]] = {}
        for version in versions:
            name = f"envtest-v{version}-{PLATFORM}.tar.gz"
            content = archive(programs or {f"controller-tools/envtest/{name}": version.encode() for name in BINARIES})
            self.files[f"/{name}"] = content
            releases[f"v{version}"] = {
                f"envtest-v{version}-darwin-arm64.tar.gz": {"hash": "0", "selfLink": f"{self.url}/darwin"},
                name: {"hash": hashlib.sha512(content).hexdigest(), "selfLink": f"{self.url}/{name}"},
            }
        self.files[INDEX] = yaml.safe_dump({"releases": releases}).encode()


def archive(programs: dict[str, bytes]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as tar:
        for name, content in programs.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return written.getvalue()


@pytest.fixture
def server() -> Generator[ArchiveServer]:
    """An archive server, with no archives yet."""
    made = ArchiveServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.requests[self.path] += 1
            if self.path in made.held:
                made.ended.wait()
            content = made.files.get(self.path)
            self.send_response(200 if content is not None else 404)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            content = content or b""
            self.wfile.write(content[: len(content) // 2] if self.path in made.cut else content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http_server:
        made.url = f"http://127.0.0.1:{http_server.server_port}"
        thread = threading.Thread(target=http_server.serve_forever)
        thread.start()
        try:
            yield made
        finally:
            made.ended.set()
            http_server.shutdown()
            thread.join()


@pytest.fixture
def cache(tmp_path: Path, server: ArchiveServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache on a Linux machine without Go, whose downloads come from the archive server."""
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("ESM_OPERATOR_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv(envtest.INDEX_VARIABLE, server.url + INDEX)
    monkeypatch.setattr(envtest.platform, "system", lambda: "Linux")
    monkeypatch.setattr(envtest.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(envtest, "PATIENCE", LIMIT)
    return tmp_path


def test_all_programs_come_from_one_archive(
    cache: Path, server: ArchiveServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.offer(f"{MINOR}.99", PINNED, "1.20.0")
    found = assets.find_all(list(BINARIES))
    assert [path.name for path in found] == list(BINARIES)
    for path in found:
        assert path.read_text() == PINNED
        assert os.access(path, os.X_OK)
    first = capsys.readouterr().err.splitlines()[0]
    assert first == (
        f"Downloading etcd, kube-apiserver and kubectl {PINNED}: 0 MB, about 1 s at 10 MB/s. This is done once."
    )
    assert assets.find_all(list(BINARIES)) == found
    assert server.requests.total() == 2, "the index and one archive, once"


def test_another_patch_release_is_good_enough(cache: Path, server: ArchiveServer) -> None:
    server.offer(f"{MINOR}.97", f"{MINOR}.98", f"{MINOR}.100", "1.20.0")
    assert assets.find("kubectl").read_text() == f"{MINOR}.100"
    assert assets.find("etcd").read_text() == f"{MINOR}.100"
    assert server.requests.total() == 2


def test_a_version_that_is_requested_is_exact(
    cache: Path, server: ArchiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.offer("1.32.13", "1.32.14")
    assert assets.find("kubectl", "1.32.13").read_text() == "1.32.13"
    with pytest.raises(envtest.DownloadError, match=r"no archive of Kubernetes 1\.32\.12 for linux-amd64"):
        envtest.download("1.32.12", exact=True, cache=cache)


def test_only_the_programs_are_unpacked(cache: Path, server: ArchiveServer) -> None:
    programs = {f"../../{name}": b"program" for name in BINARIES}
    server.offer(PINNED, programs={**programs, "../../evil": b"", "/etc/evil": b"", "kubectl/evil": b""})
    folder = assets.find("kubectl").parent
    assert sorted(path.name for path in folder.iterdir()) == sorted(BINARIES)
    assert sorted(path.name for path in cache.iterdir()) == ["build.lock", "envtest"]


def test_progress_has_a_total(
    cache: Path, server: ArchiveServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(envtest, "INTERVAL", 0.0)
    programs = {name: os.urandom(1_500_000) for name in BINARIES}
    server.offer(PINNED, programs=programs)
    assert assets.find("etcd").read_bytes() == programs["etcd"]
    first, *lines = capsys.readouterr().err.splitlines()
    assert ": 5 MB, about 1 s at 10 MB/s" in first
    assert lines[0].endswith(": 0 of 5 MB")
    assert lines[-1].endswith(": 5 of 5 MB")


def test_no_answer_within_the_patience(
    cache: Path, server: ArchiveServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert_built(capsys, f"{server.url}{INDEX} can't be read (Not Found)")
    server.offer(PINNED)
    for path in (INDEX, f"/envtest-v{PINNED}-{PLATFORM}.tar.gz"):
        server.held = {path}
        with monkeypatch.context() as patched:
            patched.setattr(envtest, "PATIENCE", 1.0)
            began = time.monotonic()
            # The index of the second case can take too long on a busy machine. The message is the same.
            assert_built(capsys, "did not answer within 1 s")
            assert time.monotonic() - began < LIMIT
    assert not envtest.installed(PINNED, exact=False, cache=cache / "envtest")


def test_the_patience_is_three_seconds() -> None:
    assert envtest.PATIENCE == 3.0


def test_an_archive_with_another_checksum_is_not_used(
    cache: Path, server: ArchiveServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.offer(PINNED)
    server.files[f"/envtest-v{PINNED}-{PLATFORM}.tar.gz"] += b"x"
    assert_built(capsys, "does not have the SHA-512 checksum of the index")
    assert list((cache / "envtest").iterdir()) == []


def test_an_archive_that_is_cut_off_is_not_used(
    cache: Path, server: ArchiveServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.offer(PINNED)
    server.cut = {f"/envtest-v{PINNED}-{PLATFORM}.tar.gz"}
    assert_built(capsys, f"the download of {server.url}/envtest-v{PINNED}-{PLATFORM}.tar.gz")
    assert list((cache / "envtest").iterdir()) == []


def test_an_archive_without_one_of_the_programs_is_not_used(
    cache: Path, server: ArchiveServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.offer(PINNED, programs={"etcd": b"", "kube-apiserver": b""})
    assert_built(capsys, "the archive has no kubectl")
    assert list((cache / "envtest").iterdir()) == []


@pytest.mark.parametrize("content", [b"<html>Log in</html>", b"", b"releases: []", b"releases: {v1.37.0: [x]}", b"{"])
def test_an_index_that_is_not_one(
    cache: Path, server: ArchiveServer, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    server.files[INDEX] = content
    assert_built(capsys, "is not an index of envtest archives")


def test_a_machine_that_has_no_archives(
    cache: Path, server: ArchiveServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.offer(PINNED)
    monkeypatch.setattr(envtest.platform, "machine", lambda: "riscv64")
    assert_built(capsys, f"envtest has no archive of Kubernetes {MINOR} for linux-riscv64")


def test_downloads_can_be_switched_off(
    cache: Path, server: ArchiveServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.offer(PINNED)
    monkeypatch.setenv(envtest.INDEX_VARIABLE, "")
    assert_built(capsys, "ENVTEST_INDEX_URL is empty")
    assert server.requests.total() == 0


def assert_built(capsys: pytest.CaptureFixture[str], reason: str) -> None:
    """The next way is a build, and the first line has the reason. There is no Go on this machine."""
    with pytest.raises(ControlPlaneError, match="A build needs Go"):
        assets.find_all(list(BINARIES))
    *_, first = (line for line in capsys.readouterr().err.splitlines() if line.startswith("Building "))
    assert first.startswith("Building etcd ")
    assert reason in first
    assert first.endswith(" This takes about 12 min on two cores, and is done once.")
