# SPDX-License-Identifier: Apache-2.0
"""A labeled cloud in the browser, with a legend, through viser; what it shows is worked out without viser."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import MissingDependencyError, PartDistillError
from partdistill_ros.pointcloud.frames import parse_up
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.visualization.colors import part_colors
from partdistill_ros.visualization.legend import legend_html, percent_captions
from partdistill_ros.visualization.pictures import (
    camera_for,
    central_range,
    cloud_colors,
    drawable,
    drawn_up,
    label_colors,
)

PARTS, OWN, CONFIDENCE = "parts", "as recorded", "confidence"
"""Ways to color the points."""
EVERYTHING, LABELED = "everything", "labeled only"
"""What to show, besides one part by its name."""

_UNSURE, _SURE = np.array([35, 30, 110.0]), np.array([250, 220, 60.0])


@dataclass(frozen=True)
class Content:
    """A labeled cloud: `labels [N] i2` into `parts` (-1 none) and, where known, `confidence [N]` in 0..1."""

    scan: Scan
    labels: NDArray[np.integer]
    parts: tuple[str, ...]
    confidence: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if len(self.labels) != len(self.scan.points):
            raise PartDistillError(f"{self.scan.name}: {len(self.labels)} labels for {len(self.scan.points)} points")
        if len(self.labels) and int(self.labels.max()) >= len(self.parts):
            raise PartDistillError(
                f"{self.scan.name}: label {int(self.labels.max())} has no name among {len(self.parts)} parts"
            )

    def with_up(self, axis: str | None) -> Content:
        """The cloud with `axis` (x, -x, ...) up; None leaves it as it is."""
        return self if axis is None else replace(self, scan=self.scan.with_(up=parse_up(axis)))

    def color_modes(self) -> tuple[str, ...]:
        """Those that say something about this cloud."""
        known = {PARTS: True, OWN: self.scan.colors is not None, CONFIDENCE: self.confidence is not None}
        return tuple(mode for mode, available in known.items() if available)

    def selections(self) -> tuple[str, ...]:
        """Everything, what has a label, or one part."""
        return (EVERYTHING, LABELED, *self.parts) if self.parts else (EVERYTHING,)


def content_of(scan: Scan) -> Content:
    """A scan with the labels that its file holds; a mesh as samples of its surface."""
    labels = np.full(len(scan.points), -1, np.int16) if scan.point_labels is None else scan.point_labels
    if scan.mesh is not None and scan.mesh.face_labels is not None:
        # The labels of faces come along with the samples, those of vertices are taken from the nearest.
        dense = drawable(scan, labels)[0]
        assert dense.point_labels is not None
        return Content(dense, dense.point_labels, scan.parts)
    return Content(*drawable(scan, labels), scan.parts)


def selected_points(content: Content, selection: str, max_points: int) -> NDArray[np.intp]:
    """Indices of the finite points to show, at most `max_points` of them, drawn at random: all, those with a label, or
    those of one part. A part that is not there any more counts as everything."""
    mask = content.scan.finite()
    if selection == LABELED:
        mask &= content.labels >= 0
    elif selection in content.parts:
        mask &= content.labels == content.parts.index(selection)
    index = np.flatnonzero(mask)
    if len(index) <= max_points:
        return index
    # Not a stride: it would fall in with the columns of an organized cloud.
    return np.sort(np.random.default_rng(0).choice(index, max_points, replace=False))


def point_colors(content: Content, mode: str) -> NDArray[np.uint8]:
    """RGB `[N, 3]` in one of `color_modes`; others count as by part."""
    if mode == OWN:
        return cloud_colors(content.scan)
    if mode == CONFIDENCE and content.confidence is not None:
        fraction = np.nan_to_num(content.confidence, nan=0.0).clip(0, 1)[:, None]
        return np.asarray((1 - fraction) * _UNSURE + fraction * _SURE, np.float64).astype(np.uint8)
    return label_colors(content.scan, content.labels, content.parts)


@dataclass(frozen=True)
class Viewpoint:
    """Where a viewer begins: `position`, `target` and `up`, `[3]` each, in the cloud's frame."""

    position: NDArray[np.float64]
    target: NDArray[np.float64]
    up: NDArray[np.float64]


def initial_viewpoint(content: Content) -> Viewpoint:
    """The camera of our pictures, on what is labeled where anything is.

    Raises PartDistillError where no point is finite.
    """
    labeled = content.scan.select(content.labels >= 0)
    subject = labeled if labeled.finite().any() else content.scan
    low, high = central_range(subject)
    return Viewpoint(camera_for(subject).position, (low + high) / 2, drawn_up(content.scan))


def point_size(scan: Scan, shown: Sequence[int] | NDArray[np.intp]) -> float:
    """Size of a point, in the cloud's unit, that closes the gaps of a surface of so many points."""
    low, high = central_range(scan)
    return float(np.linalg.norm(high - low) / (2.5 * np.sqrt(max(len(shown), 100))))


