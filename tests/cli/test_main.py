# SPDX-License-Identifier: Apache-2.0
"""The frame of the command line: help that teaches, exit codes, a clean standard output, light imports."""

import errno
import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from partdistill_ros.cli import common, info
from partdistill_ros.cli import main as cli
from partdistill_ros.cli.common import Answer
from partdistill_ros.errors import CommandFailed, MissingDependencyError, PartDistillError

ROOT = Path(cli.__file__).parents[2]
HEAVY = {"torch", "rclpy", "onnxruntime", "scipy", "PIL", "trimesh", "rosbags", "tqdm"}


def in_a_process(*arguments, code=None, cwd=ROOT, **environment):
    program = ["-c", code] if code else ["-m", "partdistill_ros.cli"]
    return subprocess.run(
        [sys.executable, *program, *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
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
from partdistill_ros.cli import common, info
from partdistill_ros.cli.common import Answer
info.run = lambda _: Answer({}, "x" * 100_000)
read, write = os.pipe()
os.close(read)
os.dup2(write, 1)
sys.exit(cli.main(["info"]))
"""
    done = in_a_process(code=code)
    assert done.returncode == 1 and "Broken" not in done.stderr


def test_numbers_that_json_has_not_are_null(monkeypatch, capsys):
    record = {"loss": float("nan"), "deep": [{"more": (float("inf"), 1.5, "x")}], "none": None}
    monkeypatch.setattr(info, "run", lambda _: Answer(record, ""))
    assert cli.main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"loss": None, "deep": [{"more": [None, 1.5, "x"]}], "none": None}


def test_what_the_machine_refuses_is_a_sentence_wherever_it_was_met(monkeypatch, capsys):
    def fail(_):
        raise PermissionError(errno.EACCES, "Permission denied", "/locked/collection.json")

    monkeypatch.setattr(info, "run", fail)
    assert cli.main(["info"]) == 2
    printed = capsys.readouterr().err
    assert "error: /locked/collection.json: Permission denied; check rights" in printed and "Traceback" not in printed


def test_a_record_that_json_cannot_hold_is_an_error_in_json(monkeypatch, capsys):
    monkeypatch.setattr(info, "run", lambda _: Answer({"what": object()}, ""))
    assert cli.main(["info", "--json"]) == 1
    assert "not JSON serializable" in json.loads(capsys.readouterr().out)["error"]


STRANGE = "\x1b]0;owned\x07\x1b[31mred \udcff \u202etxt.exe \x9b2J"


def test_what_a_terminal_would_obey_is_shown(monkeypatch, capsys):
    def fail(_):
        common.say(STRANGE)
        logging.getLogger("some.library").warning("%s", STRANGE)
        raise RuntimeError(STRANGE)

    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    monkeypatch.setattr(info, "run", lambda _: Answer({}, STRANGE + "\n\tcaf\xe9"))
    assert cli.main(["info"]) == 0
    printed = capsys.readouterr().out
    assert not set(printed) & set("\x1b\x07\x9b\u202e\udcff") and printed.endswith("\n\tcaf\xe9\n")
    monkeypatch.setattr(info, "run", fail)
    assert cli.main(["info", "--json"]) == 1
    caught = capsys.readouterr()
    assert not set(caught.err) & set("\x1b\x07\x9b\u202e\udcff") and caught.err.count("\\x1b[31mred") >= 4
    assert STRANGE in json.loads(caught.out)["error"]
    with pytest.raises(SystemExit):
        cli.main(["info", "a", STRANGE])
    assert "\x1b" not in capsys.readouterr().err


def test_an_output_that_is_not_utf8_gets_escapes():
    code = """
import sys
from partdistill_ros.cli import info, main as cli
from partdistill_ros.cli.common import Answer
info.run = lambda _: Answer({}, "caf\xe9\\nand more")
sys.exit(cli.main(["info"]))
"""
    done = in_a_process(code=code, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stdout) == (0, "caf\\xe9\nand more\n"), done.stderr


def test_a_full_disk_is_told():
    code = "import sys; from partdistill_ros.cli import main; sys.exit(main.main(['info']))"
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert done.returncode == 1 and "No space left" in done.stderr and "Traceback" not in done.stderr


def test_sigterm_is_an_interrupt(monkeypatch, capsys):
    def ended(_):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(info, "run", ended)
    assert cli.main(["info"]) == 1 and "interrupted" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.fixture
def hostile_folder(tmp_path):
    """Files in it have the names of modules, and leave a word where they are run."""
    for name in ("numpy", "json", "msgspec", "rclpy", "PIL", "torch"):
        (tmp_path / f"{name}.py").write_text("print('hostile'); raise SystemExit(66)")
    return tmp_path


def test_the_current_folder_shadows_no_module(hostile_folder):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    installed = Path(sys.executable).with_name("partdistill")
    for program in (["-m", "partdistill_ros.cli"], *([[str(installed)]] if installed.exists() else [])):
        command = [sys.executable, *program, "info", "default", "--json"]
        done = subprocess.run(command, cwd=hostile_folder, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0 and json.loads(done.stdout)["name"] == "default", done
