"""What can go wrong in a benchmark other than a figure."""


class BenchError(Exception):
    """A phase can't be measured; the text is the reason."""
