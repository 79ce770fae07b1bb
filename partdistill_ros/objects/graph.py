# SPDX-License-Identifier: Apache-2.0
"""Objects of a cloud without rows and columns, as of merged views: patches of a neighbor graph, joined as those of a
picture are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from partdistill_ros.objects.affinity import learned_scores
from partdistill_ros.objects.contacts import Border, PatchShapes, contacts_of, shapes_of
from partdistill_ros.objects.merging import join, join_thin
from partdistill_ros.objects.patches import Labels, by_size, without_small
from partdistill_ros.pointcloud.normals import estimate_normals
from partdistill_ros.pointcloud.sampling import voxel_downsample

Array = NDArray[np.float32]

EDGE = 0.006  # meters, of the voxels to whose means the cloud is thinned; noise of a depth camera at 1 m is 2 mm
SPARSEST = 0.015  # meters; a cloud that needs larger voxels shows no creases
RADIUS = 2.5  # voxels that two nodes of a pair lie apart at most; the normal's turn is taken over that
NEXT = 1.8  # voxels up to which they are next to each other
NEIGHBORS = 20  # of which the normal is found: those within RADIUS
CONCAVE, CONVEX = np.radians(20), np.radians(40)  # turn over RADIUS that makes a crease, as in a picture
CREASE = 0.2  # share of a node's pairs that turn so far where it lies on a crease
STEEP = 0.75  # sine of the angle between a pair and the surface at its ends from which it is a step, not a surface
ENDS = 0.28  # times RADIUS that the middle of a node's pairs lies off where a patch ends; 0.42 at a straight end
NETWORK_WEIGHT = 0.5  # found on made-up clutter of held-out families: F 81.9, with 0.7 81.0, with 0.35 79.6


@dataclass(frozen=True)
class Graph:
    """Thinned points of a cloud, and those pairs of them that are near each other.

    edge: of the voxels, in meters.  points, normals: `[V, 3]`.  first, second: `[E]` nodes of each pair.
    turn: `[E]` of the normal over `RADIUS`, positive where convex.
    linked: `[E]`, one surface runs from one to the other.  near: `[E]`, they are next to each other.
    """

    edge: float
    points: Array
    normals: Array
    first: NDArray[np.intp]
    second: NDArray[np.intp]
    turn: Array
    linked: NDArray[np.bool_]
    near: NDArray[np.bool_]

    def total(self, of_first: Array, of_second: Array, chosen: NDArray[np.bool_]) -> Array:
        """Sums `[V]` over the chosen pairs of each node of what they hold for their first and their second one."""
        count, pairs = len(self.points), ((self.first, of_first), (self.second, of_second))
        sums = [np.bincount(node[chosen], values[chosen], count) for node, values in pairs]
        return (sums[0] + sums[1]).astype(np.float32)

    def share(self, which: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> Array:
        """The share `[V]` of each node's chosen pairs that are among `which`."""
        ones = np.ones(len(chosen), np.float32)
        return np.asarray(self.total(ones, ones, which & chosen) / np.maximum(self.total(ones, ones, chosen), 1))


