"""Percentiles by nearest rank: always a value that was measured, and never a kinder one than the data allows."""

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], percent: float) -> float:
    """The least of the values that so many percent of them don't exceed; NaN of none.

    Args:
        values: in any order.
        percent: above 0, at most 100.
    """
    if not values:
        return math.nan
    ranked = sorted(values)
    return ranked[max(1, math.ceil(len(ranked) * percent / 100)) - 1]
