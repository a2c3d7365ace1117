"""Guards: lines of the operator that matter only when something is interrupted, stale, late or concurrent.

Nothing fails in normal operation if a guard is missing. So each guard has a row in a table, with fast tests that fail
when the guard is disabled. ``python -m tests.guards`` (``make guards``) disables each guard in turn.
"""
