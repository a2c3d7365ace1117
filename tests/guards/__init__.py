"""Guards: lines of the operator that matter only when something is interrupted, stale, late or concurrent.

Without a guard, nothing fails in normal operation. So each guard has a row in a table here, with fast tests that fail
when the guard is disabled. ``python -m tests.guards`` (``make guards``) disables each guard in turn.
"""
