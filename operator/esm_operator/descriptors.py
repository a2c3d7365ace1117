"""File descriptors of the process: each connection, file and pipe needs one.

A process without a free descriptor can continue to renew its lease on an open connection, but can do nothing else. So
the lease asks this module whether the process can work.
"""

import os
import resource

#: The most descriptors that the process asks for. Some systems allow a billion, and some libraries loop over all.
MOST = 65_536


def raise_limit() -> None:
    """Raise the limit on descriptors as far as the system allows, up to :data:`MOST`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def problem() -> str:
    """Why the process cannot open a descriptor now, as a sentence without a full stop; empty: it can."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        return f"The process cannot open files or connections ({error.strerror})"
    return ""
