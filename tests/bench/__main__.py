"""`python -m tests.bench`, or `make bench`.

Runs the worlds one after the other, shows a line now and then, and all figures at the end. It fails if a count is not
what it must be; times and memory depend on the machine and are only reported.
"""

import argparse
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench import checks, scale, table
from tests.bench.errors import BenchError
from tests.bench.figures import figures
from tests.bench.machine import this_machine
from tests.bench.progress import say
from tests.bench.results import Results, World
from tests.bench.stage import opened
from tests.bench.worlds import SCRIPTS, USUAL, lifted
from tests.demo import interrupts

TAIL = 3000  # characters of the operator's log, when something went wrong


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _arguments(argv)
    if arguments.render is not None:
        results = Results.load(arguments.render)
    else:
        interrupts.listen()
        try:
            results = _run(arguments)
        except KeyboardInterrupt:
            return 130
        except (BenchError, OSError) as error:
            print(error, file=sys.stderr)
            return 1
    status = _report(results)
    if arguments.write:
        _write(results)
    return status


def _write(results: Results) -> None:
    """Write the page, if all its results are there."""
    from tests.bench import page  # it needs matplotlib, which takes seconds to import

    if unfit := _unfit(results):
        say(f"\ndocs/reference/{page.PAGE} is not written, for {unfit}.")
        return
    page.write(results)
    say(f"\ndocs/reference/{page.PAGE} and its plots are written.")


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--mappings", type=_several, default=10_000, metavar="N", help="default: 10000")
    parser.add_argument("--worlds", type=_worlds, default=USUAL, help=f"some of {','.join(SCRIPTS)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the results, after each phase")
    parser.add_argument("--add", action="store_true", help="keep the other worlds that are in that file")
    parser.add_argument("--logs", type=Path, metavar="FOLDER", help="keep the operator's logs")
    parser.add_argument("--write", action="store_true", help="write docs/reference/performance.md and its plots")
    parser.add_argument("--render", type=Path, metavar="FILE", help="run nothing: take the results from this file")
    arguments = parser.parse_args(argv)
    if arguments.add and arguments.json is None:
        parser.error("--add needs --json")
    return arguments


def _several(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
    if number < 20:
        raise argparse.ArgumentTypeError("20 are the least that all phases work with")
    return number


def _worlds(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(SCRIPTS):
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(SCRIPTS)}")
    return names


def _run(arguments: argparse.Namespace) -> Results:
    """Run the worlds; one that fails does not keep the others from being measured."""
    results = Results(mappings=arguments.mappings, command=f"make bench N={arguments.mappings}", machine=this_machine())
    if arguments.add:
        results.worlds = _others(arguments.json, results.mappings)

    def save() -> None:
        if arguments.json is not None:
            results.save(arguments.json)

    with TemporaryDirectory(prefix="esm-operator-bench-") as temporary:
        logs: Path = arguments.logs or Path(temporary)
        logs.mkdir(parents=True, exist_ok=True)
        for name in arguments.worlds:
            script = SCRIPTS[name]
            world = results.worlds[name] = World(name=name, mappings=script.mappings(results.mappings))
            if name == "ceiling":
                world.arguments = list(lifted())
            say(f"{name}: {world.mappings:,} mappings")
            try:
                with opened(world, logs, save, scale.arguments(results.mappings)) as stage:
                    script.play(stage, world.mappings)
            except Exception as error:
                world.failure = f"{type(error).__name__}: {error}"
                traceback.print_exc()
                log = logs / f"operator-{name}.log"
                say(log.read_text(errors="replace")[-TAIL:] if log.exists() else "")
            save()
    return results


def _others(file: Path, mappings: int) -> dict[str, World]:
    """The worlds of an earlier run, in their usual order."""
    earlier = Results.load(file)
    if earlier.mappings != mappings:
        raise BenchError(f"{file} is of {earlier.mappings:,} mappings, and not of {mappings:,}.")
    return {name: earlier.worlds[name] for name in SCRIPTS if name in earlier.worlds}


def _unfit(results: Results) -> str:
    """Why no page is made of results; empty: it is."""
    for name in USUAL:
        world = results.worlds.get(name)
        if world is None or world.failure:
            return f"the world {name} {'is missing' if world is None else 'failed'}"
    return ""


def _report(results: Results) -> int:
    """Show everything. Returns 1 if a check fails."""
    for world in results.worlds.values():
        say(f"\n{world.name}: {world.mappings:,} mappings\n")
        say(table.plain(table.PHASES, table.phase_rows(world), widest=20))
    say("")
    say(table.plain(table.FIGURES, table.figure_rows(figures(results))))
    failures = checks.failures(results)
    for sentence in failures:
        print(f"FAILED: {sentence}", file=sys.stderr)
    if not failures:
        say("\nAll counts are what they must be.")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
