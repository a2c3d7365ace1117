"""A process between an owner and its server, so that the server never outlives the owner, however the owner
ends.

The owner holds the other end of this process's standard input and never writes to it. The kernel closes that
end when the owner is gone, after a SIGKILL too, and the server is killed then, even one that is stopped by
SIGSTOP.

PR_SET_PDEATHSIG alone would not do: it is tied to the *thread* that started the child, so a server that was
started in a worker thread would die with that thread. This process waits in the thread that starts the
server, so it may use it for its own end: if the guard itself is killed, the server goes too (on Linux, which
has that call).

Run as a script with the server's command line as arguments. Says the server's process id on standard output;
ends with the server's exit code. Imports nothing of this package, so it starts in milliseconds.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from typing import NoReturn

PR_SET_PDEATHSIG = 1

libc = ctypes.CDLL(None)
guard = os.getpid()


def die_with_guard() -> None:
    if hasattr(libc, "prctl"):
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != guard:  # it died before the call above could notice
        os._exit(1)


def kill_when_owner_is_gone(server: subprocess.Popen[bytes]) -> None:
    sys.stdin.buffer.read()
    server.kill()


def main() -> NoReturn:
    server = subprocess.Popen(
        sys.argv[1:],
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        preexec_fn=die_with_guard,  # there is no second thread yet
    )
    print(server.pid, flush=True)
    threading.Thread(target=kill_when_owner_is_gone, args=[server], daemon=True).start()
    code = server.wait()
    os._exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
