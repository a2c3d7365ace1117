"""kopf against a real API server: what is listed and what returns is taken before it, the rest is told to a handler."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import kopf
import pytest

from esm_operator.adapters.kopf_credentials import KopfCredentials
from esm_operator.adapters.kopf_intake import KopfIntake
from tests.e2e.bed import Bed, eventually
from tests.e2e.manifests import queue


class Heard:
    """What was taken, and what a handler was told of."""

    def __init__(self) -> None:
        self.listed: list[str] = []
        self.told: list[tuple[str | None, str]] = []
        self.known: set[str] = set()
        """The names whose versions count as known."""
        self.returned: list[str] = []

    def take_listed(self, body: Mapping[str, Any]) -> None:
        self.listed.append(str(body["metadata"]["name"]))

    def take_returned(self, body: Mapping[str, Any]) -> bool:
        name = str(body["metadata"]["name"])
        if name in self.known:
            self.returned.append(name)
        return name in self.known

    def registry(self) -> kopf.OperatorRegistry:
        """As the operator's, with a handler that notes."""
        handlers = kopf.OperatorRegistry()
        logins = KopfCredentials((), KopfIntake(self.take_listed, self.take_returned).response_class())

        @kopf.on.login(registry=handlers)
        async def login(**arguments: Any) -> kopf.AiohttpSession | None:
            return await logins.login(**arguments)

        @kopf.on.event("lambda.esm-operator.io", "v1", "eventsourcemappings", registry=handlers)
        async def mapping(event: kopf.RawEvent, **_: Any) -> None:
            self.told.append((event["type"], event["object"].get("metadata", {}).get("name", "")))

        @kopf.on.startup(registry=handlers)
        async def start(settings: kopf.OperatorSettings, **_: Any) -> None:
            settings.posting.enabled = False
            settings.scanning.disabled = True
            settings.watching.chunk_size = 2

        return handlers


def test_a_handler_hears_of_what_others_changed(
    bed: Bed, operator_kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("kubernetes.config", "kubernetes.aio.config"):
        monkeypatch.setattr(f"{package}.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(operator_kubeconfig))
    names = [f"orders-{number}" for number in range(5)]
    bed.apply(*(queue(name) for name in names))
    heard, stop = Heard(), threading.Event()

    def run() -> None:
        kopf.run(registry=heard.registry(), standalone=True, namespaces=[bed.namespace], stop_flag=stop)

    runs = threading.Thread(target=run, name="kopf")
    runs.start()
    try:
        eventually(lambda: sorted(heard.listed) == names, what="the list is taken, in three chunks")
        bed.apply(queue("later"))
        eventually(lambda: heard.told == [("ADDED", "later")], what="a handler is told of what is new")
        heard.known = {"orders-0"}
        bed.kubectl("annotate", "esm", "orders-0", "example.com/seen=1")
        bed.kubectl("annotate", "esm", "orders-1", "example.com/seen=1")
        eventually(lambda: heard.told[1:] == [("MODIFIED", "orders-1")], what="and of what was changed")
        assert heard.returned == ["orders-0"]
        bed.delete("orders-0")
        eventually(lambda: heard.told[2:] == [("DELETED", "orders-0")], what="and that something is gone, always")
    finally:
        stop.set()
        runs.join()
