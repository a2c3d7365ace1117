"""One account in the AWS server: its mappings, and the requests that the operator has sent to it."""

from collections import Counter
from typing import Any

from tests.aws import Control
from tests.waiting import LIMIT, eventually

SWEEP = "ListEventSourceMappings"
#: The number of requests that the AWS server remembers.
REMEMBERED = 2000


class Account:
    """The mappings and requests of one account. Thread-safe."""

    def __init__(self, control: Control, account: str = "") -> None:
        """
                Args:
        control: the control API of the AWS server.
                    account: twelve digits. Empty: all accounts, because the test has the server for itself.
        """
        self.control = control
        self.account = account

    def mappings(self) -> list[dict[str, Any]]:
        """All mappings."""
        return self.control.mappings(account=self.account or None)

    def mapping_by_uuid(self, uuid: str) -> dict[str, Any]:
        """The mapping with this UUID."""
        return next(one for one in self.mappings() if one["UUID"] == uuid)

    def functions(self) -> Counter[str]:
        """The number of mappings of each function."""
        return Counter(one["FunctionArn"].rpartition(":")[2] for one in self.mappings())

    def calls(self) -> dict[str, int]:
        """The number of calls of each operation, in all accounts."""
        return self.control.counts().calls

    def log(self, operation: str = "") -> list[dict[str, Any]]:
        """The last requests, oldest first, as the server recorded them.

        Args:
            operation: only requests of this operation. Empty: all requests.
        """
        return [
            one
            for one in self.control.requests(REMEMBERED)
            if self.account in ("", one["account"]) and operation in ("", one["operation"])
        ]

    def requests(self, operation: str) -> list[dict[str, Any]]:
        """The members of the last requests of an operation, oldest first."""
        return [one["members"] for one in self.log(operation)]

    def wait_swept(self, times: int = 1, *, limit: float = LIMIT) -> None:
        """Wait until the operator has requested this many more pages of lists."""
        before = self.calls().get(SWEEP, 0)
        eventually(lambda: self.calls().get(SWEEP, 0) >= before + times, "a sweep", limit=limit)
