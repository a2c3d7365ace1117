"""Where each field of other tools' resources is in ours, for users who migrate: Terraform, ACK, Crossplane."""
