"""`make demo`: shows the operator on this machine, or in your cluster."""
