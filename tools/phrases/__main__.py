"""Print each avoided phrase with its place, and how many there are in 1,000 words: ``python -m tools.phrases``.

The exit status is 1 if there are more than the limit.
"""

import sys
from collections import Counter
from collections.abc import Iterable

from tools.phrases.table import LIMIT, found
from tools.phrases.texts import Text, all_texts


def report(texts: Iterable[Text]) -> int:
    """Print the phrases in some texts.

    Returns:
        the exit status.
    """
    phrases: Counter[str] = Counter()
    words: Counter[str] = Counter()
    for text in texts:
        words[text.folder] += text.words
        for start, phrase in found(text.text):
            phrases[text.folder] += 1
            print(f"{text.place(start)}: {phrase}")
    for folder in sorted(words):
        print(f"{folder}: {_count(phrases[folder], words[folder])}")
    print(f"all: {_count(phrases.total(), words.total())}; at most {LIMIT} are allowed")
    return int(_rate(phrases.total(), words.total()) > LIMIT)


def _rate(phrases: int, words: int) -> float:
    return 1_000 * phrases / max(words, 1)


def _count(phrases: int, words: int) -> str:
    return f"{phrases} phrases in {words:,} words, {_rate(phrases, words):.2f} in 1,000"


if __name__ == "__main__":
    sys.exit(report(all_texts()))
