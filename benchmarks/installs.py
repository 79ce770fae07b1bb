# SPDX-License-Identifier: Apache-2.0
"""`make` as people run it: interpreter by interpreter, with a space in the path, cut off, twice, and the demo.

    python benchmarks/installs.py python3.10 python3.12 python3.13 [--tests] [--json]

Clones the last commit; needs the network, a compiler, 2 GB and some minutes for each interpreter. With --tests
`make test` follows, which installs torch too and takes an hour.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from fault_rows import Row
from faults import format_rows

ROOT = Path(__file__).resolve().parents[1]
CUT_SECONDS = 8.0
MAKE_SECONDS = 3600.0


def made(folder: Path, *words: str) -> tuple[int, str]:
    """Exit code and the last line of `make WORDS`."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    command = ["make", *words]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=MAKE_SECONDS
    )  # fmt: skip
    return done.returncode, ((done.stdout + done.stderr).strip().splitlines() or [""])[-1]


def cut_off(folder: Path, python: str) -> tuple[bool, str]:
    """Ctrl-C in the middle of an installation: whether it ends at once and says so."""
    process = subprocess.Popen(
        ["make", f"PYTHON={python}"], cwd=folder, stderr=subprocess.PIPE, text=True, start_new_session=True
    )  # fmt: skip
    time.sleep(CUT_SECONDS)
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    return process.returncode != 0 and "interrupted" in said and "not found" not in said, said.strip()[-80:]


def install(python: str) -> list[Row]:
    """Everything with one interpreter."""
    with tempfile.TemporaryDirectory(prefix="two words ") as home:
        folder = Path(home) / "part distill"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
        held, said = cut_off(folder, python)
        rows = [Row(f"{python}: make, cut off", 1, int(held), said)]
        for name, words in (("make", []), ("make again", []), ("make demo", ["demo"])):
            begin = time.monotonic()
            code, last = made(folder, *words, f"PYTHON={python}")
            rows.append(Row(f"{python}: {name}", 1, int(code == 0), f"{time.monotonic() - begin:.0f} s: {last[:70]}"))
    return rows


def tests(python: str) -> Row:
    """`make test` in a clone of its own."""
    with tempfile.TemporaryDirectory(prefix="two words ") as home:
        folder = Path(home) / "part distill"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
        code, last = made(folder, "test", f"PYTHON={python}")
    return Row(f"{python}: make test", 1, int(code == 0), last[:80])


def main() -> int:
    """Prints the table; exit code 0 where everything held, 1 where not."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pythons", nargs="+", metavar="PYTHON", help="interpreters, by name or path")
    parser.add_argument("--tests", action="store_true", help="`make test` with each as well")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args()
    rows: list[Row] = []
    for python in options.pythons:
        if shutil.which(python) is None:
            rows.append(Row(f"{python}: make", 0, 0, "not tried: there is no such interpreter"))
            continue
        rows += install(python)
        if options.tests:
            rows.append(tests(python))
    print(json.dumps({"rows": [asdict(row) for row in rows]}) if options.json else format_rows(rows))
    return 1 if any(row.held < row.tried for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
