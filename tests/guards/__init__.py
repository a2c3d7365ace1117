"""Guards: lines of the operator that matter only when something is interrupted, stale, late or concurrent.

Nothing fails without a guard while all goes well, so each is a row of a table here, with fast tests that fail when it
is disabled. ``python -m tests.guards`` (``make guards``) disables each in turn.
"""
