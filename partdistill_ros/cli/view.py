# SPDX-License-Identifier: Apache-2.0
"""`partdistill view`: labeled clouds of a file or a running node, in the browser or as a turntable."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from partdistill_ros.cli.common import (
    Answer,
    add_engine,
    add_scene,
    add_unit,
    check_output,
    check_scene,
    positive,
    say,
    scene_options,
    scene_query,
)
from partdistill_ros.cli.progress import progress
from partdistill_ros.errors import CommandFailed, PartDistillError

if TYPE_CHECKING:
    from partdistill_ros.nodes.label_subscriber import PairSubscriber
    from partdistill_ros.visualization.browser import BrowserViewer, Content

SUMMARY = "look at labeled clouds, in the browser or as a turntable"
DESCRIPTION = """\
Show a file (.npz .ply .pcd .obj .stl .glb, with or without labels), the answer of a student to it
(--query), or what a running node publishes (--topic), with a legend by part.

Without --turntable a page is served until Ctrl-C; choose there what to show and how to color it.
It needs the extra `view`. --turntable draws pictures instead, without a display: an animation
(.gif, .webp) or views side by side (.png, .jpg)."""
EXAMPLES = """\
  partdistill view labeled.ply
  partdistill view scene.pcd --query "mug: handle, cup" --scene tabletop
  partdistill view --topic labeled_points
  partdistill view labeled.npz --up z --turntable labeled.gif"""

FRAMES, STILL_FRAMES = 36, 4
SILENCE_SECONDS = 10.0  # after so long without a cloud, it is told why none may have come
FIRST_SECONDS = 30  # a turntable of a topic waits so long for a cloud
SHOWS_A_SECOND = 10


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="cloud or mesh, labeled or not")
    parser.add_argument("--topic", metavar="NAME", help="labeled clouds of a running node, usually labeled_points")
    parser.add_argument("--legend", metavar="NAME", help="topic of their names (default: part_legend beside --topic)")
    parser.add_argument("--query", metavar="PARTS", help="ask a student about FILE: parts to look for")
    parser.add_argument("--bundle", metavar="B", help="the student to ask (default: the shipped one)")
    add_scene(parser)
    add_unit(parser)
    parser.add_argument("--turntable", type=Path, metavar="OUT", help="write pictures (.gif .webp .png .jpg) instead")
    parser.add_argument("--frames", type=positive, metavar="N", help="views of a turntable (36; side by side: 4)")
    parser.add_argument("--host", default="127.0.0.1", help="serve for others too: 0.0.0.0 (default: this machine)")
    parser.add_argument("--port", type=positive, default=8080, metavar="P", help="the page's port (8080)")
    parser.add_argument("--most", type=positive, default=300_000, metavar="N", help="points sent at most (300000)")
    parser.add_argument("--seconds", type=positive, metavar="S", help="end after so long (default: with Ctrl-C)")
    add_engine(parser)


def run(arguments: Namespace) -> Answer:
    """Find the cloud, show it or draw it."""
    _check(arguments)
    if arguments.turntable is not None:
        return _turntable(arguments)
    from partdistill_ros.visualization.browser import BrowserViewer

    with BrowserViewer(arguments.host, arguments.port, arguments.most) as viewer:
        shown = _serve(arguments, viewer)
        record = {"source": _source(arguments), "url": viewer.url, "shown": shown}
    return Answer(record, f"{shown} cloud{'s' * (shown != 1)} shown")


def _check(arguments: Namespace) -> None:
    if (arguments.file is None) == (arguments.topic is None):
        raise PartDistillError("name either a FILE or a --topic to look at")
    if arguments.legend is not None and arguments.topic is None:
        raise PartDistillError("--legend needs --topic: the names of a file's parts are in the file")
    if arguments.topic is not None and arguments.query is not None:
        raise PartDistillError("--query asks about a FILE; a running node is asked by its topic part_query")
    if arguments.query is None:
        for option, unset in (("bundle", None), ("scene", "object")):
            if getattr(arguments, option) != unset:
                raise PartDistillError(f"--{option} needs --query: which parts to look for")
    check_scene(arguments)
    if arguments.topic is not None and arguments.unit != "m":
        raise PartDistillError("--unit is that of a FILE; the live node has a parameter 'unit' for its clouds")
    if not arguments.port < 65536:
        raise PartDistillError(f"--port is {arguments.port}: it must be below 65536")
    if arguments.turntable is not None:
        from partdistill_ros.visualization.turntable import ANIMATIONS, STILLS

        check_output(arguments.turntable, (*ANIMATIONS, *STILLS), [arguments.file] if arguments.file else [])
    elif arguments.frames is not None:
        raise PartDistillError("--frames needs --turntable")


def _source(arguments: Namespace) -> str:
    return str(arguments.file or arguments.topic)


def _from_file(arguments: Namespace) -> Content:
    """The file's own labels, or a student's answer."""
    from partdistill_ros.io.load import load_scan
    from partdistill_ros.visualization.browser import Content, content_of

    scan = load_scan(arguments.file, up=arguments.up, unit=arguments.unit)
    if arguments.query is None:
        return content_of(scan)
    from partdistill_ros.inference.scene import label_scene
    from partdistill_ros.inference.segmenter import Segmenter

    segmenter = Segmenter(arguments.bundle or "default", arguments.device, arguments.threads)
    query = scene_query(segmenter, arguments)
    # Of a mesh its surface: that is what is looked at, and vertices lie where the shape is complicated.
    seen = content_of(scan).scan
    answer = label_scene(segmenter, query, seen, scene_options(arguments))
    if answer.problem is not None:
        say(answer.problem)
    return Content(seen, answer.labels, answer.parts, answer.confidence)


def _subscriber(arguments: Namespace) -> PairSubscriber:
    from partdistill_ros.nodes.environment import prepare

    prepare()
    from partdistill_ros.nodes.label_subscriber import PairSubscriber, legend_topic

    return PairSubscriber(arguments.topic, arguments.legend or legend_topic(arguments.topic), say)


def _serve(arguments: Namespace, viewer: BrowserViewer) -> int:
    """Shows what there is until it is time to end; returns how many clouds were shown."""
    end = time.monotonic() + (arguments.seconds or float("inf"))
    shown = 0
    try:
        for content in _clouds(arguments, end):
            viewer.show(content)
            shown += 1
            if shown == 1:
                say(f"open {viewer.url} and end with Ctrl-C; {len(content.labels):,} points of {_source(arguments)}")
        while arguments.file is not None and time.monotonic() < end:
            time.sleep(0.2)
    except KeyboardInterrupt:
        say("ended")
    return shown


def _clouds(arguments: Namespace, end: float) -> Iterator[Content]:
    """The file's, or those of the topic until `end`: not more often than a browser draws. Tells of silence."""
    if arguments.file is not None:
        yield _from_file(arguments)
        return
    with _subscriber(arguments) as subscriber:
        say(f"listening to {arguments.topic}")
        received = time.monotonic()
        while time.monotonic() < end:
            begin = time.monotonic()
            content = subscriber.newest(min(1.0, end - begin))
            if content is not None and content.scan.finite().any():
                yield content.with_up(arguments.up)
                received = time.monotonic()
                time.sleep(max(0.0, begin + 1 / SHOWS_A_SECOND - received))
            elif time.monotonic() - received > SILENCE_SECONDS:
                say(subscriber.silence())
                received = time.monotonic()


def _turntable(arguments: Namespace) -> Answer:
    from partdistill_ros.visualization.turntable import STILLS, save_turntable, turntable

    still = arguments.turntable.suffix.lower() in STILLS
    end = time.monotonic() + (arguments.seconds or FIRST_SECONDS)
    content = next(_clouds(arguments, end), None)
    if content is None:
        raise CommandFailed(f"no labeled cloud came on {arguments.topic} within {arguments.seconds or FIRST_SECONDS} s")
    frames = arguments.frames or (STILL_FRAMES if still else FRAMES)
    drawn = turntable(content.scan, content.labels, content.parts, frames, loop=not still)
    views = list(progress(drawn, "turntable", frames))
    save_turntable(arguments.turntable, views, content.scan.name, content.labels, content.parts)
    counts = {part: int((content.labels == number).sum()) for number, part in enumerate(content.parts)}
    record = {
        "source": _source(arguments),
        "out": str(arguments.turntable),
        "frames": frames,
        "points": len(content.labels),
        "parts": counts,
    }
    return Answer(record, f"wrote {arguments.turntable}, {frames} views of {_source(arguments)}")
