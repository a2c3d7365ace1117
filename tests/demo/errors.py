"""The exception whose message is the last thing that the person sees."""


class DemoError(Exception):
    """The demo can't go on; the message says why, and what to do if there is something to do."""
