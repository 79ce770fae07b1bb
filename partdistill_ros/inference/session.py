# SPDX-License-Identifier: Apache-2.0
"""The student network in ONNX Runtime: choice of execution provider, and why a fallback happened."""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.tensorrt import MOST_CLOUDS, TENSORRT, Engine

DEVICES = ("auto", "cpu", "cpu_int8", "cuda", "tensorrt", "tensorrt_fp16")
TENSORRT_DEVICES = DEVICES[4:]
BYTE_PRODUCTS = {"avx512_vnni", "avx_vnni", "asimddp"}  # flags of processors that multiply bytes as fast as they can
CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
NAMES = {CUDA: "CUDA", TENSORRT: "TensorRT"}
# HEURISTIC: the default searches all algorithms anew for every shape. No TF32: 10 bits of mantissa
# change which points are nearest neighbors.
CUDA_OPTIONS = {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0", "arena_extend_strategy": "kSameAsRequested"}
MAX_THREADS = 8  # more do not make a network of this size faster
SILENT, WARNING = 4, 2  # severities of onnxruntime's log
ONE_CLOUD = {"B": 1}  # the free axis of clouds, as the students export it; known ahead, biases join their products
Item = TypeVar("Item")
Result = TypeVar("Result")
Sampled: TypeAlias = tuple[NDArray[np.float32], NDArray[np.int64]]  # points [N, 3] and which are centers [G]


class StudentSession:
    """A network ready to run.

    model: bytes of the checked `student.onnx`.
    device: `cuda` fails where CUDA does not work; `auto` falls back to the CPU and says why in `note`;
        `fell_back` is True where it did so though there is an NVIDIA driver; on the CPU `auto` takes the weights of 8
        bits where the processor multiplies bytes, `cpu` never, `cpu_int8` always; `tensorrt` and, in half precision,
        `tensorrt_fp16` fail where TensorRT does not work, and want their `engine`.
    threads: of the CPU, each works on a cloud of its own; None takes the cores this process may use, at most 8.
    model_int8: the network with weights of 8 bits, where there is one.
    """

    def __init__(
        self,
        model: bytes,
        device: str = "auto",
        threads: int | None = None,
        engine: Engine | None = None,
        model_int8: bytes | None = None,
    ) -> None:
        if device not in DEVICES:
            raise PartDistillError(f"device '{device}' is unknown: choose {', '.join(DEVICES)}")
        if threads is not None and threads < 1:
            raise PartDistillError(f"threads must be at least 1, got {threads}")
        self.threads = threads or min(len(os.sched_getaffinity(0)), MAX_THREADS)
        self.provider = "cpu"
        self.note = ""
        self.fell_back = False
        session = None
        if device in TENSORRT_DEVICES:
            session, self.note = _gpu_session(model, self.threads, engine)
            if session is None:
                raise PartDistillError(f"device '{device}' does not work here: {self.note}; use 'cuda' or 'auto'")
            self.provider = "tensorrt"
        elif device not in ("cpu", "cpu_int8"):
            session, self.note = _gpu_session(model, self.threads)
            if session is not None:
                self.provider = "cuda"
            elif device == "cuda":
                raise PartDistillError(f"device 'cuda' does not work here: {self.note}; use 'auto' or 'cpu'")
            else:
                self.fell_back = _has_driver()
        on_cpu = self.provider == "cpu"
        if on_cpu and (device == "cpu_int8" or (device == "auto" and model_int8 is not None and multiplies_bytes())):
            if model_int8 is None:
                raise PartDistillError("it has no network with weights of 8 bits: use device 'cpu', or export it again")
            self.provider, model = "cpu_int8", model_int8
        # One thread a cloud: with the helpers of a second one a run took 6.9 ms instead of 5.3, for they sleep between
        # the network's short steps, and half as much processor time again.
        self._session = session or open_session(model, [CPU], 1, ONE_CLOUD)
        self._pool = ThreadPoolExecutor(self.threads, "student") if on_cpu and self.threads > 1 else None
        self._bound = None if on_cpu else Bound(self._session, "cuda")

    def each(self, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """`work` done with each of the items, in their order, by as many threads as the session has; where it differs,
        the largest are best first."""
        return list(map(work, items) if self._pool is None or len(items) < 2 else self._pool.map(work, items))

    def run(
        self, points: NDArray[np.float32], centers: NDArray[np.int64], text: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Logits `[B, N, P]` for `points [B, N, 3]`, `centers [B, G]`, `text [P, D]`.

        Raises PartDistillError where the runtime fails (out of memory, a model it cannot run).
        """
        return np.stack(list(self.run_each(zip(points, centers, strict=True), text)))

    def run_each(self, clouds: Iterable[Sampled], text: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        """Logits `[N, P]` of each of the clouds, `points [N, 3]` with `centers [G]`, in their order.

        On the CPU each thread takes one cloud at a time, while the next ones are still being made: in a batch of nine
        every layer's values leave the cache (165 ms of processor time, 135 one at a time). Raises as `run` does.
        """
        waiting, size = iter(clouds), 1 if self._bound is None else MOST_CLOUDS
        batches = iter(lambda: list(islice(waiting, size)), [])
        first = list(islice(batches, 2))
        run = map if self._pool is None or len(first) < 2 else self._pool.map
        for logits in run(lambda batch: self._run(batch, text), chain(first, batches)):
            yield from logits

    def _run(self, clouds: Sequence[Sampled], text: NDArray[np.float32]) -> NDArray[np.float32]:
        points, centers = (np.stack(arrays) for arrays in zip(*clouds, strict=True))
        try:
            if self._bound is not None:
                return self._bound.run(points, centers, text)
            return self._session.run(["logits"], {"points": points, "centers": centers, "text": text})[0]
        except Exception as error:  # onnxruntime's exceptions share no base class
            raise PartDistillError(f"the student failed on {self.provider}: {_first_line(error)}") from error

    def warm_up(self, points: int, centers: int, text_dim: int, batch: int = 1) -> None:
        """Run once on random points of the given sizes, so that the first real cloud meets no set-up work."""
        first = np.tile(np.arange(centers, dtype=np.int64), (batch, 1))
        cloud = np.random.default_rng(0).standard_normal((batch, points, 3)).astype(np.float32)
        text = np.zeros((2, text_dim), np.float32)
        self.run(cloud / np.abs(cloud).max(), first, text)


def multiplies_bytes() -> bool:
    """Whether this processor has instructions for products of bytes; without them 8 bits are slower, or less exact."""
    try:
        words = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split()
    except OSError:
        return False
    return not BYTE_PRODUCTS.isdisjoint(words)


class Bound:
    """Runs a session on buffers of a device that stay there: made anew for another size only, and the names'
    embeddings travel when the query changes, not with every cloud."""

    def __init__(self, session: onnxruntime.InferenceSession, device: str) -> None:
        self._session, self._device = session, device
        self._lock = threading.Lock()
        self._sizes: tuple[tuple[int, ...], ...] = ()
        self._text: NDArray[np.float32] | None = None
        self._buffers: dict[str, Any] = {}

    def run(
        self, points: NDArray[np.float32], centers: NDArray[np.int64], text: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """As `StudentSession.run`."""
        with self._lock:
            sizes = (points.shape, centers.shape, text.shape)
            if sizes != self._sizes:
                self._sizes = ()  # should the device have no room: half of the buffers are of other sizes then
                self._bind(points, centers, text)
                self._sizes = sizes
            self._buffers["points"].update_inplace(np.ascontiguousarray(points))
            self._buffers["centers"].update_inplace(np.ascontiguousarray(centers))
            if self._text is not text:  # kept, so that its place in memory cannot be another's
                self._buffers["text"].update_inplace(np.ascontiguousarray(text))
                self._text = text
            self._session.run_with_iobinding(self._binding)
            return np.array(self._buffers["logits"].numpy())  # on the CPU it would be the buffer itself

    def _bind(self, points: NDArray[np.float32], centers: NDArray[np.int64], text: NDArray[np.float32]) -> None:
        self._binding = self._session.io_binding()
        value = onnxruntime.OrtValue
        for name, array in (("points", points), ("centers", centers), ("text", text)):
            # A copy: on the CPU the buffer would be the caller's own array.
            self._buffers[name] = value.ortvalue_from_numpy(np.array(array, order="C"), self._device, 0)
            self._binding.bind_ortvalue_input(name, self._buffers[name])
        shape = [*points.shape[:2], len(text)]
        self._buffers["logits"] = value.ortvalue_from_shape_and_type(shape, np.float32, self._device, 0)
        self._binding.bind_ortvalue_output("logits", self._buffers["logits"])
        self._text = None


Provider = str | tuple[str, dict[str, str]]


def open_session(
    model: bytes, providers: list[Provider], threads: int, axes: Mapping[str, int] | None = None
) -> onnxruntime.InferenceSession:
    """axes: free axes of which it is known how long they will be.

    Raises PartDistillError for a model that the runtime does not take."""
    options = onnxruntime.SessionOptions()
    for axis, length in (axes or {}).items():
        options.add_free_dimension_override_by_name(axis, length)
    options.intra_op_num_threads = threads  # explicit: the default pins threads and fails noisily in containers
    options.inter_op_num_threads = 1
    options.log_severity_level = SILENT
    # Threads that wait for work by spinning take it from the rest of a busy robot: one cloud cost 27 to 32 ms
    # of processor time, nine 249; without spinning 15 and 154.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    try:
        # Its fallback tries the same again, and prints: into what `--json` promises.
        return onnxruntime.InferenceSession(model, options, providers=providers, enable_fallback=0)
    except Exception as error:  # onnxruntime's exceptions share no base class
        raise PartDistillError(f"onnxruntime cannot load the network: {_first_line(error)}") from error


def _gpu_session(
    model: bytes, threads: int, engine: Engine | None = None
) -> tuple[onnxruntime.InferenceSession | None, str]:
    """A session whose nodes really run on CUDA or, with an `engine`, TensorRT; or None and the reason in words."""
    wanted = CUDA if engine is None else TENSORRT
    missing = _gpu_missing(wanted)
    if missing:
        return None, missing
    providers: list[Provider] = [(CUDA, CUDA_OPTIONS), CPU]
    if engine is not None:
        providers.insert(0, (TENSORRT, engine.options()))
    try:
        with _quiet():
            session = open_session(model, providers, threads)
    except PartDistillError as error:
        return None, str(error)
    if session.get_providers()[0] != wanted:
        return None, f"onnxruntime could not start {NAMES[wanted]} ({_library_error(wanted) or 'it gave no reason'})"
    elsewhere, total = _nodes_elsewhere(session, wanted)
    if total and elsewhere == total:
        return None, f"onnxruntime placed no node on {NAMES[wanted]}"
    others = "the CPU" if wanted == CUDA else "CUDA or the CPU"
    return session, f"{elsewhere} of {total} nodes run on {others}" if elsewhere else ""


def _gpu_missing(wanted: str) -> str:
    """Why a provider cannot be tried at all; an empty string where it can."""
    if wanted not in onnxruntime.get_available_providers():
        return f"this onnxruntime has no {NAMES[wanted]}, install onnxruntime-gpu instead of onnxruntime"
    return "" if _has_driver() else "no NVIDIA driver (libcuda.so.1 not found)"


def _has_driver() -> bool:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def _library_error(wanted: str) -> str:
    """What the dynamic loader misses for a provider, e.g. `libcublasLt.so.13: cannot open ...`."""
    try:
        ctypes.CDLL(
            str(Path(onnxruntime.__file__).parent / "capi" / f"libonnxruntime_providers_{NAMES[wanted].lower()}.so")
        )
    except OSError as error:
        return _first_line(error)
    return ""


def _nodes_elsewhere(session: onnxruntime.InferenceSession, wanted: str) -> tuple[int, int]:
    """How many of the graph's nodes do not run on a provider, and how many there are; (0, 0) where nobody tells."""
    try:
        assigned = [(part.ep_name, len(part.get_nodes())) for part in session.get_provider_graph_assignment_info()]
    except Exception:  # older runtimes lack the call
        return 0, 0
    return sum(count for name, count in assigned if name != wanted), sum(count for _, count in assigned)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence what onnxruntime prints about missing libraries (its log, and print() in preload_dlls,
    which would otherwise land on the standard output of `--json`)."""
    onnxruntime.set_default_logger_severity(SILENT)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            if hasattr(onnxruntime, "preload_dlls"):
                onnxruntime.preload_dlls()  # finds CUDA and cuDNN installed as Python packages
            yield
    finally:
        onnxruntime.set_default_logger_severity(WARNING)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
