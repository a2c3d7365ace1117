"""The exception of the demo. Its message is the last line that the person sees."""


class DemoError(Exception):
    """The demo can't continue. The message has the reason, and the remedy if there is one."""
