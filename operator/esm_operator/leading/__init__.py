"""Of several operators, one works: the lease, and the fence that keeps the others from writing."""
