"""Generators of files from the code: the CRDs, and tables and pages of the documentation.

The generators are not part of the product. `make crds`, `make tables` and `make lint` run them, and tests read their
tables.
"""
