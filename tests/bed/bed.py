"""A namespace, an account, and the operators of one test scenario."""

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.aws import AwsServer
from tests.bed.account import Account
from tests.bed.change_log import check_change_log
from tests.bed.resources import Resources
from tests.controlplane import ControlPlane
from tests.controlplane.client import path
from tests.operator_process import MAIN, OperatorProcess

#: Characters of each operator's log that a failing test shows.
TAIL = 20_000


class Bed(Resources, Account):
    """A context manager. When it ends, it stops the operators and deletes all resources and mappings."""

    def __init__(
        self,
        *,
        plane: ControlPlane,
        aws: AwsServer,
        kubeconfig: Path,
        namespace: str,
        folder: Path,
        account: str = "",
    ) -> None:
        """
        Args:
            plane: the control plane, with the CRDs and the namespace.
            aws: the AWS server.
            kubeconfig: the kubeconfig of the operators.
            namespace: the namespace of the resources.
            folder: the folder for the logs of the operators.
            account: the account of the mappings, twelve digits. Empty: the scenario has the AWS server for itself.
        """
        Resources.__init__(self, plane.client, namespace)
        Account.__init__(self, aws.control, account)
        self.plane = plane
        self.aws = aws
        self.kubeconfig = kubeconfig
        self.folder = folder
        self.compares_log = True
        """Whether the bed compares the logs of its operators with all changes in its account at the end."""
        self.prints_logs = True
        """Whether the bed prints the logs of its operators at the end, for a test that fails."""
        self.exits = ExitStack()
        """Clean-up functions that run at the end. A test may add its own."""
        self._operators: list[OperatorProcess] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.exits.close()
            if kind is None and self.compares_log:
                check_change_log(self._operators, self.control.changes(), self.account)
        finally:
            for log in dict.fromkeys(one.log for one in self._operators if self.prints_logs):
                print(f"--- {log.name}\n{log.read_text(errors='replace')[-TAIL:]}")
            self.clear()
            self.clear_configs()

    def operator(
        self,
        *arguments: str,
        start: bool = True,
        name: str = "operator",
        kubeconfig: Path | None = None,
        endpoint: str = "",
        environment: Mapping[str, str] | None = None,
        entry: str = MAIN,
    ) -> OperatorProcess:
        """An operator. It is stopped when the bed ends.

        Args:
            arguments: flags of ``esm-operator run``.
            start: whether to start it and wait until it is ready.
            name: the name of its log.
            kubeconfig: the kubeconfig that it uses. None: that of the bed.
            endpoint: the URL of AWS that it uses. Empty: the AWS server of the bed.
            environment: more environment variables.
            entry: see :class:`OperatorProcess`.
        """
        account = {"AWS_ACCESS_KEY_ID": self.account} if self.account else {}
        process = OperatorProcess(
            kubeconfig=kubeconfig or self.kubeconfig,
            endpoint=endpoint or self.aws.endpoint,
            log=self.folder / f"{name}.log",
            arguments=("--log-level=debug", *arguments),
            environment={**account, **(environment or {})},
            entry=entry,
        )
        process.log.touch()
        self._operators.append(process)
        self.exits.callback(process.stop)
        if start:
            process.start()
        return process

    def kubectl(self, *arguments: str, input: str | None = None, check: bool = True) -> str:
        """Run kubectl in the namespace of the scenario, and return its output."""
        return self.plane.kubectl("--namespace", self.namespace, *arguments, input=input, check=check).stdout

    def mapping(self, name: str) -> dict[str, Any]:
        """The mapping of a resource in AWS."""
        return self.mapping_by_uuid(self.status(name)["uuid"])

    def follow(self, name: str, note: Callable[[dict[str, Any]], None]) -> None:
        """Record each version of a resource in a thread, until the end of the test."""
        where = f"{path('EventSourceMapping', namespace=self.namespace)}?fieldSelector=metadata.name={name}"
        watch = self.client.watch(where)

        def run() -> None:
            with suppress(OSError, HTTPException):  # closed
                for _, found in watch:
                    note(found)

        thread = threading.Thread(target=run, name=f"watch of {name}", daemon=True)
        self.exits.callback(thread.join)
        self.exits.callback(watch.close)
        thread.start()
