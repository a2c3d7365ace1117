"""The AWS client, and the inventory: a copy of the mappings in AWS that sweeps keep up to date."""
