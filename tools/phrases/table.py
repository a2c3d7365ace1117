"""The phrases that the project's texts avoid, a row each, with the words to write in their place.

The table is also a part of the page for contributors.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from tools.generated import DOCS, Files, with_part

#: The most phrases in 1,000 words.
LIMIT = 0.5

PAGE = DOCS / "contributing" / "contributing.md"

#: Verbs that show that the words before them are a clause.
_VERB = (
    "is|are|was|were|has|have|had|can|cannot|can't|could|does|do|did|would|will|may|might|must|should|shows|takes|"
    "needs|makes|keeps|gives|comes|knows|holds|means"
)


@dataclass(frozen=True, slots=True)
class Phrase:
    """Some phrases that have one remedy."""

    avoid: str
    """The phrases, in Markdown, for the page."""
    write: str
    """The remedy, in Markdown, for the page."""
    patterns: tuple[str, ...]
    """Regular expressions that begin and end with whole words."""


PHRASES: tuple[Phrase, ...] = (
    Phrase(
        "`told`, `tells`, `says`, `said`, `bears`",
        "reports, shows, prints, logs, writes to the status; has",
        (r"tells?(?! (?:\w+ )?(?:to|apart)\b)", "told", "(?<!, )says?", "said", "bears?", "borne"),
    ),
    Phrase(
        "`stands`, in the sense of *exists* or *remains*",
        "exists, remains, is. `stands for` is right for an abbreviation, `stands by` for a replica",
        (r"stands?(?! (?:for|by|in|alone)\b)", "stood", "standing(?! (?:by|in)\\b)"),
    ),
    Phrase(
        "`goes`, in the sense of *is deleted*, *continues* or *fits*; `went`",
        "is deleted, continues, is allowed. `goes to` is right for a record or a request",
        (r"goes(?! (?:to|into|through|from|out|over|wrong)\b)", r"went(?! (?:to|into|through|wrong)\b)"),
    ),
    Phrase("`comes again`, `anew`", "recurs, again", ("comes? again", "came again", "anew")),
    Phrase("`beside`, in the sense of *in addition to*", "in addition to, as well as, next to", ("besides?",)),
    Phrase(
        "`at once`",
        "immediately (time), at the same time, in one batch (number)",
        ("at once",),
    ),
    Phrase(
        "`it is tried again`, `it is put right`, `by itself`",
        "the operator retries, the operator corrects the drift",
        (
            "(?:it|they) (?:is|are|was|were) (?:not )?(?:tried|put|looked|asked|waited|made good)",
            "tr(?:y|ies|ied) (?:it |them )?(?:again )?by (?:itself|themselves)",
            "(?:puts?|putting|sets?|setting) (?:it |them |that |this )?right",
        ),
    ),
    Phrase(
        "`what is at AWS`, `what AWS has`, `for what it needs`",
        "the noun: mappings in AWS, the observed state, the permissions",
        (
            "(?<!look )(?<!looks )at AWS",
            r"what (?:is|was|are|were) (?:there|to be|said)",
            r"(?:of|by|for|to|than) what (?:is|was|are|were)",
            r"(?:of|by|for|to|than|is|has|with|and|but) what (?:AWS|it|they|nobody|somebody|(?:the|an?|its) [\w`]+) "
            r"(?:has|have|had|needs?|is|are|was)",
        ),
    ),
    Phrase(
        "`for who looks at it`, `whoever has it`, `whose it is`",
        "the noun, for example: for clients of the probe, any owner, the owner of the mapping",
        (
            r"[.;:]\)? who(?! [^.?]*\?)",
            "(?:for|by|to|from|of|on|with|than) who",
            "(?:for|by|to|of|from|on) (?:one|him|those|others?) who",
            "who(?:so)?ever(?:'s)?",
            "whose (?:is|it)",
        ),
    ),
    Phrase(
        "`, for it is ...`, in the sense of *because*",
        "because",
        (
            rf", for (?:it|they|there|he|she|we|you|nobody|nothing|no one) (?:{_VERB}|\w+s)",
            r", for (?!example|instance|which|whom)(?:(?!(?:that|which|who|if|when|where|as) )[\w'`-]+ ){1,5}?"
            rf"(?:{_VERB})",
        ),
    ),
    Phrase(
        "`is none`, `is another`, `is no word of`",
        "is not one, has changed, does not mean that",
        (
            "(?<!there )(?:is|are|was|were|be) (?-i:none)",
            r"(?:is|are|was|were) another(?= (?:than|where|when|if|now)|[.,;:)])",
            "(?:is|are|was|were) no (?:word|sign) of",
        ),
    ),
)


def found(text: str, rows: Iterable[Phrase] = PHRASES) -> list[tuple[int, str]]:
    """The phrases in a text, each with the position at which it begins."""
    return [(match.start(), match[0]) for match in _search(tuple(rows)).finditer(text.replace("\n", " "))]


@cache
def _search(rows: tuple[Phrase, ...]) -> re.Pattern[str]:
    return re.compile("|".join(rf"\b(?:{'|'.join(row.patterns)})(?![\w-])" for row in rows), re.IGNORECASE)


def files() -> Files:
    """docs/contributing/contributing.md."""
    return {PAGE: with_part(PAGE.read_text(), "phrases", table())}


def table() -> str:
    """The phrases as a Markdown table."""
    return "\n".join(["| avoid | write |", "|---|---|", *(f"| {row.avoid} | {row.write} |" for row in PHRASES)])
