"""Renders conditions and messages from the outcome of a plan or of an AWS error. Pure, without input or output."""
