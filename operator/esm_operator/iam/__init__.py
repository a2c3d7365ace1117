"""What the operator needs of AWS IAM, as documents: ``esm-operator iam-policy``."""
