"""Ctrl-C and its like: heard once, as a KeyboardInterrupt; what follows must not disturb the cleaning up."""

import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def listen() -> None:
    """From now on the first of these signals is a KeyboardInterrupt, and all others are ignored."""
    for number in STOP_SIGNALS:
        signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    ignore()
    raise KeyboardInterrupt


def ignore() -> None:
    """From now on nothing interrupts."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def alone_at_the_terminal() -> Generator[None]:
    """Ctrl-C reaches the demo and not the `make` that runs it, which would call it an error.

    The demo becomes the terminal's foreground process group, as a shell does it with each of its jobs.
    """
    if not sys.stdin.isatty() or os.getpgrp() == os.getpid() or os.tcgetpgrp(sys.stdin.fileno()) != os.getpgrp():
        yield
        return
    group = os.getpgrp()
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # else the kernel stops who gives the terminal away
    os.setpgid(0, 0)
    os.tcsetpgrp(sys.stdin.fileno(), os.getpgrp())
    try:
        yield
    finally:
        with suppress(OSError):  # the terminal may be gone
            os.tcsetpgrp(sys.stdin.fileno(), group)
