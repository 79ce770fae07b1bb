# SPDX-License-Identifier: Apache-2.0
"""A thousand words as part names: how many are refused, how long a new query takes, how much memory it all holds.

    python benchmarks/any_word.py [--words FILE] [--bundle default]

FILE holds a word a line; without it common words of the shipped table are drawn. Run it without torch installed, or
see that none was loaded. Exit code 0 where no name is refused and a new query takes at most 20 ms.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path

import numpy as np

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.segmenter import Segmenter
from partdistill_ros.inference.token_table import shipped_table

MILLISECONDS = 20.0
A_QUERY = 4  # names


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--words", type=Path)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--bundle", default="default")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    segmenter = Segmenter(options.bundle, "cpu", 2)
    segmenter.warm_up()
    listed = options.words.read_text().split() if options.words else shipped_table().words
    usable = [word for word in listed if word.isalpha() and len(word) > 3 and word not in segmenter.bundle.vocabulary]
    words = np.random.default_rng(options.seed).choice(usable, options.count, replace=False)
    refused, told, times = 0, 0, []
    for names in np.array_split(words, max(len(words) // A_QUERY, 1)):
        start = time.perf_counter()
        try:
            told += len(segmenter.query(", ".join(names)).remarks)
        except PartDistillError as error:
            refused += 1
            print(error)
        times.append(1e3 * (time.perf_counter() - start))
    cloud = np.random.default_rng(0).normal(size=(5000, 3)).astype(np.float32)
    segmenter.segment([cloud], "torso, rack, chuck, palm", [(0, 0, 1)])
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    slowest = np.quantile(times, 0.99)
    print(f"{options.count} words in queries of {A_QUERY}: {refused} queries refused, {told} words called strange")
    print(f"a new query {np.median(times):.1f} ms, 99 % under {slowest:.1f} ms; resident at most {memory:.0f} MB")
    print(f"torch loaded: {'torch' in sys.modules}")
    return int(refused > 0 or slowest > MILLISECONDS or "torch" in sys.modules)


if __name__ == "__main__":
    sys.exit(main())
