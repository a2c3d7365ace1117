"""The formula of all back-offs: exponential, with an upper bound. And the delays that servers ask for."""

import random

#: Doublings after which a delay grows no further, long before a float overflows.
_MOST_DOUBLINGS = 20
#: The longest Retry-After that is obeyed, in seconds. A wrong or hostile one must not stop work for minutes.
LONGEST_RETRY_AFTER = 20.0


def exponential(failures: int, first: float, longest: float) -> float:
    """The delay in seconds: ``first`` after 0 earlier failures, doubled by each one up to ``longest``."""
    return min(longest, first * 2.0 ** min(failures, _MOST_DOUBLINGS))


def jittered(delay: float) -> float:
    """A delay, changed at random by at most a quarter, so that many that failed together do not retry together."""
    return delay * random.uniform(0.75, 1.25)


def retry_after(header: str) -> float:
    """The seconds in the header Retry-After of an answer; 0: it has none, or a date."""
    try:
        return min(LONGEST_RETRY_AFTER, max(0.0, float(header)))
    except ValueError:
        return 0.0
