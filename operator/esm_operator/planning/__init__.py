"""Decides the next action for one resource from its desired and its observed state. Pure, without input or output."""
