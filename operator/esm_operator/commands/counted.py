"""Numbers of things in messages."""


def counted(number: int, noun: str) -> str:
    """``1 mapping``, ``2 mappings`` or ``1,000 mappings``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
