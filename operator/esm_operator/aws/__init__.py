"""Everything that talks to AWS: targets, the client and its budget, errors, the inventory and its observer."""
