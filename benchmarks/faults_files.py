# SPDX-License-Identifier: Apache-2.0
"""Faults of `faults.py` in files, in what they may make a program do, and in a training that is cut off."""

from __future__ import annotations

import hashlib
import http.client
import importlib.util
import json
import os
import pickle
import shutil
import signal
import subprocess
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from fault_rows import SECONDS, Row, Stand

from partdistill_ros.errors import CommandFailed
from partdistill_ros.inference.bundle import DEFAULT_PATH, MANIFEST, MODEL
from partdistill_ros.io.save import save_scan
from partdistill_ros.nodes.child import python_command
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.synthetic.families import generate

PARTS = ["--parts", "handle, cup", "--category", "mug"]
STAGES = ("extract", "render", "teach", "forward", "backward", "export", "evaluate")
WEIGHTS = "student.pt"
TRAINING_SECONDS = 900.0
OBEDIENT = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search")
"""Root, to whom rights mean something."""


def command(*words: object) -> list[str]:
    """`partdistill WORDS` as a process of its own."""
    program = "import runpy; runpy.run_module('partdistill_ros.cli', run_name='__main__', alter_sys=True)"
    return python_command(program, *map(str, words))


def refusal(words: list[str], seconds: float = SECONDS) -> tuple[bool, str]:
    """Runs a command that must refuse: whether it did in one sentence and with code 2, and the sentence."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=seconds)
    last = (done.stderr.strip().splitlines() or [""])[-1]
    return done.returncode == 2 and "error: " in last and "Traceback" not in done.stderr, last


def rights(stand: Stand) -> list[Row]:
    """What belongs to somebody else: files that may not be read, folders that may not be entered or written."""
    root = os.geteuid() == 0
    if root and shutil.which(OBEDIENT[0]) is None:
        return [Row("no rights", 0, 0, "not tried: setpriv is missing, and root may read everything")]
    home = stand.folder
    for name in ("own/mug.npz", "mug.npz", "mug.ply", "mug.pcd", "closed/mug.npz", "closed/collection.json"):
        save_scan(home / name, stand.scan) if name.endswith(("npz", "ply", "pcd")) else (home / name).touch()
    shutil.copytree(DEFAULT_PATH, home / "no_model")
    shutil.copytree(DEFAULT_PATH, home / "closed_bundle")
    (home / "boxes.json").write_text("{}")
    (home / "fixed").mkdir()
    for name in ("mug.npz", "mug.ply", "mug.pcd", "boxes.json", f"no_model/{MODEL}", "closed", "closed_bundle"):
        (home / name).chmod(0)
    (home / "fixed").chmod(0o555)
    own, query, out = home / "own" / "mug.npz", ["--query", "mug: handle, cup"], ["--out", home / "out.ply"]
    tried: dict[str, list[list[object]]] = {
        "scans that may not be read": [
            *(["segment", home / f"mug.{suffix}", *query, *out] for suffix in ("npz", "ply", "pcd")),
            ["segment", home / "closed" / "mug.npz", *query, *out],
            ["view", home / "mug.npz", "--turntable", home / "out.gif"],
            ["collect", home / "closed", "--out", home / "collected"],
            ["distill", home / "closed", *PARTS, "--out", home / "student"],
            ["evaluate", home / "mug.npz", "--method", "vote"],
        ],
        "bundles and boxes that may not be read": [
            ["segment", own, "--bundle", home / "no_model", *query, *out],
            ["segment", own, "--bundle", home / "closed_bundle", *query, *out],
            ["distill", own, *PARTS, "--teacher", f"boxes:{home / 'boxes.json'}", "--out", home / "student"],
        ],
        "folders that may not be written": [
            ["segment", own, *query, "--out", home / "fixed" / "out.ply"],
            ["view", own, "--turntable", home / "fixed" / "out.gif"],
            ["collect", own, "--out", home / "fixed" / "collected"],
            ["distill", own, *PARTS, "--out", home / "fixed" / "student"],
            ["distill", own, *PARTS, "--store", home / "fixed" / "store", "--out", "mugs"],
        ],
    }  # fmt: skip
    rows = []
    for name, commands in tried.items():
        found = [refusal([*(OBEDIENT if root else ()), *command(*words)]) for words in commands]
        bad = [words for held, words in found if not held]
        seen = bad[0] if bad else found[-1][1].partition("error: ")[2].replace(str(home), "")
        rows.append(Row(name, len(found), len(found) - len(bad), seen[:90]))
    for name in ("closed", "closed_bundle"):
        (home / name).chmod(0o755)
    return rows


def networks(stand: Stand) -> list[Row]:
    """The shipped bundle with a changed network, its checksum right. Needs the package onnx."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    def external(place: str) -> Callable[[Any], None]:
        def change(model: Any) -> None:
            tensor = max(model.graph.initializer, key=lambda one: len(one.raw_data))
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in (("location", place), ("offset", "0")):
                entry = tensor.external_data.add()
                entry.key, entry.value = key, value

        return change

    def foreign(model: Any) -> None:
        model.graph.node[-1].domain, model.graph.node[-1].op_type = "com.example", "System"
        model.opset_import.append(helper.make_opsetid("com.example", 1))

    def claims(*dims: int) -> Callable[[Any], None]:
        def change(model: Any) -> None:
            tensor = max(model.graph.initializer, key=lambda one: len(one.raw_data))
            del tensor.dims[:]
            tensor.dims.extend(dims)

        return change

    def takes(model: Any) -> None:
        """Half a terabyte as it runs."""
        graph = model.graph
        graph.initializer.append(numpy_helper.from_array(np.array([400_000, 400_000], np.int64), "much"))
        last = next(node for node in graph.node if "logits" in node.output)
        last.output[list(last.output).index("logits")] = "small"
        for node in (
            helper.make_node("ConstantOfShape", ["much"], ["large"]),
            helper.make_node("ReduceSum", ["large"], ["sum"], keepdims=0),
            helper.make_node("Add", ["small", "sum"], ["logits"]),
        ):
            graph.node.append(node)

    scan = stand.folder / "mug.npz"
    save_scan(scan, stand.scan)
    tried: dict[str, list[Callable[[Any], None]]] = {
        "networks with weights in other files": [external("/etc/passwd"), external("../../../etc/passwd")],
        "networks with operators of others": [foreign],
        "networks that claim or take all memory": [claims(2**40), claims(2**32, 2**32), claims(-1), takes],
    }
    rows = []
    for name, changes in tried.items():
        found = []
        for change in changes:
            bundle = stand.folder / "bundle"
            shutil.rmtree(bundle, ignore_errors=True)
            shutil.copytree(DEFAULT_PATH, bundle)
            model = onnx.load(bundle / MODEL)
            change(model)
            (bundle / MODEL).write_bytes(model.SerializeToString())
            sign(bundle, MODEL)
            query = ["--query", "mug: handle, cup", "--out", stand.folder / "out.ply"]
            found.append(refusal(command("segment", scan, "--bundle", bundle, *query)))
        bad = [words for held, words in found if not held]
        seen = (bad or [found[-1][1]])[0].partition("error: ")[2].replace(str(stand.folder), "")
        rows.append(Row(name, len(found), len(found) - len(bad), seen[:90]))
    return rows


