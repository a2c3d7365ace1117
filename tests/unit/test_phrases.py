"""The counter of avoided phrases: what counts, what does not, and which texts of a file it reads."""

import pytest

from tools.phrases.__main__ import report
from tools.phrases.table import LIMIT, PHRASES, found
from tools.phrases.texts import Text, all_texts, texts_of

AVOIDED = {
    "The Event tells what was wrong.": "tells",
    "Nobody is told of the change.": "told",
    "The status says why.": "says",
    "It is said in the log.": "said",
    "The tag bears the name of the cluster.": "bears",
    "The mapping stands until the resource is deleted.": "stands",
    "The resource goes when its mapping is deleted.": "goes",
    "The operator goes on polling.": "goes",
    "A resource went while the watch was cut.": "went",
    "The mapping is created anew.": "anew",
    "It comes again after a minute.": "comes again",
    "Beside the tags, it checks the spec.": "Beside",
    "The other replica takes over at once.": "at once",
    "It is tried again in 30 s.": "It is tried",
    "It is not looked at.": "It is not looked",
    "The request is tried again by itself.": "tried again by itself",
    "A change by hand is put right.": "put right",
    "The sweep puts it right.": "puts it right",
    "Compare the spec with what AWS has.": "with what AWS has",
    "List the mappings that are at AWS.": "at AWS",
    "It prints what is there.": "what is there",
    "A view for who does not wait.": "for who",
    "The lease: who may take it.": ": who",
    "Whoever has the tags owns it.": "Whoever",
    "The tags decide whose it is.": "whose it",
    "The delete waits, for it is in use.": ", for it is",
    "They wait, for the tagging API is refused.": ", for the tagging API is",
    "Wait, for AWS does not answer.": ", for AWS does",
    "The field is empty if it is none.": "is none",
    "The value is another than the old one.": "is another",
    "The owner is another.": "is another",
    "Silence is no word of success.": "is no word of",
    "The status\nis told\nto them.": "told",
    "Pages are read at\nonce.": "at\nonce",
}

RIGHT = [
    "Argo CD deletes the resources in the wrong order, for example.",
    "Set it, for instance if the queue is encrypted.",
    "A tag has a key, for which AWS allows 128 characters.",
    "Use `[]` for a list, for a map or for a set.",
    "It holds the value for the resource that is deleted.",
    "A condition for each resource, for metrics and for people.",
    "`[]` stands for the items of a list.",
    "The second replica stands by.",
    "The record goes to the function.",
    "A request went through the proxy, and nothing goes wrong.",
    "Wait a while, say 5 minutes.",
    "Tell Terraform to ignore the tags.",
    "There is none.",
    "The connection, or None if there is none.",
    "It is another resource of the same kind.",
    "Users who come from Terraform read this page.",
    "Who may delete a mapping? The owner.",
    "Look at AWS CloudTrail.",
    "What is an event source mapping?",
    "The operator retries immediately and corrects the drift.",
    "The value is none-existent and the bystander is there.",
]


@pytest.mark.parametrize(("sentence", "phrase"), AVOIDED.items(), ids=AVOIDED)
def test_an_avoided_phrase_counts(sentence: str, phrase: str) -> None:
    assert [words.replace("\n", " ") for _, words in found(sentence)] == [phrase.replace("\n", " ")]


@pytest.mark.parametrize("sentence", RIGHT)
def test_plain_english_does_not_count(sentence: str) -> None:
    assert found(sentence) == []


def test_each_row_has_a_sentence() -> None:
    unused = [row.avoid for row in PHRASES if not any(found(sentence, [row]) for sentence in AVOIDED)]
    assert unused == []


MODULE = '''\
"""A module that tells."""
# A comment of
# two lines: says.
x = 1  # beside the code

class Thing:
    """A class."""
    name: str
    """A field that
    stands."""

def test_an_edit_is_told() -> None:
    say(f"The mapping {name} goes away,"
        " and comes again.")
    look("says", "at once")
    raise Refused("It is tried again.")
'''

PAGE = """\
# What it says

<!-- says: a comment -->
Text with `says` and <a id="says"></a>[a link](says.md).

```console
$ esm-operator says
```

| a | b |
|---|---|
| told | tells |
"""

YAML = """\
# A comment that says
# something.
summary: It tells.
says: told
"""


@pytest.mark.parametrize(
    ("file", "content", "places"),
    [
        (
            "operator/a.py",
            MODULE,
            ["1 tells", "3 says", "4 beside", "10 stands", "12 told", "13 goes", "13 comes again", "16 It is tried"],
        ),
        ("docs/a.md", PAGE, ["1 says", "12 told", "12 tells"]),
        ("helm/values.yaml", YAML, ["1 says", "3 tells"]),
    ],
    ids=["module", "page", "chart"],
)
def test_prose_is_read_and_code_is_not(file: str, content: str, places: list[str]) -> None:
    seen = [f"{text.place(start)} {words}" for text in texts_of(file, content) for start, words in found(text.text)]
    assert sorted(seen) == sorted(f"{file}:{place}" for place in places)


def test_the_files_of_the_project_are_read() -> None:
    files = {text.file for text in all_texts()}
    for file in (
        "README.md",
        "docs/contributing/contributing.md",
        "operator/esm_operator/api/models.py",
        "helm/esm-operator/values.yaml",
        "helm/esm-operator/files/alerts.yaml",
        "examples/04-sqs-queue.yaml",
        "tests/unit/test_plan.py",
    ):
        assert file in files


def test_more_than_the_limit_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    words = round(1_000 / LIMIT)
    few = Text("docs/a.md", 7, "It says " + "word " * (words - 2))
    many = Text("docs/b.md", 1, "word " * (words - 3) + "\nIt says")
    assert report([few]) == 0
    assert report([few, many]) == 1
    printed = capsys.readouterr().out
    assert "docs/a.md:7: says\n" in printed
    assert "docs/b.md:2: says\n" in printed
