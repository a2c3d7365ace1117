"""Guards against answers and texts from outside that are too large, or have hidden characters."""

from tests.guards.guard import Guard, unit

_LIMITS, _YAML = "aws/answer_limits.py", "commands/yaml_text.py"

GUARDS = (
    Guard(
        name="size-of-answers",
        harm="An endpoint sends an endless answer, and the process runs out of memory.",
        file=_LIMITS,
        text="if received > most:",
        without="if False:",
        tests=unit("answer_limits", "larger_answers_are_refused"),
    ),
    Guard(
        name="values-of-answers",
        harm="An answer with millions of small values takes much more memory as objects than as text.",
        file=_LIMITS,
        text="    if count > MOST_VALUES:",
        without="    if False:",
        tests=unit("answer_limits", "many_small_values_are_refused"),
    ),
    Guard(
        name="types-of-answers",
        harm="An answer has an object in place of a text, and the operator fails on all resources of the target.",
        file="aws/connection.py",
        text="    if not check(answer):",
        without="    if False:",
        tests=unit("answer_shapes", "a_wrong_type_in_a_mapping_is_an_unreadable_answer"),
    ),
    Guard(
        name="beginning-of-texts",
        harm="A text of a million control characters keeps the event loop busy until the lease is lost.",
        file="api/foreign_text.py",
        text="    beginning = visible(text[:most])",
        without="    beginning = visible(text)",
        tests=unit("foreign_text", "only_the_beginning_of_a_long_text_is_escaped"),
    ),
    Guard(
        name="lists-that-end",
        harm="An endpoint lists other mappings without end, and the process runs out of memory.",
        file="aws/sweeper.py",
        text="if self._account_region.inventory.is_too_large:",
        without="if False:",
        tests=unit("sweeper", "long_texts_count_as_many_mappings"),
    ),
    Guard(
        name="pages-that-end",
        harm="An endpoint sends empty pages without end, and its resources never show why they wait.",
        file=_LIMITS,
        text="max(len(page), FEW_ITEMS)",
        without="len(page)",
        tests=unit("answer_limits", "a_long_list_is_refused_and_counts_empty_pages"),
    ),
    Guard(
        name="half-characters",
        harm="A status with half a surrogate pair is written for ever, because the API server stores another text.",
        file="api/frozen_json.py",
        text="self._text = _utf8(_ENCODER.encode(document))",
        without='self._text = _ENCODER.encode(document).encode(errors="surrogatepass")',
        tests=unit("answer_limits", "half_characters_are_kept_as_the_api_server_stores_them"),
    ),
    Guard(
        name="short-conditions",
        harm="The API server refuses a status for ever, because a message is too long.",
        file="status/conditions.py",
        text="Condition(kind, status, reason, shown(text), generation",
        without="Condition(kind, status, reason, text, generation",
        tests=unit("foreign_text", "no_message_of_a_condition_is_written_as_it_comes"),
    ),
    Guard(
        name="lines-of-the-log",
        harm="A text from outside forges a line of the log, or changes the terminal of its reader.",
        file="logs.py",
        text="    handler.addFilter(_make_visible)\n",
        without="",
        tests=unit("foreign_text", "no_line_of_the_log_is_from_outside"),
    ),
    Guard(
        name="comments-in-yaml",
        harm="A tag ends a comment, and adds a document to a manifest that a person applies.",
        file=_YAML,
        text='return f"# {visible(text)}"',
        without='return f"# {text}"',
        tests=unit("yaml_text", "an_ordinary_line_is_written_as_people_write_it"),
    ),
    Guard(
        name="yaml-is-read-back",
        harm="A manifest is printed that other tools read with another meaning.",
        file=_YAML,
        text="    if found != wanted:",
        without="    if False:",
        tests=unit("yaml_text", "half_a_character_is_refused"),
    ),
    Guard(
        name="visible-terminals",
        harm="A tag or an answer changes the terminal of a person who runs a command.",
        file="terminal.py",
        text="map(visible, ",
        without="map(str, ",
        tests=unit("yaml_text", "prints_are_visible"),
    ),
)