def sign(bundle: Path, name: str) -> None:
    """States the checksum that a changed file of a bundle has."""
    manifest = json.loads((bundle / MANIFEST).read_text())
    manifest["files"][name]["sha256"] = hashlib.sha256((bundle / name).read_bytes()).hexdigest()
    (bundle / MANIFEST).write_text(json.dumps(manifest))


class Program:
    """Makes a folder as soon as somebody unpickles it."""

    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (str(self.made),)


def programs(stand: Stand) -> list[Row]:
    """A pickled program as first weights, as the weights of a bundle, and as the checkpoint of a run."""
    import torch

    made, scan, out = stand.folder / "made", stand.folder / "scans" / "mug.npz", stand.folder / "student"
    save_scan(scan, stand.scan)
    plain, packed = stand.folder / "plain.pt", stand.folder / "packed.pt"
    plain.write_bytes(pickle.dumps(Program(made)))
    torch.save({"state": Program(made)}, packed)
    bundle = stand.folder / "bundle"
    shutil.copytree(DEFAULT_PATH, bundle)
    shutil.copy(packed, bundle / WEIGHTS)
    sign(bundle, WEIGHTS)
    found = [
        refusal(command("distill", scan, *PARTS, "--start", start, "--out", out, "--epochs", 1), TRAINING_SECONDS)
        for start in (plain, packed, bundle)
    ]
    held = sum(one for one, words in found if "could be a program" in words and not made.exists())
    return [Row("programs among weights", len(found), held, "refused by name, and none ran")]


def training(stand: Stand, out: Path) -> list[str]:
    """The command of a tiny training of two mugs, the same each time."""
    scans = stand.folder / "mugs"
    if not scans.exists():
        for seed in range(2):
            save_scan(scans / f"mug_{seed}.ply", generate("mug", 500 + seed))
    options = ["--mode", "tta", "--epochs", 4, "--device", "cpu", "--progress", "json", "--json"]
    return command("distill", scans, *PARTS, "--out", out, *options)


