"""Disables each guard in turn, and reports those that no test notices: ``python -m tests.guards [NAME ...]``.

The exit status is 1 if a guard is not noticed, if a row is out of date, or if the tests fail anyway.
"""

import argparse
import sys
from collections.abc import Sequence

from tests.guards.guard import Guard, StaleRowError
from tests.guards.table import BY_NAME
from tests.guards.trial import Trials, Verdict

#: Characters of a failure that are printed.
_MOST = 160


def main(words: Sequence[str] | None = None) -> int:
    """Try the guards that are named, or all.

    Args:
        words: the arguments of the command line. None: those of this process.

    Returns:
        the exit status.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.guards", description="Disable each guard in turn.")
    parser.add_argument("names", metavar="NAME", nargs="*", help="of a guard; none: all of them")
    parser.add_argument("--verbose", action="store_true", help="print what pytest prints")
    arguments = parser.parse_args(words)
    if unknown := [name for name in arguments.names if name not in BY_NAME]:
        parser.error(f"There is no such guard: {', '.join(unknown)}")
    guards = [BY_NAME[name] for name in arguments.names or BY_NAME]
    with Trials() as trials:
        if not _passes(trials, guards):
            return 1
        missed: list[str] = []
        for number, guard in enumerate(guards, 1):
            print(f"{number}/{len(guards)} {guard.name}: ", end="", flush=True)
            if not _is_caught(trials, guard, verbose=arguments.verbose):
                missed.append(guard.name)
    if missed:
        print(f"No test notices that these are disabled ({len(missed)} of {len(guards)}): {', '.join(missed)}")
        return 1
    print(f"A test notices each of {len(guards)} guards.")
    return 0


def _passes(trials: Trials, guards: Sequence[Guard]) -> bool:
    """Whether the tests pass while no guard is disabled."""
    outcome = trials.unchanged(guards)
    if outcome.verdict is Verdict.PASSED:
        print("The tests pass while no guard is disabled.", flush=True)
        return True
    print(f"{outcome.output}\nThe tests must pass while no guard is disabled, but {outcome.verdict.value}.")
    return False


def _is_caught(trials: Trials, guard: Guard, *, verbose: bool) -> bool:
    """Whether a test fails when a guard is disabled. Completes the current line of the output."""
    try:
        outcome = trials.without(guard)
    except StaleRowError as error:
        print(f"OUT OF DATE. {error}", flush=True)
        return False
    if outcome.verdict is Verdict.FAILED:
        print(f"caught by {outcome.failure[:_MOST]}", flush=True)
    else:
        print(f"NOT CAUGHT. Its tests: {outcome.verdict.value}", flush=True)
    if verbose or outcome.verdict is Verdict.NOT_RUN:
        print(outcome.output, flush=True)
    return outcome.verdict is Verdict.FAILED


if __name__ == "__main__":
    sys.exit(main())
