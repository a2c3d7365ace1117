"""One guard: its source text, the harm without it, and the tests that fail when it is disabled."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "operator" / "esm_operator"


class StaleRowError(Exception):
    """A row of the table no longer matches the source. The message contains the remedy."""


@dataclass(frozen=True, slots=True)
class Guard:
    """A row of the table."""

    name: str
    harm: str
    """The harm without the guard when something is interrupted, stale, late or concurrent. One sentence."""
    file: str
    """Relative to ``operator/esm_operator``."""
    text: str
    """The guard: source text that occurs exactly once in the file."""
    without: str
    """The text that disables it."""
    tests: tuple[str, ...]
    """Arguments of pytest that select fast tests, of which at least one must fail when the guard is disabled."""

    def disabled(self) -> str:
        """The source of the file without the guard.

        Raises:
            StaleRowError: the text does not occur exactly once.
        """
        path = PACKAGE / self.file
        source = path.read_text() if path.exists() else ""
        count = source.count(self.text)
        if count != 1:
            raise StaleRowError(
                f'The text of the guard "{self.name}" occurs {count} times in operator/esm_operator/{self.file}, and '
                f"must occur once:\n{self.text}\nIf the guard was moved or rewritten, change file, text and without "
                f"of its row in tests/guards/, then run: python -m tests.guards {self.name}\nIf it is not needed any "
                "more, remove the row, and run: make tables"
            )
        return source.replace(self.text, self.without)


def case(*names: str) -> tuple[str, ...]:
    """Cases of the planner's table, as pytest's arguments."""
    return unit("plan", *(f"plan[{name}]" for name in names))


def unit(file: str, *names: str) -> tuple[str, ...]:
    """Tests of one file in ``tests/unit``, as arguments of pytest. No names: all of them."""
    return _tests(f"tests/unit/test_{file}.py", names)


def model(file: str, *names: str) -> tuple[str, ...]:
    """Tests of one file in ``tests/model``, as arguments of pytest."""
    return _tests(f"tests/model/test_{file}.py", names)


def _tests(path: str, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{path}::test_{name}" for name in names) or (path,)
