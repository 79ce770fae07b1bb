# SPDX-License-Identifier: Apache-2.0
"""torchvision beside a torch that it was not compiled for.

open_clip and transformers import torchvision for its picture transforms, which are Python. Its compiled
operators fit one build of torch only; beside another (a CPU torch and the registry's torchvision, which
is for CUDA, are a common pair) the import ends with "operator torchvision::nms does not exist", and
with it the import of whatever uses it.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
from functools import cache
from typing import Any

# The operators whose names torchvision needs at import, as torchvision 0.28 declares them.
DECLARED = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
log = logging.getLogger(__name__)


@cache
def prepare_torchvision() -> Any:
    """Call before importing what imports torchvision; does nothing where it is missing or in order.

    Otherwise its operators are declared without an implementation: its Python part imports, and
    calling one of them says that there is none. Neither CLIP nor the detectors call them. Returns
    the declarations, which must stay alive, or None.
    """
    if importlib.util.find_spec("torchvision") is None:
        return None
    try:
        importlib.import_module("torchvision")
        return None
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise
        reason = str(error)
    import torch

    log.info("torchvision was made for another torch than %s (%s): without its operators", torch.__version__, reason)
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "FRAGMENT")
    for schema in DECLARED:
        library.define(schema)
    importlib.import_module("torchvision")
    return library
