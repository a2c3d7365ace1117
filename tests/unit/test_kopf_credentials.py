"""Logins: refused credentials are not tried forever, and a login does not block the event loop."""

import logging
from pathlib import Path

import kopf
import pytest

from esm_operator.adapters import kopf_credentials

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: here
contexts: [{name: here, context: {cluster: here, user: me}}]
clusters: [{name: here, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: me, user: {token: TOKEN}}]
"""


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "config"
    file.write_text(KUBECONFIG)
    for package in ("kubernetes.config", "kubernetes.aio.config"):
        monkeypatch.setattr(f"{package}.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(file))
    monkeypatch.setattr(kopf_credentials, "_LONGEST", 0.01)
    return file


def write(kubeconfig: Path, token: str) -> None:
    kubeconfig.write_text(KUBECONFIG.replace("TOKEN", token))


async def login(made: kopf_credentials.KopfCredentials) -> str:
    """One login. Returns its authorization header."""
    session = await made.login(logger=logging.getLogger("test"), settings=kopf.OperatorSettings())
    assert session is not None
    await session.aiohttp_session.close()
    return session.aiohttp_session.headers["Authorization"]


async def test_refused_credentials_are_not_tried_forever(kubeconfig: Path) -> None:
    made = kopf_credentials.KopfCredentials()
    for _ in range(5):
        assert await login(made) == "Bearer TOKEN"
    with pytest.raises(kopf.LoginError, match="refuses the operator's credentials"):
        await login(made)


async def test_new_credentials_reset_the_limit(kubeconfig: Path) -> None:
    made = kopf_credentials.KopfCredentials()
    for number in range(12):
        write(kubeconfig, f"token-{number // 4}")
        await login(made)
