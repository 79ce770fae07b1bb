# SPDX-License-Identifier: Apache-2.0
"""`partdistill`: every command, one way to answer, one way to fail."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import logging
import math
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from partdistill_ros import __version__
from partdistill_ros.cli.common import LINES, Answer
from partdistill_ros.errors import CommandFailed, PartDistillError, describe, of_surroundings, printable

COMMANDS = (
    "demo", "segment", "view", "info", "collect", "collection", "distill", "bundles", "pretrain", "teachers", "render",
    "cosegment", "evaluate", "reproduce", "units", "bag", "import-knowledge",
)  # fmt: skip

DESCRIPTION = """\
Live 3D part segmentation, distilled from vision-language models.

A robot records scans; `distill` turns what a vision-language model sees in rendered
views of them into a small 3D student (a bundle); `segment`, or the ROS 2 node
part_segmenter, labels clouds with the parts that you ask for in words."""

EXAMPLES = """\
start here:
  partdistill demo                                     a table scene through the live node
  partdistill segment scene.pcd --scene tabletop --query "mug: handle, cup" \\
      --out labeled.ply --picture labeled.png            one cloud, no ROS
  partdistill view labeled.ply                         look at it in the browser
  partdistill info default                             what the shipped student knows

make a student of your own scans:
  partdistill collect recording/ --out mugs/           objects out of a ROS 2 bag
  partdistill collection ls mugs/
  partdistill distill mugs/ --category mug --parts "handle, cup" --out my_mugs
  partdistill evaluate labeled_shapes/ --bundle my_mugs

Every command has --help with examples of its own, and --json for programs: one JSON
object on standard output, everything else on standard error. Exit code: 0 done, 2 wrong
usage or bad input, 1 failed. `default` names the shipped student wherever a bundle is
asked for."""


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = CommandParser(
        prog="partdistill", description=DESCRIPTION, epilog=EXAMPLES, formatter_class=layout, allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"partdistill_ros {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in COMMANDS:
        command = importlib.import_module(module_of(name))
        own = commands.add_parser(
            name,
            help=command.SUMMARY,
            description=command.DESCRIPTION,
            epilog=f"examples:\n{command.EXAMPLES}",
            formatter_class=layout,
            allow_abbrev=False,
        )
        command.configure(own)
        own.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
        own.set_defaults(run=command.run)
    return parser


def module_of(command: str) -> str:
    """The module behind a command's name: dashes are underscores there."""
    return f"partdistill_ros.cli.{command.replace('-', '_')}"


class CommandParser(argparse.ArgumentParser):
    """Its complaints are safe for a terminal."""

    def error(self, message: str) -> NoReturn:
        super().error(printable(message, LINES))


class PrintableFormatter(logging.Formatter):
    """Records that are safe for a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record), LINES)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code (wrong usage leaves through SystemExit with code 2)."""
    parsed = build_parser().parse_args(arguments)
    _log_to_stderr()
    answer, problem, code = "", "", 0
    try:
        # Libraries print as they like: standard output belongs to the answer.
        with contextlib.redirect_stdout(sys.stderr), _sigterm_as_ctrl_c():
            found: Answer = parsed.run(parsed)
            answer = json.dumps(_finite(found.record), allow_nan=False) if parsed.json else printable(found.text, LINES)
    except PartDistillError as error:
        problem, code = str(error), 1 if isinstance(error, CommandFailed) else 2
    except KeyboardInterrupt:
        problem, code = "interrupted", 1
    except MemoryError:
        problem, code = "not enough memory: use smaller or fewer scans", 1
    except Exception as error:  # the last place: a program that reads --json still gets its object
        if of_surroundings(error):
            problem, code = describe(error), 2
        else:
            print(printable(traceback.format_exc(), LINES), file=sys.stderr)
            problem, code = f"{describe(error)} (an error of this program: please report it)", 1
    if problem:
        print(f"partdistill: error: {printable(problem, LINES)}", file=sys.stderr)
        answer = json.dumps({"error": problem}) if parsed.json else ""
    return _print(answer, code) if answer else code


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PrintableFormatter("partdistill: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


@contextlib.contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """Files that were begun are removed on the way out."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _finite(value: Any) -> Any:
    """A record as JSON has it: NaN and infinities are null."""
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _print(text: str, code: int) -> int:
    try:
        print(text, flush=True)
    except UnicodeEncodeError:  # of an output that is not UTF-8
        print(ascii(text)[1:-1].replace("\\n", "\n"), flush=True)
    except OSError as error:
        # The reader has left (`| head`), or the disk is full: the interpreter must not complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            print(f"partdistill: error: cannot write the answer: {error.strerror}", file=sys.stderr)
        return 1
    return code
