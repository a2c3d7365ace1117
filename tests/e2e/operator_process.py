"""Moved: tests that come from here find it where the demo does."""

from tests.operator_process import OperatorProcess

__all__ = ["OperatorProcess"]
