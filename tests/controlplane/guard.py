"""A process between an owner and its server. It kills the server when the owner ends for any reason.

The owner has the other end of this process's standard input, and never writes to it. When the owner ends, also by
SIGKILL, the kernel closes that end, and this process kills the server, even if SIGSTOP has stopped it.

PR_SET_PDEATHSIG alone is not enough, because it depends on the *thread* that started the child. A server that a worker
thread has started would end with this thread. This process starts the server in its main thread. So it can use the call
(on Linux) to end the server if this process itself is killed.

Run it as a script, with the command line of the server as arguments. It prints the process id of the server, and ends
with the exit code of the server. It imports nothing of this package, so that it starts in milliseconds.
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
    if os.getppid() != guard:  # the guard ended before the call above
        os._exit(1)


def kill_when_owner_is_gone(server: subprocess.Popen[bytes]) -> None:
    sys.stdin.buffer.read()
    server.kill()


def main() -> NoReturn:
    server = subprocess.Popen(
        sys.argv[1:],
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        preexec_fn=die_with_guard,  # safe, because there is no second thread yet
    )
    print(server.pid, flush=True)
    threading.Thread(target=kill_when_owner_is_gone, args=[server], daemon=True).start()
    code = server.wait()
    os._exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
