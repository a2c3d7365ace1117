"""The server as a process: at the terminal, in tests, with many connections, and when its parent ends."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any

import pytest
from botocore.config import Config

from . import AwsServer, DestinationReset, Population, Settings
from .examples import QUEUE, example
from .process import MODULE, ROOT
from .sources import Source

PATIENCE = 120.0


def test_at_the_terminal_it_prints_lines_to_paste_and_ends_on_a_signal() -> None:
    command = [sys.executable, "-m", MODULE, "--pace=0", "--quota=0", "--verbose"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(3)]
        endpoint = lines[0].removeprefix("export AWS_ENDPOINT_URL=")
        assert lines[1].startswith("export AWS_ACCESS_KEY_ID=")
        connection = HTTPConnection(endpoint.removeprefix("http://"), timeout=PATIENCE)
        connection.request("GET", "/_control/settings")
        assert connection.getresponse().status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


def test_it_ends_with_its_parent_even_if_the_parent_is_killed() -> None:
    parent_program = (
        f"from {MODULE} import AwsServer\n"
        "server = AwsServer()\nserver.start()\nprint(server.pid, flush=True)\ninput()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent_program],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        server = os.pidfd_open(int(parent.stdout.readline()))
        try:
            parent.kill()
            ended, _, _ = select.select([server], [], [], PATIENCE)
            assert ended
        finally:
            os.close(server)


def test_a_port_in_use_is_reported(aws: AwsServer) -> None:
    port = int(aws.endpoint.rpartition(":")[2])
    with pytest.raises(RuntimeError, match="did not start"):
        AwsServer(port=port).start()


def test_settings_reach_the_process_and_survive_a_reset() -> None:
    settings = Settings(
        pace=1.5,
        quota=7,
        tagging_quota=3,
        tagging_lag=2,
        retry_after="4",
        hold=True,
        empty_resets=True,
        destination_reset=DestinationReset.IGNORED,
    )
    with AwsServer(settings, world=Population.DECLARED) as server:
        assert server.control.settings() == settings
        server.control.set(pace=9, hold=False)
        server.control.set_world(population="any", functions=["handler"])
        server.control.reset()
        assert server.control.settings() == settings
        assert server.control.world()["population"] == "declared"
        assert server.control.world()["functions"] == []


def test_connections_are_kept_alive(aws: AwsServer) -> None:
    connection = HTTPConnection(aws.endpoint.removeprefix("http://"), timeout=PATIENCE)
    connection.request("GET", "/_control/settings")
    connection.getresponse().read()
    socket = connection.sock
    assert socket is not None
    connection.request("GET", "/_control/settings")
    connection.getresponse().read()
    assert connection.sock is socket
    connection.close()


def test_one_of_many_concurrent_creates_succeeds(aws: AwsServer) -> None:
    client: Any = aws.client("lambda", config=Config(max_pool_connections=16))

    def create(_: int) -> bool:
        try:
            client.create_event_source_mapping(**example(Source.SQS))
            return True
        except client.exceptions.ResourceConflictException:
            return False

    with ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(create, range(64))) == 1
    assert len(aws.control.mappings()) == 1


def test_the_time_does_not_grow_quadratically_with_ten_thousand_mappings(aws: AwsServer) -> None:
    """This is not a benchmark. It only fails if the server needs quadratic time."""
    client: Any = aws.client("lambda")
    made = aws.control.make_mappings(
        10_000,
        **example(Source.SQS, EventSourceArn=f"{QUEUE}-{{n}}", FunctionName="f-{n}", Tags={"a": "{n}"}),
    )
    pages = client.get_paginator("list_event_source_mappings").paginate()
    assert [item["UUID"] for page in pages for item in page["EventSourceMappings"]] == made
    (last,) = client.list_event_source_mappings(FunctionName="f-9999")["EventSourceMappings"]
    assert client.list_tags(Resource=last["EventSourceMappingArn"])["Tags"] == {"a": "9999"}
