"""Count phrases that are hard to read: ``python -m tools.phrases``, which ``make lint`` runs.

``table`` lists the phrases, ``texts`` finds the prose of the project, and ``__main__`` prints what it found.
"""
