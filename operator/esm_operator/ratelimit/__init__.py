"""The work queue, the rate limiters and the back-off: when a request is sent and when a resource gets its turn."""
