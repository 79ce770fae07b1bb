# SPDX-License-Identifier: Apache-2.0
"""`partdistill collection`: look into collections of scans, check, merge and fill them."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from partdistill_ros.cli.common import (
    PICTURES,
    Answer,
    LeftOut,
    add_unit,
    check_folder,
    check_inputs,
    check_output,
    say,
)
from partdistill_ros.cli.progress import progress
from partdistill_ros.errors import CommandFailed
from partdistill_ros.text.space import clean_category

SUMMARY = "list, check, merge and fill collections of scans"
DESCRIPTION = """\
A collection is a folder that anyone can read: for each scan a folder with cloud.ply, picture.png, the
camera's views/, the knowledge/ of teachers and a manifest, scan.json. Copy, rename and delete these
folders as you like. `partdistill collect` and the node scan_recorder fill it; every command that takes
scans takes a collection, names what is damaged in it and goes on with the rest."""
EXAMPLES = """\
  partdistill collection ls mugs/
  partdistill collection ls mugs/ --picture mugs.png
  partdistill collection check mugs/                    reads every byte; exit code 1 if anything is damaged
  partdistill collection add cup.ply scans/ --to mugs/ --category mug
  partdistill collection merge monday/ tuesday/ --out mugs/
  partdistill distill mugs/ --category mug --parts "handle, cup" --out my_mugs"""

LS = """\
One line a scan: its category, points, views of the camera that went into it, entries of knowledge, and
where it comes from. Only manifests are read; `collection check` reads the clouds too."""
CHECK = """\
Read every cloud, compare it with its checksum, and name every scan that is damaged with the remedy.
Nothing is changed. Exit code 0: all valid, 1: something is damaged."""
MERGE = """\
Copy the valid scans of collections into one. A scan that is there already (same cloud) is not copied
again, only its new knowledge is; so a merge that was interrupted is repeated. Another scan under a taken
name gets a number."""
ADD = """\
Bring scan files, folders and bags of clouds in as they are. To cut objects out of bags use
`partdistill collect`. Scans that cannot be read are named and left out."""


def configure(parser: ArgumentParser) -> None:
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True, dest="verb")

    def verb(name: str, words: str, text: str, example: str) -> ArgumentParser:
        layout = RawDescriptionHelpFormatter
        own = verbs.add_parser(
            name,
            help=words,
            description=text,
            epilog=f"examples:\n  {example}",
            formatter_class=layout,
            allow_abbrev=False,
        )
        # A default here would undo `collection --json ls`.
        own.add_argument("--json", action="store_true", default=SUPPRESS, help="print one JSON object and nothing else")
        return own

    ls = verb("ls", "one line a scan", LS, "partdistill collection ls mugs/")
    check = verb("check", "name what is damaged", CHECK, "partdistill collection check mugs/")
    for one in (ls, check):
        one.add_argument("collection", type=Path, metavar="COLLECTION", help="folder of a collection")
    ls.add_argument("--picture", type=Path, metavar="PNG", help="draw all scans on one picture")
    merge = verb("merge", "several into one", MERGE, "partdistill collection merge monday/ tuesday/ --out mugs/")
    merge.add_argument("collections", nargs="+", type=Path, metavar="COLLECTION", help="collections to copy from")
    merge.add_argument("--out", type=Path, required=True, metavar="COLLECTION", help="made where it is not there")
    add = verb("add", "bring scan files in", ADD, "partdistill collection add cup.ply scans/ --to mugs/ --category mug")
    add.add_argument("scans", nargs="+", type=Path, metavar="SCAN", help="scan, mesh, bag, or folder of them")
    add.add_argument("--to", type=Path, required=True, metavar="COLLECTION", help="made where it is not there")
    add_unit(add)
    add.add_argument("--category", metavar="NAME", help="what the objects are (default: what their files say)")


def run(arguments: Namespace) -> Answer:
    """One of the verbs."""
    verbs = {"ls": _list, "check": _check, "merge": _merge, "add": _add}
    return verbs[arguments.verb](arguments)


def _list(arguments: Namespace) -> Answer:
    from partdistill_ros.recording.collection import Collection
    from partdistill_ros.visualization.tables import aligned

    if arguments.picture is not None:
        check_output(arguments.picture, PICTURES)
    damaged = LeftOut()
    rows: list[dict[str, Any]] = []
    recorded_scans = Collection.open(arguments.collection).scans(damaged)
    if arguments.picture is not None:
        from partdistill_ros.recording.contact_sheet import contact_sheet
        from partdistill_ros.visualization.pictures import save_picture

        save_picture(arguments.picture, contact_sheet(recorded_scans))
    for recorded in recorded_scans:
        rows.append(
            {
                "name": recorded.name,
                "category": recorded.manifest.category,
                "points": recorded.manifest.points,
                "views": len(recorded.manifest.captures),
                "knowledge": len(list(recorded.knowledge.glob("*.npz"))),
                "source": recorded.manifest.source,
            }
        )
    record = {"collection": str(arguments.collection), "scans": rows, "damaged": dict(damaged.found)}
    if not rows:
        return Answer(record, f"{arguments.collection} holds no valid scan" + _lost(damaged))
    heads = ("scan", "category", "points", "views", "knowledge", "from")
    cells = [
        (row["name"], row["category"] or "-", *(str(row[name]) for name in heads[2:5]), _origin(row["source"]))
        for row in rows
    ]
    return Answer(record, aligned([heads, *cells]) + _lost(damaged))


def _check(arguments: Namespace) -> Answer:
    from partdistill_ros.recording.collection import check

    found = check(arguments.collection, progress)
    for problem in found.damaged.values():
        say(f"damaged: {problem}")
    if found.damaged:
        raise CommandFailed(
            f"{len(found.damaged)} of {len(found.damaged) + len(found.valid)} scans of {arguments.collection} are "
            f"damaged: {', '.join(found.damaged)}"
        )
    record = {"collection": str(arguments.collection), "valid": found.valid, "unfinished": found.unfinished}
    text = f"{len(found.valid)} scans, all valid"
    if found.unfinished:
        text += f"\nleft behind by an interrupted writer, to be deleted: {', '.join(found.unfinished)}"
    return Answer(record, text)


def _merge(arguments: Namespace) -> Answer:
    check_folder(arguments.out)
    check_inputs(arguments.collections)
    from partdistill_ros.recording.collection import merge

    damaged = LeftOut()
    merged = merge(arguments.collections, arguments.out, damaged, progress)
    record = {"out": str(arguments.out), "added": merged.added, "known": merged.known, "damaged": dict(damaged.found)}
    text = f"{len(merged.added)} scans added to {arguments.out}, {len(merged.known)} there already"
    return Answer(record, text + _lost(damaged))


def _add(arguments: Namespace) -> Answer:
    check_folder(arguments.to)
    check_inputs(arguments.scans)
    category = clean_category(arguments.category)
    from partdistill_ros.io.load import load_scans
    from partdistill_ros.recording.collection import Collection

    collection = Collection.create(arguments.to)
    left_out = LeftOut()
    added: list[str] = []
    for scan in progress(load_scans(arguments.scans, on_skip=left_out, unit=arguments.unit), "add"):
        named = scan if category is None else scan.with_(category=category)
        added.append(collection.add(named, source={"file": scan.name}).name)
    record = {"collection": str(arguments.to), "added": added, "left_out": dict(left_out.found)}
    lost = f", {len(left_out.found)} left out" if left_out.found else ""
    return Answer(record, f"{len(added)} scan{'s' * (len(added) != 1)} added to {arguments.to}{lost}")


def _lost(damaged: LeftOut) -> str:
    return f"\n{len(damaged.found)} damaged, named above" if damaged.found else ""


def _origin(source: dict[str, Any]) -> str:
    place = source.get("bag") or source.get("topic") or source.get("file") or "-"
    return f"{place} ({source['cut']})" if "cut" in source else str(place)
