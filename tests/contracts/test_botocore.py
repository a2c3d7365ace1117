"""What the operator relies on in botocore's sessions, parsers and errors.

Each test is a row of operator/esm_operator/adapters/README.md.
"""

import json
import logging
import re
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
)
from botocore.loaders import JSONFileLoader

from esm_operator.adapters.botocore_regions import known_regions
from esm_operator.adapters.botocore_sessions import new_session
from tests.unit.slow_connections import SlowServer

UUID = "11111111-2222-3333-4444-555555555555"
ROLE = "arn:aws:iam::222222222222:role/shop"
PAGE = "<html><head><title>S3CRET</title></head><body><hr>Log in</body></html>"
_ONCE = Config(retries={"total_max_attempts": 1}, read_timeout=30)


@pytest.fixture(autouse=True)
def own_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "OWN-KEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


@contextmanager
def answering(
    body: str = "", status: str = "200 OK", headers: str = "", answer: Callable[[socket.socket], None] | None = None
) -> Generator[SlowServer]:
    """A server that answers all requests so."""
    length = f"Content-Length: {len(body.encode())}\r\n"
    whole = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{headers}{length}\r\n{body}".encode()
    server = SlowServer(answer=answer or (lambda connection: connection.sendall(whole)))
    server.accept()
    try:
        yield server
    finally:
        server.close()


def mapping(modified: Any = 0) -> str:
    return json.dumps({"UUID": UUID, "LastModified": modified})


def client(url: str, role: str = "", service: str = "lambda") -> Any:
    """A client as the operator makes it, but for the hooks."""
    options = ("external", "esm-operator,blue,shop") if role else ()
    make: Any = new_session("eu-west-1", role, *options).client
    return make(service, endpoint_url=url, config=_ONCE)


# Sessions


def test_a_session_reads_the_descriptions_of_services_with_the_loader_that_is_registered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client("http://localhost:1")
    read, load = list[str](), JSONFileLoader.load_file

    def load_file(self: JSONFileLoader, file_path: str) -> Any:
        read.append(file_path)
        return load(self, file_path)

    monkeypatch.setattr(JSONFileLoader, "load_file", load_file)
    client("http://localhost:1")
    assert read == [], "what another session has read is not read again"
    boto3.Session(region_name="eu-west-1").client("lambda")
    assert read, "else nothing need be registered"


@pytest.mark.parametrize("modified", [1764372127.5, "2025-11-28T23:22:07.500Z"])
def test_a_session_reads_times_with_the_function_that_is_registered(modified: Any) -> None:
    seen = list[Any]()
    with answering(mapping(modified)) as server:
        session = new_session("eu-west-1")
        made: Any = session.client("lambda", endpoint_url=server.url, config=_ONCE)
        time = made.get_event_source_mapping(UUID=UUID)["LastModified"]
        assert time == datetime(2025, 11, 28, 23, 22, 7, 500_000, UTC)
        factory = session._session.get_component("response_parser_factory")  # pyright: ignore[reportPrivateUsage]
        factory.set_parser_defaults(timestamp_parser=lambda value: seen.append(value) or "read")
        other: Any = session.client("lambda", endpoint_url=server.url, config=_ONCE)
        assert other.get_event_source_mapping(UUID=UUID)["LastModified"] == "read"
    assert seen == [modified]


def credentials(expires: datetime) -> str:
    """An answer to AssumeRole."""
    return (
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
        "<AccessKeyId>ROLE-KEY</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
        f"<Expiration>{expires:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials><AssumedRoleUser>"
        f"<Arn>{ROLE}</Arn><AssumedRoleId>i</AssumedRoleId></AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>"
    )


def keys(server: SlowServer) -> list[str]:
    """The access keys with which requests were signed."""
    return re.findall(r"Credential=([\w-]+)/", server.received.decode())


@pytest.fixture
def in_an_hour() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


