"""What the operator relies on in kopf. Each test is a row of operator/esm_operator/adapters/README.md."""

import asyncio
import base64
import getpass
import logging
import signal
from collections.abc import Generator
from pathlib import Path

import kopf
import pytest

from esm_operator.adapters import aiohttp_hooks, kopf_settings
from esm_operator.api.resource import FINALIZER
from esm_operator.cluster import preflight
from tests.contracts.api_server import CONFIGS, MAPPINGS, ApiServer, event, named
from tests.contracts.kopf_run import BOTH, Handlers, end, failure, running, spawn
from tests.unit.slow_connections import certificate
from tests.waiting import eventually_async

NAMESPACED = MAPPINGS.replace("/eventsource", "/namespaces/shop/eventsource")


@pytest.fixture
def server() -> Generator[ApiServer]:
    with ApiServer() as made:
        yield made


# Sessions and logins


async def test_kopf_sends_all_requests_with_the_session_of_the_login_handler(server: ApiServer) -> None:
    handlers = Handlers(server, headers={"X-Session": "ours"})
    async with running(server, handlers):
        assert {request.path for request in server.requests} >= {"/api", "/apis", MAPPINGS}
        assert {request.headers.get("x-session") for request in server.requests} == {"ours"}
    assert handlers.sessions[0].closed, "kopf closes it at its end"


async def test_kopf_logs_in_again_however_often_a_session_is_refused(server: ApiServer) -> None:
    server.refusals[MAPPINGS] = [401] * 6
    handlers = Handlers(server)
    async with running(server, handlers):
        assert [session.closed for session in handlers.sessions] == [True] * 6 + [False]


async def test_kopf_calls_a_login_handler_that_failed_again_after_the_default_backoff(server: ApiServer) -> None:
    def configure(settings: kopf.OperatorSettings) -> None:
        settings.execution.default_backoff = 0.01

    handlers = Handlers(server, configure=configure)
    handlers.failing_logins = 3
    async with running(server, handlers):
        assert handlers.happened == ["start", *["login"] * 4]


_KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: here
contexts: [{{name: here, context: {{cluster: here, user: me}}}}]
clusters: [{{name: here, cluster: {{server: "https://localhost:1", certificate-authority-data: {ca},
  proxy-url: "http://proxy.test:3128"}}}}]
