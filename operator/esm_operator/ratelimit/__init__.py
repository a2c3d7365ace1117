"""The work queue, and the limiters that decide when a request or a resource gets its turn."""
