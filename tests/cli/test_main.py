# SPDX-License-Identifier: Apache-2.0
"""The frame of the command line: help that teaches, exit codes, a clean standard output, light imports."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from partdistill_ros.cli import info
from partdistill_ros.cli import main as cli
from partdistill_ros.cli.common import Answer
from partdistill_ros.errors import CommandFailed, MissingDependencyError, PartDistillError

ROOT = Path(cli.__file__).parents[1]
HEAVY = {"torch", "rclpy", "onnxruntime", "scipy", "PIL", "trimesh", "rosbags", "tqdm"}


def in_a_process(*arguments, code=None, **environment):
    program = ["-c", code] if code else ["-m", "partdistill_ros.cli.main"]
    return subprocess.run(
        [sys.executable, *program, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
        timeout=120,
    )


def test_help_teaches_every_command(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["--help"])
    shown = capsys.readouterr().out
    assert end.value.code == 0
    assert all(re.search(rf"^    {name}\s", shown, re.M) for name in cli.COMMANDS)
    assert "partdistill segment scene.pcd" in shown and "Exit code" in shown


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_each_command_has_help_with_examples_and_json(name, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main([name, "--help"])
    shown = capsys.readouterr().out
    assert end.value.code == 0
    assert "examples:" in shown and f"partdistill {name}" in shown and "--json" in shown
    assert max(map(len, shown.splitlines())) <= 120


def test_every_example_in_the_help_is_accepted():
    parser = cli.build_parser()
    count = 0
    for text in (cli.EXAMPLES, *(sys.modules[cli.module_of(name)].EXAMPLES for name in cli.COMMANDS)):
        for line in text.replace("\\\n", " ").splitlines():
            command = re.split(r"\s{3,}(?=[a-z])(?!--)", line.strip())[0]
            if command.startswith("partdistill "):
                import shlex

                parser.parse_args(shlex.split(command)[1:])
                count += 1
    assert count >= 18


@pytest.mark.parametrize("arguments", [[], ["fly"], ["segment"], ["info", "--wings"], ["evaluate", "x", "--jso"]])
def test_wrong_usage_is_code_2_and_explained_on_stderr(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    caught = capsys.readouterr()
    assert end.value.code == 2
    assert "usage: partdistill" in caught.err and not caught.out


@pytest.mark.parametrize(
    "error, code",
    [
        (PartDistillError("mend the file"), 2),
        (MissingDependencyError("torch", "train", "distillation"), 2),
        (CommandFailed("the node ended"), 1),
        (KeyboardInterrupt(), 1),
        (MemoryError(), 1),
        (RuntimeError("a bug"), 1),
    ],
)
def test_errors_become_codes_and_a_sentence(error, code, monkeypatch, capsys):
    def fail(_):
        print("a library prints on standard output")
        raise error

    monkeypatch.setattr(info, "run", fail)
    assert cli.main(["info"]) == code
    caught = capsys.readouterr()
    assert not caught.out
    assert "partdistill: error: " in caught.err
    assert ("Traceback" in caught.err) == isinstance(error, RuntimeError)

    assert cli.main(["info", "--json"]) == code
    assert set(json.loads(capsys.readouterr().out)) == {"error"}


def test_json_is_alone_on_standard_output(monkeypatch, capsys):
    def answer(_):
        print("chatter")
        return Answer({"points": 3}, "three points")

    monkeypatch.setattr(info, "run", answer)
    assert cli.main(["info", "--json"]) == 0
    caught = capsys.readouterr()
    assert json.loads(caught.out) == {"points": 3} and caught.out.count("\n") == 1
    assert "chatter" in caught.err
    assert cli.main(["info"]) == 0
    assert capsys.readouterr().out == "three points\n"


def test_help_and_parsing_load_nothing_heavy():
    code = f"""
import sys
from partdistill_ros.cli import main as cli
cli.build_parser().parse_args(["demo"])
print(sorted(set(sys.modules) & {HEAVY!r}))
"""
    done = in_a_process(code=code)
    assert done.stdout.strip() == "[]", done.stderr


def test_as_a_process_with_a_reader_that_leaves(tmp_path):
    done = in_a_process("info", str(tmp_path), "--json")
    assert done.returncode == 2 and "bundle.json" in json.loads(done.stdout)["error"]
    code = """
import os, sys
from partdistill_ros.cli import main as cli
from partdistill_ros.cli import info
from partdistill_ros.cli.common import Answer
info.run = lambda _: Answer({}, "x" * 100_000)
read, write = os.pipe()
os.close(read)
os.dup2(write, 1)
sys.exit(cli.main(["info"]))
"""
    done = in_a_process(code=code)
    assert done.returncode == 1 and "Broken" not in done.stderr