users: [{{name: me, user: {{token: {token}}}}}]
"""


def test_kopf_reads_the_same_credentials_as_equal_ones_and_no_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate(tmp_path)
    ca = base64.b64encode((tmp_path / "ca.pem").read_bytes()).decode()
    file = tmp_path / "config"
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(file))

    def read(token: str) -> kopf.ConnectionInfo:
        file.write_text(_KUBECONFIG.format(ca=ca, token=token))
        info = kopf.login_via_client(logger=logging.getLogger("test"), settings=kopf.OperatorSettings())
        assert info is not None
        return info

    info = read("one")
    assert info == read("one") != read("two")
    assert (info.server, info.proxy_url, info.trust_env) == ("https://localhost:1", None, False)
    assert info.as_http_headers() == {"Authorization": "Bearer one"}
    assert len(info.as_ssl_context().get_ca_certs()) == 1


# Lists


async def test_kopf_lists_and_watches_at_the_paths_that_the_preflight_checks(server: ApiServer) -> None:
    for namespaces, path in (([], MAPPINGS), (["shop"], NAMESPACED)):
        server.requests.clear()
        paths = list(preflight.watched_kinds(namespaces, labels=False))
        assert paths == [path, CONFIGS]
        handlers = Handlers(server, plurals=("eventsourcemappings", "providerconfigs"))
        async with running(server, handlers, namespaces=namespaces, watched=paths):
            found = {one.path for one in server.requests if one.path.endswith(("mappings", "configs"))}
            assert found == set(paths)
        server.cut(path)
        server.cut(CONFIGS)


async def test_kopf_lists_again_with_smaller_chunks_after_an_answer_that_was_too_large(server: ApiServer) -> None:
    chunk_size, large = kopf_settings.ChunkSize(), "x" * 9_000
    server.chunks[MAPPINGS] = [[named("large") | {"spec": large}]]

    def too_large(reason: str) -> None:
        server.chunks.clear()
        chunk_size.halve(reason)

    def configure(settings: kopf.OperatorSettings) -> None:
        chunk_size.apply_to(settings)
        settings.watching.reconnect_backoff = 0.01

    responses = aiohttp_hooks.limited_response(8_000, 2_000, too_large)
    handlers = Handlers(server, configure=configure, response_class=responses)
    async with running(server, handlers):
        await eventually_async(lambda: len(server.watches()) == 1)
        assert [one.query["limit"] for one in server.lists()] == ["500", "250"]
        server.send(event("ADDED", named("large") | {"spec": large}))
        await eventually_async(lambda: len(server.watches()) == 2)
        server.send(event("ADDED", named("small")))
        await eventually_async(lambda: handlers.told == [("ADDED", "small")])


async def test_kopf_does_not_watch_a_kind_that_is_not_served(server: ApiServer) -> None:
    server.unserved.add("providerconfigs")
    handlers = Handlers(server, plurals=("eventsourcemappings", "providerconfigs"))
    async with running(server, handlers) as tasks:
        await asyncio.sleep(0.1)
        assert not server.lists(CONFIGS)
        assert not any(task.done() for task in tasks)


async def test_kopf_fails_when_a_list_is_forbidden(server: ApiServer) -> None:
    def configure(settings: kopf.OperatorSettings) -> None:
        settings.networking.error_backoffs = [0]

    server.refusals[MAPPINGS] = [403] * 9
    async with running(server, Handlers(server, configure=configure)) as tasks:
        assert "Refused." in str(failure(tasks))
        assert len(server.lists()) == 2, "a second attempt was made"


# Watches


async def test_kopf_continues_a_cut_watch_after_the_last_line_that_it_has_read(server: ApiServer) -> None:
    server.chunks[MAPPINGS] = [[named("a")]]
    handlers = Handlers(server)
    async with running(server, handlers):
        assert server.watches()[0].query["allowWatchBookmarks"] == "true"
        server.send(event("ADDED", named("b", "105")), event("BOOKMARK", {"metadata": {"resourceVersion": "109"}}))
        await eventually_async(lambda: len(handlers.told) == 2)
        server.cut()
        await eventually_async(server.is_watched)
        assert [one.query["resourceVersion"] for one in server.watches()] == ["100", "109"]
        assert len(server.lists()) == 1, "nothing is listed again"


async def test_kopf_lists_again_what_has_expired_and_does_not_report_what_is_gone(server: ApiServer) -> None:
    server.chunks[MAPPINGS] = [[named("gone"), named("stays")]]
    handlers = Handlers(server)
    async with running(server, handlers):
        await eventually_async(lambda: len(handlers.told) == 2)
        server.chunks[MAPPINGS] = [[named("stays")]]
        handlers.told.clear()
        server.send(event("ERROR", {"kind": "Status", "code": 410}))
        await eventually_async(lambda: len(server.watches()) == 2 and len(handlers.told) > 0)
        assert handlers.told == [(None, "stays")]


async def test_a_failed_watch_ends_a_root_task_of_kopf(server: ApiServer) -> None:
    async with running(server, Handlers(server)) as tasks:
        server.send(event("ERROR", {"kind": "Status", "code": 500, "message": "Down."}))
        await eventually_async(lambda: any(task.done() for task in tasks))
        assert "Down." in str(failure(tasks))


async def test_kopf_closes_its_session_while_it_still_watches_another_kind_when_a_watch_has_failed(
    server: ApiServer,
) -> None:
    """It takes 5 s at least to end after that, and sometimes never ends."""
    handlers = Handlers(server, plurals=("eventsourcemappings", "providerconfigs"))
    async with running(server, handlers, watched=BOTH):
        server.send(event("ERROR", {"kind": "Status", "code": 500}))
        await eventually_async(lambda: handlers.sessions[0].closed)
        watching = {one for one in asyncio.all_tasks() if one.get_name().startswith("watcher for providerconfigs")}
        await asyncio.sleep(0.1)
        assert [one.cancelling() for one in watching if not one.done()] == [0]
        assert handlers.happened[-1] == "clean up"


# Handlers


async def test_kopf_hands_over_each_event_of_an_object_in_order(server: ApiServer) -> None:
    server.chunks[MAPPINGS] = [[named("a")]]
    handlers = Handlers(server)
    async with running(server, handlers):
        kinds = ["MODIFIED", "MODIFIED", "DELETED", "ADDED", "MODIFIED"]
        server.send(*(event(kind, named("a", str(version))) for version, kind in enumerate(kinds, 101)))
        await eventually_async(lambda: len(handlers.told) == 6)
        assert handlers.told == [(kind, "a") for kind in (None, *kinds)]


async def test_kopf_drops_an_event_whose_handler_raises(server: ApiServer) -> None:
    handlers = Handlers(server)
    handlers.failing_events = 1
    async with running(server, handlers) as tasks:
        server.send(event("ADDED", named("a")), event("MODIFIED", named("a", "2")))
        await eventually_async(lambda: len(handlers.told) == 2)
        await asyncio.sleep(0.1)
        assert handlers.told == [("ADDED", "a"), ("MODIFIED", "a")]
        assert {request.method for request in server.requests} == {"GET"}
        assert not any(task.done() for task in tasks)


async def test_kopf_writes_nothing_where_it_has_only_event_handlers(server: ApiServer) -> None:
    """The storages of the operator's settings have all the methods that kopf calls."""
    finalizers = [FINALIZER, "kopf.zalando.org/KopfFinalizerMarker", "example.com/other"]
    objects = [
        named("plain"),
        named("held", finalizers=finalizers, annotations={"kopf.zalando.org/last-handled-configuration": "{}"}),
        named("leaving", finalizers=finalizers, deletionTimestamp="2026-01-01T00:00:00Z"),
    ]
    server.chunks[MAPPINGS] = [objects]
    handlers = Handlers(server, configure=kopf_settings.configure)
    async with running(server, handlers):
        server.send(*(event("MODIFIED", one) for one in objects), *(event("DELETED", one) for one in objects))
        await eventually_async(lambda: len(handlers.told) == 9)
        await asyncio.sleep(0.1)
        assert {request.method for request in server.requests} == {"GET"}


