"""What people and machines are told: statuses, Events, metrics, probes."""
