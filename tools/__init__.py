"""Generators of the files that are made from the code: CRDs, and tables and pages of the documentation.

Not a part of the product: `make crds`, `make tables` and `make lint` run them, and tests read their tables.
"""
