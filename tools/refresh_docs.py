# SPDX-License-Identifier: Apache-2.0
"""Writes what the documentation says about parameters and options from their declarations.

    .venv/bin/python tools/refresh_docs.py

Run it after a change of a node's parameters, of `DistillConfig` or of `PretrainConfig`. It writes the parameter files
in config/, and in docs/ what stands between `<!-- parameters of NODE -->` or `<!-- options of COMMAND -->` and
`<!-- end -->`.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import MISSING
from pathlib import Path

from partdistill_ros.distillation.config import DistillConfig
from partdistill_ros.distillation.pretrain_config import PretrainConfig
from partdistill_ros.io.atomic import atomic_path
from partdistill_ros.nodes.publisher_parameters import PublisherParameters
from partdistill_ros.nodes.recorder_parameters import RecorderParameters
from partdistill_ros.nodes.segmenter_parameters import SegmenterParameters
from partdistill_ros.nodes.trainer_parameters import TrainerParameters
from partdistill_ros.options import KINDS, Option, declared, options_of

NODES: dict[str, object] = {
    "part_segmenter": SegmenterParameters(),
    "scan_publisher": PublisherParameters(),
    "scan_recorder": RecorderParameters(),
    "distill_trainer": TrainerParameters(),
}
COMMANDS: dict[str, type] = {"distill": DistillConfig, "pretrain": PretrainConfig}
HEADING = (
    "Every parameter of {node} with its default; copy it, change it, and {start}. "
    "Those not marked as read at the start only {change}."
)
LAUNCHED = {"start": "launch with\nparams_file:=YOURS.yaml", "change": "can be changed with 'ros2 param set'"}
RECORDED = {"start": "start with\n--params-file YOURS.yaml", "change": "count from the next ~/start on"}
FILES = {
    "segment.yaml": ("part_segmenter", LAUNCHED),
    "record.yaml": ("scan_recorder", RECORDED),
    "distill.yaml": ("distill_trainer", LAUNCHED),
}
PAGES = ("ros.md", "students.md", "train.md")
REGION = re.compile(r"(<!-- (parameters|options) of (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
SPDX = "# SPDX-License-Identifier: Apache-2.0\n"


def parameter_file(parameters: object, heading: str) -> str:
    """A parameter file with every parameter, its default, meaning and valid values."""
    lines = [f"# {line}" for line in heading.splitlines()] + ["/**:", "  ros__parameters:"]
    groups: list[str] = []
    for option in options_of(parameters):
        *path, name = option.name.split(".")
        shared = sum(1 for here, there in zip(path, groups, strict=False) if here == there)
        lines += [f"{_indent(depth)}{path[depth]}:" for depth in range(shared, len(path))]
        groups, indent = path, _indent(len(path))
        valid = f" Valid: {option.constraint()}." if option.constraint() else ""
        meaning = option.description + valid + (" Read at the start only." if option.read_only else "")
        lines += [f"{indent}# {line}" for line in textwrap.wrap(meaning, 110 - len(indent))]
        lines.append(f"{indent}{name}: {_yaml(option.default)}")
    return "\n".join(lines) + "\n"


def parameter_table(parameters: object) -> str:
    """The same for people."""
    rows = (
        (
            f"`{option.name}`",
            f"`{_yaml(option.default)}`",
            option.constraint() or KINDS[option.kind],
            option.description + (" *Read at the start only.*" if option.read_only else ""),
        )
        for option in options_of(parameters)
    )
    return _table(("parameter", "default", "valid", "meaning"), rows)


def option_table(config: type) -> str:
    """The options of a command as its arguments."""
    rows = ((_argument(option), _default(option), _valid(option), option.description) for option in declared(config))
    return _table(("option", "default", "valid", "meaning"), rows)


def _argument(option: Option) -> str:
    value = option.metavar or option.name.upper()
    if option.positional:
        return f"`{value}...`"
    return f"`{option.flag}`" if option.kind is bool or option.choices else f"`{option.flag} {value}`"


def _default(option: Option) -> str:
    if option.default is MISSING:
        return "must be given"
    return "-" if option.default is False or option.default in (None, ()) else f"`{option.default}`"


def _valid(option: Option) -> str:
    return option.constraint() or ("" if option.kind is bool else KINDS[option.kind])


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [tuple(head), ("---",) * 4, *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def _indent(depth: int) -> str:
    return "  " * (depth + 2)


def _yaml(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


TABLES: dict[str, Callable[[str], str]] = {
    "parameters": lambda node: parameter_table(NODES[node]),
    "options": lambda command: option_table(COMMANDS[command]),
}


def refreshed(page: str) -> str:
    """The page with its tables as they should be; KeyError for a node or command that is not known here."""
    return REGION.sub(lambda found: f"{found[1]}{TABLES[found[2]](found[3])}{found[4]}", page)


def wanted(root: Path) -> dict[Path, str]:
    """What each generated file should hold."""
    files = {
        root / "config" / name: SPDX + parameter_file(NODES[node], HEADING.format(node=node, **words))
        for name, (node, words) in FILES.items()
    }
    pages = (root / "docs" / name for name in PAGES)
    return {**files, **{page: refreshed(page.read_text()) for page in pages}}


def main() -> int:
    """Writes what is out of date, and says so."""
    for path, text in wanted(Path(__file__).resolve().parents[1]).items():
        if path.read_text() != text:
            with atomic_path(path) as temporary:
                temporary.write_text(text)
            print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
