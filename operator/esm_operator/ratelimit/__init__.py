"""The work queue, the rate limiters and the back-off. They decide when a request is sent and a resource reconciled."""
