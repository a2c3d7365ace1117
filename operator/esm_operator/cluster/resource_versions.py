"""Comparison of resourceVersions. Numbers count up (Kubernetes API concepts, since 1.35). Other texts have no order."""


def is_as_new(one: str, other: str) -> bool:
    """Whether a version is the same or later."""
    return one == other or is_later(one, other)


def is_later(one: str, other: str) -> bool:
    """Whether a version is later. False if they cannot be compared."""
    try:
        return int(one) > int(other)
    except ValueError:
        return False
