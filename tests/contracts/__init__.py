"""Contract tests: a test for each behaviour of a library that the operator relies on.

The list is in ``operator/esm_operator/adapters/README.md``. The tests run on the real libraries.
"""
