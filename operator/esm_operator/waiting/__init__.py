"""When: the queue, and all that has a resource wait for its turn."""
