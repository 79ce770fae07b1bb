# SPDX-License-Identifier: Apache-2.0
"""Clouds and a query in, labels of every point out."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import ArrayLike, NDArray

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.bundle import Bundle
from partdistill_ros.inference.query import PartQuery, parse_query
from partdistill_ros.inference.session import TENSORRT_DEVICES, Sampled, StudentSession
from partdistill_ros.inference.tensorrt import AGREEMENT, Engine, agreement, engine_of
from partdistill_ros.pointcloud.frames import center_max_radius, rotation_to_z, turn_about_z
from partdistill_ros.pointcloud.sampling import farthest_points, finite_rows, interpolate_labels, resample
from partdistill_ros.pointcloud.upright import likely_ups

MOST_UPS = 2  # directions tried where up is unknown: with more, sure answers in wrong poses count more often
SURE = 0.95  # probability of the first from which the others are not tried
TRUST = 10.0  # power of the student's confidence that a direction's probability is multiplied by


@dataclass(frozen=True)
class Timings:
    """Seconds spent by the last `segment`: sampling and normalizing, the network, carrying labels to all points."""

    sample: float = 0.0
    network: float = 0.0
    spread: float = 0.0

    @property
    def total(self) -> float:
        """Seconds from clouds to labels."""
        return self.sample + self.network + self.spread


@dataclass(frozen=True)
class Labels:
    """The answer for one cloud, in the order of its points.

    labels: `[N] i2`, indices into `parts`; -1 for points that are not finite, below the confidence
        asked for, or taken by a distractor name.
    confidence: `[N] f4`, probability of the best name among those that compete, at the bundle's temperature; 0
        where not finite; for a cloud of a category not asked for its mean.
    parts: the query's names.  category: of the group that won, None without one; where it is one of the
        query's `others`, every label is -1.
    up: `[3]` direction taken as up, None where nothing was labeled.
    problem: why the whole cloud is unlabeled, None where it is not.
    """

    labels: NDArray[np.int16]
    confidence: NDArray[np.float32]
    parts: tuple[str, ...]
    category: str | None = None
    up: NDArray[np.float64] | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Prediction:
    """What the student makes of one cloud, at the points that it saw of it.

    points: `[S, 3]` in the cloud's frame, its own rows where it has no more than S.
    probability: `[S, P + R]` of the query's names and distractors, all of them competing.
    scores: `[G]`, how well each of the query's groups and then of its `others` fits the cloud, of these less the
        bundle's margin for the best of those.
    up: `[3]` direction taken as up, the one that counted most.
    """

    points: NDArray[np.floating]
    probability: NDArray[np.float32]
    scores: NDArray[np.float32]
    up: NDArray[np.float64]


@dataclass(frozen=True)
class _Prepared:
    """One cloud on its way: the sample, its patch centers, and one turned copy per try. A small cloud is repeated to
    fill the sample: the first S points, `seen`, are different ones."""

    sampled: NDArray[np.floating]
    seen: NDArray[np.floating]
    centers: NDArray[np.int64]
    ups: NDArray[np.float64]
    likely: NDArray[np.float64]  # [ups], probability of each
    turned: NDArray[np.float32]  # [ups * votes, points, 3]


class Segmenter:
    """A student that answers part queries.

    bundle: a `Bundle`, or the path of one, or `default`.
    device, threads: see `StudentSession`; `provider` and `provider_note` tell what came of them.
    """

    def __init__(
        self, bundle: Bundle | str | os.PathLike[str] = "default", device: str = "auto", threads: int | None = None
    ) -> None:
        self.bundle = bundle if isinstance(bundle, Bundle) else Bundle.load(bundle)
        try:
            engine = None
            if device in TENSORRT_DEVICES:
                engine = student_engine(self.bundle, device)
                engine.require_built()
            self._session = StudentSession(self.bundle.model, device, threads, engine, self.bundle.model_int8)
        except PartDistillError as error:
            raise PartDistillError(f"bundle {self.bundle.path}: {error}") from error
        self.timings = Timings()

    @property
    def provider(self) -> str:
        """`cpu`, `cpu_int8` (weights of 8 bits), `cuda` or `tensorrt`."""
        return self._session.provider

    @property
    def provider_note(self) -> str:
        """Why CUDA is not in use, or how much of the network stayed on the CPU; empty if nothing to tell."""
        return self._session.note

    @property
    def fell_back(self) -> bool:
        """Whether the network runs on the CPU though a GPU is there and was not declined."""
        return self._session.fell_back

    def warm_up(self) -> None:
        """Run the networks and read the tables once, so that the first cloud and the first new name are answered as
        fast as the next."""
        self._session.warm_up(self.bundle.points, self.bundle.centers, self.bundle.text_dim)
        if self.bundle.vocabulary.encoder is not None:
            with suppress(PartDistillError):  # whoever asks for a new name is told
                self.query("thing: one, other")

    def query(self, text: str, *, reject_unknown: bool = False) -> PartQuery:
        """Parse a query with the bundle's vocabulary (see `parse_query`)."""
        return parse_query(text, self.bundle.vocabulary, reject_unknown=reject_unknown)

    def segment(
        self,
        clouds: Sequence[ArrayLike],
        query: PartQuery | str,
        ups: Sequence[ArrayLike | None] | None = None,
        *,
        votes: int = 1,
        min_confidence: float = 0.0,
    ) -> list[Labels]:
        """Label every point of each cloud `[Ni, 3]`; all clouds go through the network as one batch.

        ups: per cloud the direction opposite to gravity, in the cloud's frame; None: the answers
            in the two likeliest poses (one where that is certain) are averaged; the likelier, surer one counts more.
        votes: logits are averaged over this many turns about the vertical (as many runs).
        min_confidence: points whose confidence is lower are labeled -1.
        The group of the query with the highest mean (over points) of the maximum (over its names)
        probability among all names is the cloud's category; where it is one of `query.others`, by more than
        the bundle's margin, no point is labeled. A cloud with fewer finite points than a
        patch comes back unlabeled with its `problem`. Raises PartDistillError for wrong arguments.
        """
        if not isinstance(query, (PartQuery, str)):
            raise PartDistillError(f'the query must be text such as "mug: handle, cup", or of `query()`: got {query!r}')
        query = self.query(query) if isinstance(query, str) else query
        predictions = self.predict(clouds, query, ups, votes=votes)
        start = time.perf_counter()
        result = self.assign_each(clouds, predictions, query, min_confidence=min_confidence)
        self.timings = replace(self.timings, spread=time.perf_counter() - start)
        return result

    def predict(
        self,
        clouds: Sequence[ArrayLike],
        query: PartQuery,
        ups: Sequence[ArrayLike | None] | None = None,
        votes: int = 1,
    ) -> list[Prediction | None]:
        """The first half of `segment`: what the student makes of each cloud's sample; None for a cloud with
        fewer finite points than a patch. Raises PartDistillError for wrong arguments."""
        points = [_as_points(cloud) for cloud in clouds]
        ups = [None] * len(points) if ups is None else list(ups)
        if len(ups) != len(points) or votes < 1:
            raise PartDistillError(
                f"{len(points)} clouds with {len(ups)} ups and {votes} votes: give one up per cloud, votes from 1"
            )
        start, sampling = time.perf_counter(), 0.0
        prepared: list[_Prepared | None] = []

        def turned() -> Iterator[Sampled]:
            nonlocal sampling
            for cloud, up in zip(points, ups, strict=True):
                begin = time.thread_time()  # of this thread: the clock goes on while others have its core
                prepared.append(item := self._prepare(cloud, up, votes))
                sampling += time.thread_time() - begin
                if item is not None:
                    yield from ((one, item.centers) for one in item.turned)

        logits = iter(list(self._session.run_each(turned(), query.embeddings)))
        predictions = [None if item is None else self._over_poses(item, logits, query) for item in prepared]
        self.timings = Timings(sampling, time.perf_counter() - start - sampling)
        return predictions

    def assign_each(
        self,
        clouds: Sequence[ArrayLike],
        predictions: Sequence[Prediction | None],
        query: PartQuery,
        *,
        min_confidence: float = 0.0,
    ) -> list[Labels]:
        """`assign_labels` for each of several clouds, on as many threads as the student has where that is quicker."""

        def assign(pair: tuple[ArrayLike, Prediction | None]) -> Labels:
            return self.assign_labels(*pair, query, min_confidence=min_confidence)

        pairs = list(zip(clouds, predictions, strict=True))
        labeled = sum(one is not None and one.scores.argmax() < len(query.groups) for one in predictions)
        if labeled < 2:  # others are done in 0.1 ms, of which threads make 0.2
            return [assign(pair) for pair in pairs]
        return self._session.each(assign, pairs)

    def assign_labels(
        self,
        cloud: ArrayLike,
        prediction: Prediction | None,
        query: PartQuery,
        *,
        min_confidence: float = 0.0,
    ) -> Labels:
        """The second half of `segment`: every point of `cloud [N, 3]` takes the answer of the nearest point of
        the prediction, which may come from another recording of the same thing."""
        points = _as_points(cloud)
        rows = finite_rows(points)
        if prediction is None:
            return self._unlabeled(points, query)
        group = (query.groups + query.others)[int(prediction.scores.argmax())]
        columns = query.columns(group)
        asked = confidences(prediction.probability[:, columns], self.bundle.temperature)
        labels, confidence = np.full(len(points), -1, np.int16), np.zeros(len(points), np.float32)
        if group not in query.groups:
            confidence[rows] = asked.max(axis=1).mean()
            return Labels(labels, confidence, query.names, group.category, prediction.up)
        # Before they are carried to all points: the same answer for less work.
        values = np.stack([asked.argmax(axis=1), asked.max(axis=1)], axis=1, dtype=np.float32)
        finite = points if len(rows) == len(points) else points[rows]
        best, confident = interpolate_labels(finite, prediction.points, values, workers=self._session.threads).T
        names = np.where(columns < len(query.names), columns, -1).astype(np.int16)
        labels[rows] = np.where(confident >= min_confidence, names[best.astype(np.intp)], -1)
        confidence[rows] = confident
        return Labels(labels, confidence, query.names, group.category, prediction.up)

    def embed(
        self, cloud: ArrayLike, up: ArrayLike, name: str = "the cloud"
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """What the student makes of a cloud before anybody asks: points `[S, 3]` that it saw, in the cloud's frame, and
        their unit embeddings `[S, D]`, near the embeddings of the names that fit them.

        Raises PartDistillError, which begins with `name`, for a cloud with fewer finite points than a patch.
        """
        prepared = self._prepare(_as_points(cloud), up, votes=1)
        if prepared is None:
            raise PartDistillError(f"{name}: {self._too_few(_as_points(cloud))}")
        axes = np.eye(self.bundle.text_dim, dtype=np.float32)  # a logit is the product with a name, times a scale
        along = self._session.run(prepared.turned, prepared.centers[None], axes)[0]
        length = np.linalg.norm(along, axis=1, keepdims=True)
        return prepared.sampled.astype(np.float32), along / np.maximum(length, np.float32(1e-9))

    def _prepare(self, cloud: NDArray[np.floating], up: ArrayLike | None, votes: int) -> _Prepared | None:
        rows = finite_rows(cloud)
        if up is not None:
            rotation_to_z(up)
        if len(rows) < self.bundle.patch_size:
            return None
        points = cloud if len(rows) == len(cloud) else cloud[rows]
        chosen = resample(points, self.bundle.points, method=self.bundle.sampling)
        whole = len(points) == len(chosen)
        sampled = points if whole else points[chosen]
        ups, likely = _ups_to_try(sampled) if up is None else (np.asarray(up, np.float64)[None], np.ones(1))
        turns = [turn_about_z(2 * np.pi * vote / votes) for vote in range(votes)]
        turned = [center_max_radius(sampled @ (turn @ rotation_to_z(one)).T) for one in ups for turn in turns]
        seen = points if len(points) <= len(chosen) else sampled
        return _Prepared(sampled, seen, farthest_points(sampled, self.bundle.centers), ups, likely, np.stack(turned))

    def _over_poses(self, item: _Prepared, logits: Iterator[NDArray[np.float32]], query: PartQuery) -> Prediction:
        """The mean of what is predicted in each of the poses, weighted by how likely these are by themselves and by
        what the student answers (the score of its best group); `logits [N, P + R]`, one for each of `item.turned`."""
        # A row a name, in memory too: what is over names then takes a tenth of the time.
        by_name = np.array([one[: len(item.seen)].T for one in islice(logits, len(item.turned))], order="C")
        probability = _softmax(by_name.reshape(len(item.ups), -1, *by_name.shape[1:]).mean(axis=1))
        scores = np.stack([self._scores(each, query) for each in probability])
        if len(scores) == 1:
            return Prediction(item.seen, probability[0].T, scores[0], item.ups[0])
        weight = item.likely * scores.max(axis=1) ** TRUST
        mean = np.tensordot((weight / weight.sum()).astype(np.float32), probability, 1)
        return Prediction(item.seen, mean.T, self._scores(mean, query), item.ups[int(weight.argmax())])

    def _scores(self, probability: NDArray[np.float32], query: PartQuery) -> NDArray[np.float32]:
        """Per group, asked for or not, the mean over points of the maximum over its names; `probability [P + R, S]`."""
        groups, asked = query.groups + query.others, len(query.groups)
        scores = np.stack([probability[query.evidence(group)].max(axis=0) for group in groups]).mean(axis=1)
        scores[asked:] -= self.bundle.margins.get(groups[int(scores[:asked].argmax())].category or "", 0.0)
        return scores

    def _unlabeled(self, cloud: NDArray[np.floating], query: PartQuery) -> Labels:
        empty = np.full(len(cloud), -1, np.int16)
        return Labels(empty, np.zeros(len(cloud), np.float32), query.names, problem=self._too_few(cloud))

    def _too_few(self, cloud: NDArray[np.floating]) -> str:
        return (
            f"{len(finite_rows(cloud))} of {len(cloud)} points are finite, fewer than the {self.bundle.patch_size} "
            "of a patch: record the object closer or more densely"
        )


def confidences(probability: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Among names that compete, of their `probability [S, P]`: those of logits that are divided by the temperature."""
    probability = np.maximum(probability, np.finfo(np.float32).tiny)  # beside other names all of them may be 0
    shares = (probability / probability.max(axis=1, keepdims=True)) ** (1 / temperature)
    return shares / shares.sum(axis=1, keepdims=True)


def student_engine(bundle: Bundle, device: str) -> Engine:
    """Where the engine of a bundle is kept for a TensorRT device. Raises PartDistillError without a GPU."""
    half = device == "tensorrt_fp16"
    sizes = {"points": bundle.points, "centers": bundle.centers, "text_dim": bundle.text_dim}
    return engine_of(bundle.path, bundle.model, half=half, **sizes)


def build_engine(bundle: Bundle, device: str, clouds: Sequence[ArrayLike]) -> tuple[Engine, float]:
    """Builds a bundle's engine, which takes minutes, and checks that it labels `clouds` as the CPU does; returns it
    with the share of points that it labels alike.

    Raises PartDistillError where it cannot be built, or labels too many otherwise: it will not be used then.
    """
    engine = student_engine(bundle, device)
    try:
        engine.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PartDistillError(
            f"{engine.folder} cannot be made ({error}): copy the bundle to a folder of yours"
        ) from error
    session = StudentSession(bundle.model, device, engine=engine)
    points = np.stack([center_max_radius(_as_points(cloud)[: bundle.points]) for cloud in clouds]).astype(np.float32)
    centers = np.stack([farthest_points(one, bundle.centers) for one in points])
    names = np.ascontiguousarray(bundle.vocabulary.embeddings[:64])
    reference = StudentSession(bundle.model, "cpu").run(points, centers, names)
    alike = agreement(session.run(points, centers, names), reference)
    engine.write_check(alike)
    if alike < AGREEMENT:
        raise PartDistillError(
            f"the engine labels {1 - alike:.2%} of the points otherwise than the CPU, {1 - AGREEMENT:.1%} are allowed: "
            "use " + ("device 'tensorrt', in single precision" if engine.half else "device 'cuda'")
        )
    return engine, alike


def _as_points(cloud: ArrayLike) -> NDArray[np.floating]:
    points = np.asarray(cloud)
    if points.size == 0 and points.ndim < 2:
        points = points.reshape(0, 3)
    if points.ndim != 2 or points.shape[1] != 3:
        raise PartDistillError(f"a cloud must be [N, 3], got {points.shape}")
    return points if points.dtype in (np.float32, np.float64) else points.astype(np.float64)


def _ups_to_try(points: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The likeliest directions `[U, 3]` and their probabilities `[U]`."""
    ups, likely = likely_ups(points)
    count = min(MOST_UPS, int(np.searchsorted(np.cumsum(likely), SURE)) + 1)
    return ups[:count], likely[:count]


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Over the names of `logits [U, P + R, S]`, which it overwrites."""
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return logits
