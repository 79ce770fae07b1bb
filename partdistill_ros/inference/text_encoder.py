# SPDX-License-Identifier: Apache-2.0
"""The text encoder that a bundle may carry: names into its text space, with ONNX Runtime and no torch."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import MissingDependencyError, PartDistillError
from partdistill_ros.inference.onnx_header import FLOAT, INT64, TensorSpec, read_header
from partdistill_ros.inference.session import CPU, open_session
from partdistill_ros.io.parsing import reason

GRAPH, TOKENIZER = "text_encoder.onnx", "tokenizer.json"
IDS, MASK, OUTPUT = "input_ids", "attention_mask", "embeddings"
MAX_THREADS = 4  # one short sentence gains nothing from more
BATCH = 64  # names at once: bounds memory


class OnnxTextEncoder:
    """Sentences to unit embeddings in the text space of a bundle.

    graph: bytes of a network with the inputs `input_ids` and, if it wants it, `attention_mask`, both
    `[T, L] i8`, and the output `embeddings [T, D] f4`.  tokenizer: a `tokenizer.json` with its own
    truncation and padding.  dim: D.  where: names the files in errors.
    Nothing is loaded before the first name is asked for; the graph's inputs are checked at once.
    Raises PartDistillError where the graph does not fit.
    """

    def __init__(self, graph: bytes, tokenizer: bytes, dim: int, where: str = "", threads: int | None = None) -> None:
        header = read_header(graph, f"{where}{GRAPH}")
        wanted = {IDS: header.inputs.get(IDS), OUTPUT: header.outputs.get(OUTPUT)}
        kinds = {IDS: INT64, OUTPUT: FLOAT}
        if any(spec is None or spec.dtype != kinds[name] for name, spec in wanted.items()):
            raise PartDistillError(f"{where}{GRAPH}: no input '{IDS}' or output '{OUTPUT}': export the bundle again")
        found: TensorSpec = header.outputs[OUTPUT]
        if found.dims is not None and found.dims[-1] not in (None, dim):
            raise PartDistillError(f"{where}{GRAPH}: embeddings of {found.dims[-1]} numbers, the bundle has {dim}")
        self._inputs = tuple(header.inputs)
        self._content: tuple[bytes, bytes] | None = (graph, tokenizer)
        self._threads = threads or min(len(os.sched_getaffinity(0)), MAX_THREADS)
        self._where = where
        self._session: Any = None
        self._tokenizer: Any = None

    def encode(self, names: Sequence[str]) -> NDArray[np.float32]:
        """Unit embeddings `[T, D]` of names or phrases, in lower case and single spaces.

        Raises MissingDependencyError where the package `tokenizers` is missing, PartDistillError where
        one of the files does not load.
        """
        self._start()
        cleaned = [re.sub(r"[\s_]+", " ", name).strip().lower() for name in names]
        parts = [self._run(cleaned[at : at + BATCH]) for at in range(0, len(cleaned), BATCH)]
        return np.concatenate(parts).astype(np.float32)

    def _run(self, sentences: list[str]) -> NDArray[np.float32]:
        encoded = self._tokenizer.encode_batch(sentences)
        fed = {
            IDS: np.array([one.ids for one in encoded], np.int64),
            MASK: np.array([one.attention_mask for one in encoded], np.int64),
        }
        answer: NDArray[np.float32] = self._session.run([OUTPUT], {name: fed[name] for name in self._inputs})[0]
        return answer

    def _start(self) -> None:
        if self._content is None:
            return
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise MissingDependencyError("tokenizers", "text", "A name that the bundle's vocabulary lacks") from error
        graph, tokenizer = self._content
        try:
            self._tokenizer = Tokenizer.from_str(tokenizer.decode())
            self._session = open_session(graph, [CPU], self._threads)
        except Exception as error:  # tokenizers has no base class for its errors
            raise PartDistillError(
                f"{self._where}{GRAPH} or {TOKENIZER} does not load ({reason(error)}): export it again"
            ) from error
        self._content = None  # the session holds its own copy
