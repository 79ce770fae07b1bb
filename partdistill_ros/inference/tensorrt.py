# SPDX-License-Identifier: Apache-2.0
"""TensorRT engines of a student: built ahead, kept beside the bundle by GPU and version, checked where they are in half
precision."""

from __future__ import annotations

import ctypes
import hashlib
import importlib
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.atomic import atomic_path

TENSORRT = "TensorrtExecutionProvider"
MOST_CLOUDS, MOST_NAMES = 16, 1024
"""Of one run of the network: the engine's profile reaches from one cloud and name to these."""
USUAL_CLOUDS, USUAL_NAMES = 4, 64
"""What the engine is tuned for."""
CHECK = "check.json"
AGREEMENT = 0.999
"""Share of points that half precision must label as single precision does: of 2,048 points two may differ."""


@dataclass(frozen=True)
class Engine:
    """Where the engine of a student lies and what it takes: `half` precision or single, and the network's sizes."""

    folder: Path
    half: bool
    points: int
    centers: int
    text_dim: int

    def options(self) -> dict[str, str]:
        """Of the execution provider. The profile is explicit: without one, each new size builds for minutes."""

        def shapes(clouds: int, names: int) -> str:
            points, centers = f"points:{clouds}x{self.points}x3", f"centers:{clouds}x{self.centers}"
            return f"{points},{centers},text:{names}x{self.text_dim}"

        return {
            "trt_engine_cache_enable": "1",
            "trt_engine_cache_path": str(self.folder),
            "trt_timing_cache_enable": "1",
            "trt_timing_cache_path": str(self.folder),
            "trt_fp16_enable": "1" if self.half else "0",
            "trt_profile_min_shapes": shapes(1, 1),
            "trt_profile_opt_shapes": shapes(USUAL_CLOUDS, USUAL_NAMES),
            "trt_profile_max_shapes": shapes(MOST_CLOUDS, MOST_NAMES),
        }

    def require_built(self) -> None:
        """Raises PartDistillError where no engine that passed its check lies there: to build one takes minutes."""
        with suppress(OSError, ValueError):
            if json.loads((self.folder / CHECK).read_text())["passed"] and any(self.folder.glob("*.engine")):
                return
        flag = " --half" if self.half else ""
        raise PartDistillError(
            f"there is no engine for this GPU and version in {self.folder}: 'partdistill info BUNDLE "
            f"--build-engine{flag}' builds it, or use device 'cuda'"
        )

    def write_check(self, agreement: float) -> None:
        """Notes down whether the engine may be used."""
        with atomic_path(self.folder / CHECK) as temporary:
            temporary.write_text(json.dumps({"passed": agreement >= AGREEMENT, "agreement": agreement}))


def engine_of(bundle: Path, model: bytes, *, half: bool, points: int, centers: int, text_dim: int) -> Engine:
    """The engine of a bundle on this machine's first GPU; its folder, beside the bundle, names GPU, versions, model and
    precision, none of which an engine survives.

    Raises PartDistillError where there is no GPU or no TensorRT.
    """
    key = [gpu(), f"ort{onnxruntime.__version__}", f"trt{tensorrt_version()}", hashlib.sha256(model).hexdigest()[:12]]
    name = re.sub(r"[^\w.-]+", "-", "_".join([*key, "fp16" if half else "fp32"]))
    return Engine(bundle.with_name(f"{bundle.name}.engines") / name, half, points, centers, text_dim)


def gpu() -> str:
    """Name and compute capability of the first GPU. Raises PartDistillError where there is none."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        raise PartDistillError("TensorRT needs an NVIDIA GPU: no driver (libcuda.so.1 not found)") from None
    name, major, minor = ctypes.create_string_buffer(256), ctypes.c_int(), ctypes.c_int()
    calls = [driver.cuInit(0), driver.cuDeviceGetName(name, len(name), 0)]
    # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR
    calls += [driver.cuDeviceGetAttribute(ctypes.byref(value), code, 0) for value, code in ((major, 75), (minor, 76))]
    if any(calls):
        raise PartDistillError(f"TensorRT needs an NVIDIA GPU: its driver reports error {max(calls)}")
    return f"{name.value.decode(errors='replace')}_sm{major.value}{minor.value}"


def tensorrt_version() -> str:
    """Of the library, 10.13.0 for instance. Raises PartDistillError where it is not installed."""
    with suppress(ImportError):
        return str(importlib.import_module("tensorrt").__version__)  # which loads its libraries, too
    try:
        number = int(ctypes.CDLL("libnvinfer.so.10").getInferLibVersion())
    except (OSError, AttributeError):
        raise PartDistillError(
            "TensorRT is not installed (libnvinfer.so.10 not found): pip install tensorrt-cu12, as your CUDA is"
        ) from None
    return f"{number // 10000}.{number // 100 % 100}.{number % 100}"


def agreement(logits: NDArray[np.float32], reference: NDArray[np.float32]) -> float:
    """Share of points `[B, N]` with the same name in `logits [B, N, P]` as in those of the reference."""
    if not np.isfinite(logits).all():
        return 0.0
    return float((logits.argmax(axis=-1) == reference.argmax(axis=-1)).mean())