def test_the_credentials_of_a_role_are_fetched_once_and_when_they_are_first_needed(
    in_an_hour: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(credentials(in_an_hour)) as sts, answering(mapping()) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        made = client(server.url, ROLE)
        assert sts.requests == 0
        for _ in range(2):
            made.get_event_source_mapping(UUID=UUID)
        assert keys(sts) == ["OWN-KEY"]
        assert keys(server) == ["ROLE-KEY"] * 2
        asked = sts.received.decode()
        assert "/eu-west-1/sts/" in asked
        body = {*asked.partition("\r\n\r\n")[2].split("&")}
        assert {"RoleSessionName=esm-operator%2Cblue%2Cshop", "ExternalId=external"} <= body


def test_the_credentials_of_a_role_are_fetched_again_before_they_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    in_a_minute = datetime.now(UTC) + timedelta(minutes=1)
    with answering(credentials(in_a_minute)) as sts, answering(mapping()) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        made = client(server.url, ROLE)
        for _ in range(2):
            made.get_event_source_mapping(UUID=UUID)
        assert keys(sts) == ["OWN-KEY"] * 2


def test_credentials_that_were_fetched_for_a_request_that_is_called_off_are_kept(
    in_an_hour: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def call_off(**_: Any) -> None:
        raise TimeoutError

    with answering(credentials(in_an_hour)) as sts, answering(mapping()) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        made = client(server.url, ROLE)
        made.meta.events.register("before-send", call_off)
        with pytest.raises(TimeoutError):
            made.get_event_source_mapping(UUID=UUID)
        made.meta.events.unregister("before-send", call_off)
        made.get_event_source_mapping(UUID=UUID)
        assert (sts.requests, server.requests) == (1, 1)


def test_credentials_that_cannot_be_fetched_are_logged_with_a_traceback(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with answering("<ErrorResponse/>", "403 Forbidden") as sts, answering(mapping()) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        with pytest.raises(ClientError):
            client(server.url, ROLE).get_event_source_mapping(UUID=UUID)
    found = [record for record in caplog.records if record.exc_info and record.levelno >= logging.WARNING]
    assert [record.name for record in found] == ["botocore.credentials"]


@pytest.mark.parametrize("url", ["http://local_stack:4566", "localhost:4566"])
def test_an_endpoint_that_is_no_url_raises_value_error(url: str) -> None:
    with pytest.raises(ValueError, match="Invalid endpoint"):
        client(url)


# Answers


def test_the_headers_of_a_refusal_are_in_the_error_in_lower_case() -> None:
    with (
        answering('{"Reason": "x"}', "429 Slow down", "Retry-After: 7\r\nx-amzn-ErrorType: TooMany\r\n") as server,
        pytest.raises(ClientError) as refused,
    ):
        client(server.url).get_event_source_mapping(UUID=UUID)
    about: Any = refused.value.response
    assert about["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "7"
    assert about["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert about.get("Error", {}).get("Code") == "TooMany"


def test_an_answer_of_sts_that_is_no_xml_raises_what_is_no_error_of_botocore_and_quotes_it() -> None:
    with answering(PAGE) as server, pytest.raises(Exception, match="S3CRET") as raised:
        client(server.url, service="sts").get_caller_identity()
    assert not isinstance(raised.value, ClientError | BotoCoreError)


@pytest.mark.parametrize("body", [PAGE, "", "{}"])
def test_an_answer_of_lambda_that_is_not_one_of_aws_lacks_its_members(body: str) -> None:
    with answering(body) as server:
        assert "UUID" not in client(server.url).get_event_source_mapping(UUID=UUID)


def test_an_answer_that_was_cut_off_is_not_taken_for_a_whole_one() -> None:
    for cut_off in (
        b"HTTP/1.1 200 OK\r\nContent-Len",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + mapping().encode()[:-1],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n" + mapping().encode()[:-1],
    ):

        def answer(connection: socket.socket, cut_off: bytes = cut_off) -> None:
            connection.sendall(cut_off)
            raise OSError("The server closes the connection.")

        read: Any = {}
        with answering(answer=answer) as server, suppress(HTTPClientError, IncompleteReadError):
            read = client(server.url).get_event_source_mapping(UUID=UUID)
        assert "UUID" not in read


@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 2", b"no HTTP\r\n\r\n"])
def test_a_request_without_an_answer_raises_an_http_client_error(beginning: bytes) -> None:
    def answer(connection: socket.socket) -> None:
        connection.sendall(beginning)
        raise OSError("The server closes the connection.")

    with answering(answer=answer) as server, pytest.raises(HTTPClientError):
        client(server.url).get_event_source_mapping(UUID=UUID)
    with pytest.raises(EndpointConnectionError):
        client("http://localhost:1").get_event_source_mapping(UUID=UUID)
    assert issubclass(HTTPClientError, BotoCoreError)


def test_a_role_without_own_credentials_has_no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "nowhere"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert boto3.Session()._session.get_credentials() is None  # pyright: ignore[reportPrivateUsage]


def test_the_file_of_partitions_has_the_regions_of_aws() -> None:
    assert {"eu-west-1", "us-gov-west-1", "cn-north-1", "eusc-de-east-1", "us-iso-east-1"} <= known_regions()
    assert not any(region.endswith("global") for region in known_regions())
    assert known_regions() >= {*boto3.Session().get_available_regions("lambda")}


def test_credentials_of_a_role_come_from_a_client_that_the_session_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(" " * 200_000) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
        credentials: Any = new_session("eu-west-1", ROLE).get_credentials()
        with pytest.raises(HTTPClientError, match="more than 100,000 bytes"):
            credentials.get_frozen_credentials()


def test_credentials_of_a_web_identity_come_from_a_client_that_the_session_makes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("token")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    with answering(" " * 200_000) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
        credentials: Any = new_session("eu-west-1").get_credentials()
        with pytest.raises(HTTPClientError, match="more than 100,000 bytes"):
            credentials.get_frozen_credentials()