async def test_kopf_removes_the_finalizer_of_its_settings(server: ApiServer) -> None:
    def configure(settings: kopf.OperatorSettings) -> None:
        settings.persistence.finalizer = FINALIZER

    server.chunks[MAPPINGS] = [[named("held", finalizers=[FINALIZER])]]
    async with running(server, Handlers(server, configure=configure)):
        await eventually_async(lambda: any(request.method == "PATCH" for request in server.requests))


async def test_kopf_works_on_the_next_object_when_a_worker_was_idle_for_the_idle_timeout(server: ApiServer) -> None:
    def configure(settings: kopf.OperatorSettings) -> None:
        settings.queueing.worker_limit = 1
        settings.queueing.idle_timeout = 0.005  # by default 5 s, and 100 s for all of them

    server.chunks[MAPPINGS] = [[named(f"orders-{number}") for number in range(20)]]
    handlers = Handlers(server, configure=configure)
    async with running(server, handlers):
        await eventually_async(lambda: len(handlers.told) == 20)


# Start and end


async def test_kopf_obeys_the_settings_of_the_start_up_handler_from_its_first_request(server: ApiServer) -> None:
    handlers = Handlers(server, configure=lambda settings: kopf_settings.configure(settings, selector="team=shop"))
    async with running(server, handlers):
        assert server.lists()[0].query == {"limit": "500", "labelSelector": "team=shop"}
        assert server.watches()[0].query["labelSelector"] == "team=shop"
    assert handlers.happened[:2] == ["start", "login"]


async def test_kopf_watches_only_the_kinds_of_the_handlers_when_scanning_is_off(server: ApiServer) -> None:
    async with running(server, Handlers(server), namespaces=["shop"], watched=[NAMESPACED]):
        await asyncio.sleep(0.1)
        objects = {request.path for request in server.requests if len(request.path.split("/")) > 4}
        assert objects == {NAMESPACED}


async def test_kopf_sets_its_signal_handlers_in_spawn_tasks_and_not_later(server: ApiServer) -> None:
    loop, taken = asyncio.get_running_loop(), list[int]()
    numbers = (signal.SIGTERM, signal.SIGINT)
    handlers, stop, before = Handlers(server), asyncio.Event(), asyncio.all_tasks()
    tasks = await spawn(handlers, stop)
    assert all(loop.remove_signal_handler(number) for number in numbers), "else nothing need be replaced"
    for number in numbers:
        loop.add_signal_handler(number, taken.append, number)
    ending = asyncio.create_task(kopf.run_tasks(tasks, ignored=before))
    try:
        await eventually_async(server.is_watched)
        for number in numbers:
            signal.raise_signal(number)
        await eventually_async(lambda: taken == list(numbers))
        await asyncio.sleep(0.1)
        assert not any(task.done() for task in tasks)
    finally:
        stop.set()
        await end(ending, *tasks)
        for session in handlers.sessions:
            await session.close()
        for number in numbers:
            loop.remove_signal_handler(number)


async def test_the_stop_flag_ends_kopf_and_the_clean_up_handler_is_called_last(server: ApiServer) -> None:
    handlers, stop = Handlers(server), asyncio.Event()
    tasks = await spawn(handlers, stop)
    await eventually_async(server.is_watched)
    stop.set()
    ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    assert all(task.exception() is None for task in ended)
    current = asyncio.current_task()
    await asyncio.wait_for(kopf.run_tasks(tasks, ignored={current} if current else set()), 30)
    assert handlers.happened == ["start", "login", "clean up"]
    assert handlers.sessions[0].closed


async def test_kopf_asks_for_no_user_name_if_it_has_an_identity(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def getuser() -> str:
        raise OSError("No username set in the environment")

    monkeypatch.setattr(getpass, "getuser", getuser)
    async with running(server, Handlers(server)):
        assert server.is_watched()


async def test_kopf_logs_failures_below_its_own_name_with_the_exception(
    server: ApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(server, Handlers(server)) as tasks:
        server.send(event("ERROR", {"kind": "Status", "code": 500}))
        await eventually_async(lambda: any(task.done() for task in tasks))
    found = [record for record in caplog.records if record.exc_info]
    assert found
    assert {record.name.partition(".")[0] for record in found} == {"kopf"}
