"""The formula of all back-offs: exponential, with an upper bound."""

import random

#: Doublings after which a delay grows no further, long before a float overflows.
_MOST_DOUBLINGS = 20


def exponential(failures: int, first: float, longest: float) -> float:
    """The delay in seconds: ``first`` after 0 earlier failures, doubled by each one up to ``longest``."""
    return min(longest, first * 2.0 ** min(failures, _MOST_DOUBLINGS))


def jittered(delay: float) -> float:
    """A delay, changed at random by at most a quarter, so that many that failed together do not retry together."""
    return delay * random.uniform(0.75, 1.25)
