"""An operator whose name resolution fails while a file exists.

A test starts ``main`` of this module instead of the operator's own. It replaces ``socket.getaddrinfo``, through which
Python resolves all names. The host name of AWS then leads to this machine, or cannot be resolved.
"""

import os
import socket
from pathlib import Path
from typing import Any

from tests import forked_operator

#: The entry point that tests start instead of the operator's own.
MAIN = "tests.soak.unresolved:main"
#: A host name that only :func:`main` resolves.
HOST = "aws.test"
_FOLDER = "NAMES"


class Names:
    """The name resolution of one operator, as the test sees it."""

    def __init__(self, folder: Path) -> None:
        """
        Args:
            folder: an empty folder.
        """
        self.environment = {_FOLDER: str(folder)}
        self._failing, self._lookups = folder / "failing", folder / "lookups"

    def fail(self) -> None:
        """Let the host name be unknown."""
        self._failing.touch()

    def restore(self) -> None:
        """Let the host name be known again."""
        self._failing.unlink()

    @property
    def failures(self) -> int:
        """The number of failed lookups so far."""
        return len(self._lookups.read_bytes()) if self._lookups.exists() else 0


def main() -> None:
    """Run the operator."""
    folder, real = Path(os.environ[_FOLDER]), socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **more: Any) -> Any:
        if host != HOST:
            return real(host, *arguments, **more)
        if (folder / "failing").exists():
            with (folder / "lookups").open("ab") as lookups:
                lookups.write(b".")
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return real("127.0.0.1", *arguments, **more)

    socket.getaddrinfo = getaddrinfo
    forked_operator.main()
