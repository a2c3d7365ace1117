"""Ctrl-C and other stop signals. The first raises KeyboardInterrupt. Later ones are ignored, so that clean-up ends."""

import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def listen() -> None:
    """Raise KeyboardInterrupt at the next stop signal, and ignore all later ones."""
    for number in STOP_SIGNALS:
        signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    ignore()
    raise KeyboardInterrupt


def ignore() -> None:
    """Ignore all stop signals from now on."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def alone_at_the_terminal() -> Generator[None]:
    """Make the demo the foreground process group of the terminal, as a shell does with each job.

    Ctrl-C then reaches the demo, and not `make`, which would report an error.
    """
    if not sys.stdin.isatty() or os.getpgrp() == os.getpid() or os.tcgetpgrp(sys.stdin.fileno()) != os.getpgrp():
        yield
        return
    group = os.getpgrp()
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # otherwise tcsetpgrp stops this process
    os.setpgid(0, 0)
    os.tcsetpgrp(sys.stdin.fileno(), os.getpgrp())
    try:
        yield
    finally:
        with suppress(OSError):  # the terminal may be gone
            os.tcsetpgrp(sys.stdin.fileno(), group)
