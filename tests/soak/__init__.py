"""Scenarios that take long or need many resources. The end-to-end tests run the same scenarios with small numbers.

``python -m tests.soak`` lists them. ``python -m tests.soak NAME`` runs one with the numbers of
``docs/explanation/reliability.md``, and prints its figures.
"""
