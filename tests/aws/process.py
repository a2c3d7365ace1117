"""The server as a process, for tests: `with AwsServer() as aws: aws.client("lambda")`.

A separate process uses its own CPU, so that tests measure only the operator. The process ends with its parent, even if
the parent is killed, because it watches a pipe whose other end the parent holds.
"""

from __future__ import annotations

import selectors
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Literal, Self, overload

import boto3
from botocore.config import Config

from .arns import DEFAULT_REGION
from .client import Control
from .settings import Settings
from .world import Population

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient

MODULE = __name__.rpartition(".")[0]
ROOT = Path(__file__).resolve().parents[2]
ENDPOINT_LINE = "export AWS_ENDPOINT_URL="
START_TIMEOUT = 240.0
STOP_TIMEOUT = 60.0


class AwsServer:
    """An AWS server whose transitions end at the next request and which has no quota, unless settings change this."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        world: Population = Population.ANY,
        port: int = 0,
        verbose: bool = False,
    ) -> None:
        self._settings = settings or Settings(pace=0, quota=0, tagging_quota=0)
        self._options = [f"--port={port}", f"--world={world}", *(["--verbose"] if verbose else [])]
        self._session: Any = boto3.session.Session()  # reads the descriptions of services once
        self._process: subprocess.Popen[str] | None = None
        self.endpoint = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def control(self) -> Control:
        return Control(self.endpoint)

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    def start(self) -> None:
        """Start the process, and wait until it listens."""
        command = [sys.executable, "-m", MODULE, "--with-parent", *self._options]
        self._process = subprocess.Popen(
            [*command, *self._settings.arguments()],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is the parent's, which may still need AWS to end well
        )
        assert self._process.stdout is not None
        self.endpoint = self._first_line(self._process.stdout).removeprefix(ENDPOINT_LINE).strip()

    def warm_up(self) -> None:
        """Wait for the first answer of STS. It takes seconds, because the server loads moto for it."""
        self.client("sts").get_caller_identity()

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process = None

    @overload
    def client(
        self, service: Literal["lambda"], region: str = ..., account: str = ..., config: Config | None = ...
    ) -> LambdaClient: ...

    @overload
    def client(self, service: str, region: str = ..., account: str = ..., config: Config | None = ...) -> Any: ...

    def client(
        self,
        service: str,
        region: str = DEFAULT_REGION,
        account: str = "testing",
        config: Config | None = None,
    ) -> Any:
        """A boto3 client without retries of its own. `account`: twelve digits, or an access key that moto
        made."""
        without_retries = Config(retries={"total_max_attempts": 1})
        return self._session.client(
            service,
            region_name=region,
            aws_access_key_id=account,
            aws_secret_access_key="testing",
            endpoint_url=self.endpoint,
            config=without_retries.merge(config) if config else without_retries,
        )

    def _first_line(self, stream: IO[str]) -> str:
        assert self._process is not None
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            ready = selector.select(START_TIMEOUT)
        line = stream.readline() if ready else ""
        if not line.startswith(ENDPOINT_LINE):
            status = self._process.poll()
            self.stop()
            raise RuntimeError(f"the AWS server did not start (exit status {status}): {line!r}")
        return line
