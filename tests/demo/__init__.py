"""`make demo`: shows the operator at work, on this machine or in a cluster of yours."""
