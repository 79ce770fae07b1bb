# SPDX-License-Identifier: Apache-2.0
"""The plan of docs/architecture.md, held against the imports: down the list of rooms only, and never round."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import partdistill_ros

PACKAGE = "partdistill_ros"
FOLDER = Path(partdistill_ros.__file__).parent
ROOMS = (
    "cli", "nodes", "synthetic.training", "evaluation", "recording", "distillation", "teachers", "students", "text",
    "inference", "objects", "synthetic", "visualization", "rendering", "io", "pointcloud", "options", "errors",
)  # fmt: skip
GENERATED = ("msg", "srv", "action")


def module_of(file: Path) -> str:
    parts = file.relative_to(FOLDER.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(file): file for file in sorted(FOLDER.rglob("*.py"))}


def imports_of(file: Path) -> Iterator[tuple[int, str]]:
    """Line and module of every import of this package in a file, those inside functions and for types alone too."""
    for node in ast.walk(ast.parse(file.read_text(), str(file))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names if alias.name.split(".")[0] == PACKAGE)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == PACKAGE:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from ((node.lineno, name) for name in sorted((names & set(MODULES)) or {node.module}))


def room_of(module: str) -> int | None:
    """The place of a module's room in the list; None for the package itself and what ROS generates."""
    inside = module.removeprefix(PACKAGE).lstrip(".")
    found = [room for room in ROOMS if inside == room or inside.startswith(f"{room}.")]
    return ROOMS.index(max(found, key=len)) if found else None


def test_every_file_is_in_a_room():
    homeless = [name for name in MODULES if name != PACKAGE and room_of(name) is None]
    assert not homeless, f"no room of docs/architecture.md holds {homeless}"


def test_imports_go_down_the_list_only():
    wrong = []
    for module, file in MODULES.items():
        for line, target in imports_of(file):
            here, there = room_of(module), room_of(target)
            if here is not None and there is not None and there < here:
                place = f"{file.relative_to(FOLDER.parent)}:{line}"
                wrong.append(f"{place}: {ROOMS[here]} imports {target}, which is above")
    assert not wrong, "\n".join(wrong)


def test_no_import_goes_round():
    graph = {module: {name for _, name in imports_of(file)} & set(MODULES) for module, file in MODULES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError("these files import each other: " + " -> ".join(error.args[1])) from None


def test_every_import_of_the_package_exists():
    wrong = []
    for module, file in MODULES.items():
        for line, target in imports_of(file):
            if target not in MODULES and target.split(".")[1] not in GENERATED:
                wrong.append(f"{module}, line {line}: there is no {target}")
    assert not wrong, "\n".join(wrong)


def test_the_map_names_every_room(repository):
    page = (repository / "docs" / "architecture.md").read_text()
    order = [page.index(f"| `{room}/`") for room in ROOMS if "." not in room and room not in ("options", "errors")]
    assert order == sorted(order), "docs/architecture.md lists the rooms in another order than they are imported"


METHOD = (
    "distillation/config.py", "distillation/pipeline.py", "distillation/samples.py", "teachers/protocol.py",
    "distillation/teacher_query.py", "distillation/units.py", "distillation/losses.py", "distillation/trainer.py",
    "distillation/backward.py", "distillation/box_fit.py",
)  # fmt: skip


def test_the_method_reads_in_one_sitting(repository):
    page = (repository / "docs" / "architecture.md").read_text()
    order = [page.index(f"| `{name}`") for name in METHOD]
    assert order == sorted(order), "docs/architecture.md tells another reading order"
    lines = {name: len((FOLDER / name).read_text().splitlines()) for name in METHOD}
    assert sum(lines.values()) <= 1500, f"the method has {sum(lines.values())} lines: {lines}"
