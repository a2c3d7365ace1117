"""The certificate of the metrics is read again when its files have changed."""

import logging
import shutil
import ssl
from pathlib import Path

import pytest

from esm_operator.metrics import tls_files
from esm_operator.metrics.tls_files import TlsFiles
from tests.unit.slow_connections import certificate


@pytest.fixture(autouse=True)
def _at_each_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_files, "INTERVAL", 0.0)


def made(folder: Path) -> TlsFiles:
    certificate(folder)
    return TlsFiles(str(folder / "ca.pem"), str(folder / "key.pem"))


def test_unchanged_files_are_read_once(tmp_path: Path) -> None:
    files = made(tmp_path)
    assert files.context() is files.context()


def test_changed_files_are_read_again(tmp_path: Path) -> None:
    files = made(tmp_path)
    old = files.context()
    certificate(tmp_path)
    assert files.context() is not old


@pytest.mark.parametrize("broken", ["missing", "no certificate", "the key of another certificate"])
def test_files_that_cannot_be_used_leave_the_old_certificate(
    tmp_path: Path, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    files = made(tmp_path)
    old, file = files.context(), tmp_path / "ca.pem"
    if broken == "missing":
        file.unlink()
    elif broken == "no certificate":
        file.write_text("no certificate")
    else:
        other = tmp_path / "other"
        other.mkdir()
        certificate(other)
        shutil.copy(other / "ca.pem", file)
    with caplog.at_level(logging.WARNING):
        assert [files.context() for _ in range(5)] == [old] * 5
    assert len(caplog.records) == 1
    assert "continues with the old one" in caplog.text
    certificate(tmp_path)
    assert files.context() is not old


def test_files_that_cannot_be_used_at_the_start_are_an_error(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with pytest.raises(OSError, match="No such file"):
        TlsFiles(str(file), str(file))
    file.write_text("no certificate")
    with pytest.raises(ssl.SSLError):
        TlsFiles(str(file), str(file))
