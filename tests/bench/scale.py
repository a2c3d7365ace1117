"""What depends on how many mappings there are in all: with few, nobody wants to wait as long."""

#: From so many mappings on everything is at its defaults, and what only watches takes its whole time.
MANY = 5000
#: Seconds between sweeps: the operator's default, and a shorter one.
DEFAULT_INTERVAL, SHORT_INTERVAL = 60.0, 15.0


def sweep_interval(mappings: int) -> float:
    """Seconds between the operator's sweeps."""
    return DEFAULT_INTERVAL if mappings >= MANY else SHORT_INTERVAL


def arguments(mappings: int) -> tuple[str, ...]:
    """The operator's flags in all worlds."""
    return () if mappings >= MANY else (f"--sweep-interval={SHORT_INTERVAL:.0f}",)


def patience(mappings: int, whole: float) -> float:
    """Seconds to watch that nothing happens, of the whole time that many are watched for."""
    return whole if mappings >= MANY else 2 * SHORT_INTERVAL
