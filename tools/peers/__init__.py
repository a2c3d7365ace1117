"""Tables from the fields of Terraform, ACK and Crossplane to the fields of this operator, for users who migrate."""
