"""What is to be done: from what is desired and what was observed, purely."""
