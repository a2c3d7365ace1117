"""`make demo`: the operator at work before one's eyes, on this machine or in a cluster of one's own."""