class BrowserViewer:
    """Serves a page until closed; every `show` replaces the cloud on it. Use as a context manager.

    host, port: where the page is served; a port in use is passed over for the next free one, see `url`.
    max_points: points sent to a browser at most.
    cloud, legend, selection: viser's handles of what the page shows.
    Other pages that the browser has open can neither read nor use it, see `is_own_page`.
    Raises MissingDependencyError without viser, PartDistillError for a host that is not this machine's.
    """

    def __init__(self, host: str, port: int, max_points: int) -> None:
        try:
            import viser
        except ImportError as error:
            raise MissingDependencyError("viser", "view", "showing clouds in the browser") from error
        _check_host(host)
        # viser and its web server report every visitor.
        for library in ("viser", "websockets"):
            logging.getLogger(library).setLevel(logging.ERROR)
        with _own_page_only(host):
            self._server = viser.ViserServer(host=host, port=port, label="partdistill", verbose=False)
        self._host, self._max_points = host, max_points
        self._lock = threading.RLock()  # viser may call back within an assignment
        self._content: Content | None = None
        self.cloud: Any = None
        self._build_panel()

    def __enter__(self) -> BrowserViewer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """What to open; a page that is served to everybody is reached here as localhost."""
        host = "localhost" if self._host in ("0.0.0.0", "::", "") else self._host
        return f"http://{f'[{host}]' if ':' in host else host}:{self._server.get_port()}"

    def show(self, content: Content) -> None:
        """Draw `content` in place of what was there; choices in the panel are kept where they still apply.

        Raises PartDistillError where the first cloud has no finite point to look at.
        """
        with self._lock:
            if self._content is None:
                self._look_at(content)
            self._content = content
            self._update_panel(content)
            self._draw()

    def choose(self, *, color_by: str | None = None, show: str | None = None, size: float | None = None) -> None:
        """What the panel does when a person uses it."""
        values: list[tuple[Any, Any]] = [(self._color_by, color_by), (self.selection, show), (self._size, size)]
        for handle, value in values:
            if value is not None:
                handle.value = value
        self._redraw()

    def close(self) -> None:
        """Ends the server."""
        self._server.stop()

    def _build_panel(self) -> None:
        gui = self._server.gui
        self.legend = gui.add_html("")
        self._color_by = gui.add_dropdown("Color by", (PARTS,))
        self.selection = gui.add_dropdown("Show", (EVERYTHING,))
        self._size = gui.add_slider("Point size", 0.25, 4.0, 0.25, 1.0)
        for handle in (self._color_by, self.selection, self._size):
            handle.on_update(self._redraw)

    def _redraw(self, _: object = None) -> None:
        with self._lock:
            if self._content is not None:
                self._draw()

    def _look_at(self, content: Content) -> None:
        viewpoint = initial_viewpoint(content)
        self._server.scene.set_up_direction(viewpoint.up)
        camera = self._server.initial_camera
        camera.position, camera.look_at = viewpoint.position, viewpoint.target

    def _update_panel(self, content: Content) -> None:
        """The legend and the valid choices; an assignment is sent to every browser, so only if something changed."""
        legend = legend_html(percent_captions(content.labels, content.parts), part_colors(content.parts))
        legend = f'<div style="padding:.3em 1em;line-height:1.7">{legend}</div>'
        if self.legend.content != legend:
            self.legend.content = legend
        for handle, options in ((self._color_by, content.color_modes()), (self.selection, content.selections())):
            if tuple(handle.options) != options:
                handle.options = options

    def _draw(self) -> None:
        content = self._content
        assert content is not None
        index = selected_points(content, self.selection.value, self._max_points)
        self.cloud = self._server.scene.add_point_cloud(
            "/cloud",
            content.scan.points[index],
            point_colors(content, self._color_by.value)[index],
            point_size=self._size.value * point_size(content.scan, index),
            point_shape="circle",
            precision="float32",
        )


def is_own_page(hosts: Sequence[str], origins: Sequence[str], served: str) -> bool:
    """Whether a request is of a page that was served here on the host `served`, by its headers Host and Origin.

    Every page in the browser may open a socket to this machine, and names itself in Origin. A page whose own name was
    made to point here (DNS rebinding) has that name as Host, where ours has an address, localhost or a name we know.
    """
    if len(hosts) != 1 or any(origin.partition("://")[2] != hosts[0] for origin in origins):
        return False
    try:
        name = urlsplit(f"//{hosts[0]}").hostname or ""
    except ValueError:
        return False
    with suppress(ValueError):
        ip_address(name)
        return True
    return name in ("localhost", served.lower(), socket.gethostname().lower())


@contextmanager
def _own_page_only(served: str) -> Iterator[None]:
    """viser has no setting for it: the web server that it starts meanwhile asks `is_own_page` first."""
    import websockets.asyncio.server as library

    serve = library.serve

    def guarded(*arguments: Any, process_request: Any, **options: Any) -> Any:
        def check(connection: Any, request: Any) -> Any:
            hosts, origins = (request.headers.get_all(name) for name in ("Host", "Origin"))
            if is_own_page(hosts, origins, served):
                return process_request(connection, request)
            return connection.respond(HTTPStatus.FORBIDDEN, "this address shows a cloud to its own page only\n")

        return serve(*arguments, process_request=check, **options)

    library.serve = guarded  # type: ignore[assignment, misc]
    try:
        yield
    finally:
        library.serve = serve  # type: ignore[misc]


def _check_host(host: str) -> None:
    """viser would take it for a port in use and try a thousand more."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind(address)
    except (OSError, UnicodeError) as error:
        raise PartDistillError(
            f"cannot serve on the host '{host}' ({error}): use 127.0.0.1 for this machine only, 0.0.0.0 for the network"
        ) from error
