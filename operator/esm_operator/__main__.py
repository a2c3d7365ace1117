"""``python -m esm_operator``: the same as ``esm-operator``."""

from esm_operator.cli import main

main()
