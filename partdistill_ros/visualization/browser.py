# SPDX-License-Identifier: Apache-2.0
"""A labeled cloud in the browser, with a legend, through viser."""

from __future__ import annotations

import logging
import socket
import threading
from typing import Any

from partdistill_ros.errors import MissingDependencyError, PartDistillError
from partdistill_ros.visualization.browser_content import (
    EVERYTHING,
    PARTS,
    Content,
    chosen,
    colors,
    first_viewpoint,
    point_size,
)
from partdistill_ros.visualization.colors import part_colors
from partdistill_ros.visualization.legend import legend_html, shares


class BrowserViewer:
    """Serves a page until closed; every `show` replaces the cloud on it. Use as a context manager.

    host, port: where the page is served; a port in use is passed over for the next free one, see `url`.
    most: points sent to a browser at most.
    Raises MissingDependencyError without viser, PartDistillError for a host that is not this machine's.
    """

    def __init__(self, host: str, port: int, most: int) -> None:
        try:
            import viser
        except ImportError as error:
            raise MissingDependencyError("viser", "view", "showing clouds in the browser") from error
        _check_host(host)
        # viser and its web server report every visitor.
        for library in ("viser", "websockets"):
            logging.getLogger(library).setLevel(logging.ERROR)
        self._server = viser.ViserServer(host=host, port=port, label="partdistill", verbose=False)
        self._host, self._most = host, most
        self._lock = threading.RLock()  # viser may call back within an assignment
        self._content: Content | None = None
        self._cloud: Any = None
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
        chosen: list[tuple[Any, Any]] = [(self._color_by, color_by), (self._show, show), (self._size, size)]
        for handle, value in chosen:
            if value is not None:
                handle.value = value
        self._redraw()

    def close(self) -> None:
        """Ends the server."""
        self._server.stop()

    def _build_panel(self) -> None:
        gui = self._server.gui
        self._legend = gui.add_html("")
        self._color_by = gui.add_dropdown("Color by", (PARTS,))
        self._show = gui.add_dropdown("Show", (EVERYTHING,))
        self._size = gui.add_slider("Point size", 0.25, 4.0, 0.25, 1.0)
        for handle in (self._color_by, self._show, self._size):
            handle.on_update(self._redraw)

    def _redraw(self, _: object = None) -> None:
        with self._lock:
            if self._content is not None:
                self._draw()

    def _look_at(self, content: Content) -> None:
        viewpoint = first_viewpoint(content)
        self._server.scene.set_up_direction(viewpoint.up)
        camera = self._server.initial_camera
        camera.position, camera.look_at = viewpoint.position, viewpoint.target

    def _update_panel(self, content: Content) -> None:
        """The legend and the lawful choices; an assignment is sent to every browser, so only if it is news."""
        legend = legend_html(shares(content.labels, content.parts), part_colors(content.parts))
        if self._legend.content != legend:
            self._legend.content = legend
        for handle, options in ((self._color_by, content.ways_to_color()), (self._show, content.ways_to_select())):
            if tuple(handle.options) != options:
                handle.options = options

    def _draw(self) -> None:
        content = self._content
        assert content is not None
        index = chosen(content, self._show.value, self._most)
        self._cloud = self._server.scene.add_point_cloud(
            "/cloud",
            content.scan.points[index],
            colors(content, self._color_by.value)[index],
            point_size=self._size.value * point_size(content.scan, index),
            point_shape="circle",
            precision="float32",
        )


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
