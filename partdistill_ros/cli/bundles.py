# SPDX-License-Identifier: Apache-2.0
"""`partdistill bundles`: the versions in a bundle store, and back to an older one."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from partdistill_ros.cli.common import Answer
from partdistill_ros.errors import PartDistillError

if TYPE_CHECKING:
    from partdistill_ros.inference.bundle_store import Version

SUMMARY = "versions of distilled bundles: list them, go back to one"
DESCRIPTION = """\
`partdistill distill --store` and the node distill_trainer keep every bundle that passed its check under a
name and a version: STORE/NAME/v0003. STORE/NAME/current leads to the active one and can be given
wherever a bundle is asked for. `rollback` makes the version before it active, or the one that --to names;
a running node takes it when it is asked to load STORE/NAME/current again."""
EXAMPLES = """\
  partdistill bundles ls bundles/
  partdistill bundles rollback bundles/ mugs
  partdistill bundles rollback bundles/ mugs --to v0004"""


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("action", choices=("ls", "rollback"), help="what to do")
    parser.add_argument("store", type=Path, metavar="STORE", help="folder of the store")
    parser.add_argument("name", nargs="?", metavar="NAME", help="one bundle (ls: all)")
    parser.add_argument("--to", metavar="VERSION", help="rollback: the version to make active, for example v0002")


def run(arguments: Namespace) -> Answer:
    """List, or change what is active."""
    from partdistill_ros.inference.bundle_store import BundleStore

    store = BundleStore(arguments.store)
    names = store.names()
    if not names:
        raise PartDistillError(f"{store.root} holds no bundles: name a folder that `partdistill distill --store` wrote")
    if arguments.name is not None and arguments.name not in names:
        raise PartDistillError(f"{store.root} has no bundle '{arguments.name}': there are {', '.join(names)}")
    if arguments.action == "ls":
        if arguments.to:
            raise PartDistillError("--to belongs to rollback")
        return _listed([one for name in names if arguments.name in (None, name) for one in store.versions(name)])
    if arguments.name is None:
        raise PartDistillError("rollback needs the name of a bundle: " + ", ".join(names))
    before = store.current(arguments.name)
    path = store.set_current(arguments.name, arguments.to) if arguments.to else store.roll_back(arguments.name)
    was = None if before is None else before.name
    record = {"name": arguments.name, "before": was, "current": path.name, "path": str(path)}
    link = path.with_name("current")
    return Answer(record, f"{arguments.name} is now {path.name}, was {was}\nload {link} into the nodes that run it")


def _listed(versions: list[Version]) -> Answer:
    from partdistill_ros.visualization.tables import aligned

    rows: list[tuple[str, ...]] = [("name", "version", "", "teacher", "scans", "problem")]
    entries: list[dict[str, Any]] = []
    for one in versions:
        origin = [str(one.training.get(key, "")) for key in ("teacher", "scans")]
        rows.append((one.name, one.label, "current" if one.current else "", *origin, one.problem or ""))
        entries.append(
            {
                "name": one.name,
                "version": one.label,
                "current": one.current,
                "path": str(one.path),
                "training": one.training,
                "problem": one.problem,
            }
        )
    return Answer({"versions": entries}, aligned(rows))
