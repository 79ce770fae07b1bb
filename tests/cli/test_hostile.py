# SPDX-License-Identifier: Apache-2.0
"""Every command on every kind of input that is none: one sentence and exit code 2."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

KINDS = ("missing", "folder", "empty", "suffix", "garbage", "loop", "fifo", "named", "unreadable")

COMMANDS = {
    "segment": ("segment", "IN.npz", "--query", "top, bottom", "--out", "OUT.npz"),
    "segment ply": ("segment", "IN.ply", "--query", "top, bottom", "--out", "OUT.npz"),
    "segment bundle": ("segment", "CLOUD", "--query", "top, bottom", "--bundle", "IN", "--out", "OUT.npz"),
    "view": ("view", "IN.pcd", "--turntable", "OUT.png"),
    "info": ("info", "IN"),
    "collect": ("collect", "IN.mcap", "--out", "OUT"),
    "collection ls": ("collection", "ls", "IN"),
    "collection check": ("collection", "check", "IN"),
    "collection merge": ("collection", "merge", "IN", "--out", "OUT"),
    "collection add": ("collection", "add", "IN.glb", "--to", "OUT"),
    "distill": ("distill", "IN.obj", "--parts", "top, bottom", "--out", "OUT", "--device", "cpu", "--epochs", "1"),
    "distill boxes": ("distill", "CLOUD", "--parts", "top, bottom", "--teacher", "boxes:IN.json", "--out", "OUT",
                      "--device", "cpu"),
    "distill start": ("distill", "CLOUD", "--parts", "top, bottom", "--start", "IN.pt", "--out", "OUT",
                      "--device", "cpu"),
    "bundles": ("bundles", "ls", "IN"),
    "pretrain": ("pretrain", "IN.stl", "--out", "OUT.pt", "--epochs", "1", "--device", "cpu"),
    "teachers": ("teachers", "boxes:IN.json"),
    "render": ("render", "IN.npz", "--out", "OUT", "--device", "cpu"),
    "cosegment": ("cosegment", "IN.ply", "--out", "OUT"),
    "evaluate": ("evaluate", "IN.npz", "--bundle", "default"),
    "evaluate bundle": ("evaluate", "CLOUD", "--bundle", "IN"),
    "units": ("units", "IN.npz", "--out", "OUT"),
    "bag": ("bag", "IN.db3"),
    "import-knowledge": ("import-knowledge", "IN.h5", "--parts", "top, bottom", "--out", "OUT"),
}  # fmt: skip


def make(kind: str, path: Path) -> Path:
    """Something of that kind at `path`, which has the suffix that the command wants."""
    if kind == "folder":
        path = path.with_suffix("")
        path.mkdir()
    elif kind == "suffix":
        path = path.with_suffix(".doc")
        path.write_text("words")
    elif kind == "named":  # a folder whose name ends as a file's
        path.mkdir()
    elif kind == "empty":
        path.touch()
    elif kind == "garbage":
        path.write_bytes(np.random.default_rng(0).bytes(3000))
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "unreadable":
        path.write_bytes(b"ply\n")
        path.chmod(0)
    return path


@pytest.mark.timeout(10)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_no_input_is_a_sentence(partdistill, cloud_file, tmp_path, name, kind) -> None:
    if kind == "unreadable" and os.geteuid() == 0:
        pytest.skip("root reads everything")
    if name.split()[0] in ("distill", "pretrain", "render", "units", "import-knowledge"):
        pytest.importorskip("torch", reason="torch: the extra 'train'")
    (tmp_path / "in").mkdir()
    words = []
    for word in COMMANDS[name]:
        head, mark, tail = word.partition("IN")
        if mark and tail[:1] in ("", ".") and (not head or head.endswith(":")):
            word = f"{head}{make(kind, tmp_path / 'in' / f'thing{tail}')}"
        words.append(word.replace("OUT", str(tmp_path / "out")).replace("CLOUD", str(cloud_file)))
    done = partdistill(*words, "--json")
    assert done.code == 2, done.err
    assert set(done.json()) == {"error"} and json.loads(done.out)["error"]
    assert "Traceback" not in done.err and done.err.count("partdistill: error: ") == 1
    assert len(done.json()["error"]) < 600 and "Error:" not in done.json()["error"]