def voxel_edge(points: Array) -> float | None:
    """Edge of the voxels for a cloud `[N, 3]` in meters, None where it is too sparse for creases to show."""
    if len(points) < 9:
        return None
    some = points[:: max(1, len(points) // 500)]
    tree = cKDTree(points, balanced_tree=False, compact_nodes=False)  # for so few questions: made in half the time
    ninth = float(np.median(tree.query(some, k=9)[0][:, 8]))  # 1.6 times the spacing on a surface
    edge = max(EDGE, ninth)
    return edge if edge <= SPARSEST else None


def graph_objects(
    points: Array, plane: NDArray[np.float64], viewpoint: NDArray[np.floating] | None, method: str
) -> NDArray[np.int32] | None:
    """Object `[N]` of each finite point `[N, 3]` over the plane, from 1, 0 for none; None for a sparse cloud.

    viewpoint: `[3]` of the sensor where all was seen from one place.  method: as in `convex.convex_objects`.
    """
    edge = voxel_edge(points)
    if edge is None:
        return None
    graph, node = _graph(points, viewpoint, edge)
    label = _patches(graph)
    if not label.any():
        return np.zeros(len(points), np.int32)
    up, offset = plane[:3].astype(np.float32), float(plane[3])
    shapes = _shapes(graph, label, graph.points @ up + np.float32(offset))
    contacts = contacts_of(_border(graph, label), shapes, up, offset)
    scores = learned_scores(contacts, 0.0 if method == "convex" else NETWORK_WEIGHT)
    objects = join_thin(join(len(shapes.pixels), contacts, scores), contacts, shapes)
    return _spread(graph, np.append(0, objects + 1).astype(np.int32)[label])[node]


def _graph(points: Array, viewpoint: NDArray[np.floating] | None, edge: float) -> tuple[Graph, NDArray[np.intp]]:
    """The graph, and the node `[N]` of each point."""
    node = voxel_downsample(points, edge=edge)[1]
    count = np.bincount(node)
    nodes = np.stack([np.bincount(node, points[:, axis]) / count for axis in range(3)], -1).astype(np.float32)
    first, second = cKDTree(nodes).query_pairs(RADIUS * edge, output_type="ndarray").T
    normals = estimate_normals(nodes, NEIGHBORS, viewpoint)
    chord = nodes[first] - nodes[second]
    length = np.linalg.norm(chord, axis=1)
    middle = normals[first] + normals[second]
    across = np.abs(np.einsum("ij,ij->i", chord, middle)) / np.maximum(np.linalg.norm(middle, axis=1), 1e-9)
    turn = _turn(normals[first] - normals[second], chord) * (RADIUS * edge / np.maximum(length, edge))
    return Graph(edge, nodes, normals, first, second, turn, across < STEEP * length, length < NEXT * edge), node


def _turn(difference: Array, chord: Array) -> Array:
    """Length of the normals' `difference [E, 3]` between two points, negative where the surface bends inwards along the
    `chord [E, 3]`."""
    return np.copysign(np.linalg.norm(difference, axis=1), np.einsum("ij,ij->i", difference, chord))


def _patches(graph: Graph) -> Labels:
    """Patch `[V]` of each node, from 1, the largest first; 0 for none: as `patches.patches_of` cuts a picture."""
    wide = graph.linked & ~graph.near
    crease = graph.share(graph.turn < -CONCAVE, wide) > CREASE
    crease |= graph.share(graph.turn > CONVEX, wide) > CREASE
    label = without_small(_components(graph, ~crease))
    _grow(graph, label, 3)
    rest = without_small(_components(graph, label == 0))
    label = np.where(rest > 0, rest + label.max(), label)
    _grow(graph, label, 2)
    return by_size(label)


def _components(graph: Graph, chosen: NDArray[np.bool_]) -> Labels:
    """Numbers from 1 of the chosen nodes that hang together, 0 for the others."""
    on = graph.near & graph.linked & chosen[graph.first] & chosen[graph.second]
    ones, count = np.ones(int(on.sum()), np.int8), len(chosen)
    links = coo_array((ones, (graph.first[on], graph.second[on])), shape=(count, count))
    return np.where(chosen, connected_components(links, directed=False)[1] + 1, 0).astype(np.int32)


def _grow(graph: Graph, label: Labels, steps: int) -> None:
    """Nodes without a patch take that of a neighbor on the same surface, so many nodes deep."""
    on = graph.near & graph.linked
    for _ in range(steps):
        before = label.copy()
        for one, other in ((graph.first[on], graph.second[on]), (graph.second[on], graph.first[on])):
            take = (before[one] == 0) & (before[other] > 0)
            label[one[take]] = before[other[take]]


def _spread(graph: Graph, label: Labels) -> Labels:
    """Labels `[V]` after nodes without one have taken that of the nearest node with one in reach."""
    none = np.flatnonzero(label == 0)
    known = np.flatnonzero(label)
    distance, nearest = cKDTree(graph.points[known]).query(graph.points[none])
    spread = label.copy()
    spread[none] = np.where(distance < RADIUS * graph.edge, label[known[nearest]], 0)
    return spread


def _shapes(graph: Graph, label: Labels, height: Array) -> PatchShapes:
    """What is measured of single patches; height: `[V]` over the table."""
    on, edge, count = np.flatnonzero(label), graph.edge, int(label.max())
    same = (label[graph.first] == label[graph.second]) & graph.linked & ~graph.near
    ones = np.ones(len(same), np.float32)
    # a pixel's bend is that along rows and that along columns
    bend = 2 * graph.total(graph.turn, graph.turn, same) / np.maximum(graph.total(ones, ones, same), np.float32(1))
    end = _ends(graph, label)
    inner = np.full(len(label), edge, np.float32)
    if end.any():
        inner += cKDTree(graph.points[end]).query(graph.points)[0].astype(np.float32)
    # a pixel of an outline has two edges on it
    outline = np.maximum(2 * np.bincount(label[end], minlength=count + 1)[1:], 1).astype(np.float32)
    area = np.full(len(on), edge**2, np.float32)
    return shapes_of(label[on] - 1, graph.points[on], graph.normals[on], height[on], area, bend[on], inner[on], outline)


def _ends(graph: Graph, label: Labels) -> NDArray[np.bool_]:
    """The nodes `[V]` at which their patch ends: next to another, or with the patch on one side only."""
    first, second = graph.first, graph.second
    same = label[first] == label[second]
    ones, end = np.ones(len(same), np.float32), np.zeros(len(label), bool)
    for nodes in (first, second):
        end[nodes[graph.near & ~same]] = True
    chord = (graph.points[second] - graph.points[first]).T
    middle = np.stack([graph.total(along, -along, same) for along in chord])
    number = np.maximum(graph.total(ones, ones, same), 1)
    return end | (np.linalg.norm(middle, axis=0) > ENDS * RADIUS * graph.edge * number)


def _border(graph: Graph, label: Labels) -> Border:
    """The pairs of neighboring nodes that belong to two patches, with the turn between the surfaces on either side."""
    first, second, count = graph.first, graph.second, len(label)
    same = label[first] == label[second]
    one, other = np.concatenate([first[same], second[same]]), np.concatenate([second[same], first[same]])
    around = csr_array((np.ones(len(one), np.float32), (one, other)), shape=(count, count))
    points = (graph.points + around @ graph.points) / (1 + np.bincount(one, minlength=count))[:, None]
    normals = graph.normals + around @ graph.normals
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    on = graph.near & ~same & (label[first] > 0) & (label[second] > 0)
    swapped = label[first[on]] > label[second[on]]
    large, small = np.where(swapped, second[on], first[on]), np.where(swapped, first[on], second[on])
    turn = _turn(normals[large] - normals[small], points[large] - points[small])
    # a node of the smaller patch counts once, as a pixel's edges that lie on a border do
    weight = 2 / np.maximum(np.bincount(small, minlength=count), 1)[small]
    return Border(
        label[large] - 1,
        label[small] - 1,
        graph.linked[on],
        turn,
        np.zeros(len(turn), np.float32),
        graph.points[large],
        graph.points[small],
        weight.astype(np.float32),
    )
