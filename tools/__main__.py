"""Write the generated files, or with --check report those that are stale: ``python -m tools [--check] [NAME ...]``.

The exit status is 1 if --check finds a stale file.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from tools.generated import stale, write
from tools.generators import GENERATORS


def main(words: Sequence[str] | None = None) -> int:
    """Run the generators that are named, or all.

    Args:
        words: the arguments; None: those of this process.

    Returns:
        the exit status.
    """
    parser = argparse.ArgumentParser(prog="python -m tools", description="Write the generated files.")
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"a generator ({', '.join(GENERATORS)}); none: all")
    parser.add_argument("--check", action="store_true", help="report stale files, and write nothing")
    arguments = parser.parse_args(words)
    if unknown := [name for name in arguments.names if name not in GENERATORS]:
        parser.error(f"There is no such generator: {', '.join(unknown)}")
    found: list[str] = []
    for name in arguments.names or GENERATORS:
        files = GENERATORS[name]()
        if arguments.check:
            found += map(os.path.relpath, stale(files))
        else:
            write(files)
    if found:
        print(f"Generated files are stale: {', '.join(sorted(found))}. Run: make crds tables", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