def run_training(words: list[str]) -> None:
    """To its end. Raises CommandFailed where it has none."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=TRAINING_SECONDS)
    if done.returncode:
        raise CommandFailed(f"a training ended with code {done.returncode}: {done.stderr[-300:]}")


def weights_of(bundle: Path) -> dict[str, str]:
    """What a training has made, but for its manifest, which tells how long it took."""
    files = [path for path in bundle.iterdir() if path.name != MANIFEST]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def kills(stand: Stand) -> list[Row]:
    """One training is killed in each of its stages in turn; another is left in peace."""
    out, peace = stand.folder / "killed", stand.folder / "peace"
    killed = []
    for stage in STAGES:
        process = subprocess.Popen(training(stand, out), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        for line in process.stderr:
            if f'"stage": "{stage}"' in line:
                process.send_signal(signal.SIGKILL)
                killed.append(stage)
                break
        process.communicate()
    run_training(training(stand, out))
    run_training(training(stand, peace))
    same = weights_of(out) == weights_of(peace)
    left = [path.name for path in out.parent.glob(".*killed*")]
    seen = f"killed in {', '.join(killed)}: {'the same' if same else 'ANOTHER'} student"
    return [Row("SIGKILL in each stage of a training", len(STAGES), len(killed) * (same and not left), seen)]


def full(stand: Stand) -> list[Row]:
    """A disk with room for the beginning of a training only, then with more. Needs the right to mount."""
    disk, peace = stand.folder / "disk", stand.folder / "peace"
    with small_disk(disk, "24m") as mounted:
        if not mounted:
            return [Row("no space left while training", 0, 0, "not tried: no file system can be mounted (root can)")]
        sizes, sentences = (20, 12, 4), []
        for megabytes in sizes:
            keep = disk / "filler"
            keep.write_bytes(bytes(megabytes << 20))
            sentences.append(fails_on(training(stand, disk / "student")))
            keep.unlink()
        subprocess.run(["mount", "-o", "remount,size=500m", disk], check=True)
        run_training(training(stand, disk / "student"))
        run_training(training(stand, peace))
        same = weights_of(disk / "student") == weights_of(peace)
    bad = [words for held, words in sentences if not held]
    seen = (bad or [sentences[-1][1].partition("error: ")[2].replace(str(disk), "")])[0]
    held = (len(sizes) - len(bad)) * same
    return [Row("no space left while training", len(sizes), held, f"{'' if same else 'ANOTHER STUDENT; '}{seen[:90]}")]


def fails_on(words: list[str]) -> tuple[bool, str]:
    """Runs what must fail for want of room, or may just fit: whether it did so in a sentence, and that."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=TRAINING_SECONDS)
    last = (done.stderr.strip().splitlines() or [""])[-1]
    held = done.returncode in (1, 2) and "error: " in last and "No space left" in last
    return held and "Traceback" not in done.stderr, last


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[bool]:
    """A file system of its own in memory; False where it cannot be mounted."""
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True)
    try:
        yield done.returncode == 0
    finally:
        if done.returncode == 0:
            subprocess.run(["umount", "--lazy", folder], check=True)


NAMES = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "\x1b[2J", "\u202etxt.exe", "a" * 5_000, "{{7*7}}",
    "'; DROP TABLE parts; --", "[x](javascript:alert(1))", "\0", "line\nbreak", "&lt;b&gt;", " ",
)  # fmt: skip


def viewer(stand: Stand) -> list[Row]:
    """Names of parts from a file that somebody has sent; requests of pages that somebody has opened."""
    if importlib.util.find_spec("viser") is None:
        return [Row("the browser viewer", 0, 0, "not tried: viser is not installed (the extra view)")]
    from partdistill_ros.visualization.browser import BrowserViewer, Content

    points = np.random.default_rng(0).random((100, 3)).astype(np.float32)
    with BrowserViewer("127.0.0.1", 8090, 1_000) as page:
        shown = 0
        for name in NAMES:
            page.show(Content(Scan(points), np.zeros(100, np.int16), (name,)))
            page.choose(show=name)
            content = page.legend.content
            shown += "<script" not in content and "<img" not in content and "\x1b" not in content
        address = urllib.parse.urlsplit(page.url).netloc
        asked = [status(address, headers) for headers in FOREIGN]
        own = status(address, {}) == 200 and status(address, SOCKET | {"Origin": f"http://{address}"}) == 101
    return [
        Row("hostile names in the viewer", len(NAMES), shown, "their markup is text on the page"),
        Row("other pages that ask the viewer", len(asked), asked.count(403) * own, "403; its own page is served"),
    ]


SOCKET = {
    "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}  # fmt: skip
FOREIGN: tuple[dict[str, str], ...] = (
    SOCKET | {"Origin": "http://evil.example"}, SOCKET | {"Origin": "null"}, {"Host": "evil.example"},
    SOCKET | {"Host": "evil.example", "Origin": "http://evil.example"}, {"Host": "localhost.evil.example"},
    SOCKET | {"Origin": "http://127.0.0.1:1"}, {"Host": ""},
)  # fmt: skip


def status(address: str, headers: dict[str, str]) -> int:
    """With which the viewer answers a request."""
    connection = http.client.HTTPConnection(address, timeout=SECONDS)
    try:
        connection.request("GET", "/", headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()
