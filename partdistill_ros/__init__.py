# SPDX-License-Identifier: Apache-2.0
"""Live 3D part segmentation for ROS 2, distilled from vision-language models.

    from partdistill_ros import Bundle, DistillConfig, Segmenter, distill, load_scan

Each name is imported when it is first asked for (PEP 562): the live path never loads torch.
"""

import importlib
from pkgutil import extend_path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from partdistill_ros.distillation.config import DistillConfig
    from partdistill_ros.distillation.pipeline import distill
    from partdistill_ros.inference.bundle import Bundle
    from partdistill_ros.inference.segmenter import Segmenter
    from partdistill_ros.io.load import load_scan

# rosidl installs the generated `partdistill_ros.msg`, `.srv` and `.action` under the same name:
# with a source checkout first on sys.path they lie in another folder of the same package.
__path__ = extend_path(__path__, __name__)
__version__ = "0.1.0"
__all__ = ["Bundle", "DistillConfig", "Segmenter", "distill", "load_scan"]

_HOME = {
    "Bundle": "inference.bundle",
    "DistillConfig": "distillation.config",
    "Segmenter": "inference.segmenter",
    "distill": "distillation.pipeline",
    "load_scan": "io.load",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
