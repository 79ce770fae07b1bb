# SPDX-License-Identifier: Apache-2.0
"""What cannot work is refused before torch is loaded; the rest reaches the trainer unchanged."""

import subprocess
import sys
from pathlib import Path

import pytest

import partdistill_ros

ROOT = Path(partdistill_ros.__file__).parents[1]


@pytest.fixture
def asked(monkeypatch, toy_bundle, tmp_path):
    """A trainer that only notes what it was told, reports two epochs and returns the toy."""
    pipeline = pytest.importorskip("partdistill_ros.distillation.pipeline", reason="torch: the extra 'train'")
    from partdistill_ros.distillation.progress import Progress
    from partdistill_ros.evaluation import finalize as ending
    from partdistill_ros.inference.bundle import Bundle

    configs = []

    def train(config, progress):
        configs.append(config)
        progress(Progress("forward", 1, 2, 0.5))
        progress(Progress("backward", 2, 2, 0.25))
        return pipeline.Run(toy_bundle, tmp_path / "toy.work", (), (), None, ())

    def finalize(run, config, store, report):
        return ending.Finalized(Bundle.load(run.bundle), run.work / "report.html", {"accepted": True}, None, "checked")

    monkeypatch.setattr(pipeline, "distill", train)
    monkeypatch.setattr(ending, "finalize", finalize)
    return configs


def test_options_reach_the_trainer(partdistill, asked, cloud_file, tmp_path):
    names = ("--parts", "Handle, cup", "--category", " Coffee  mug")
    modes = (
        "--with-text-encoder",
        "--up=-y",
        "--mode",
        "tta",
        "--start",
        "scratch",
        "--backward",
        "none",
        "--device",
        "cpu",
    )
    numbers = ("--epochs", "3", "--seed", "7", "--generated", cloud_file, "--generated-share", "0.5")
    done = partdistill("distill", cloud_file, *names, *modes, *numbers, "--out", tmp_path / "mugs", "--json")
    assert done.code == 0, done.err
    config = asked[0]
    assert config.scans == (cloud_file,) and config.out == tmp_path / "mugs"
    assert (config.parts, config.category) == (("handle", "cup"), "coffee mug")
    assert config.with_text_encoder and config.text_space == "minilm"
    assert (config.up, config.mode, config.start, config.backward) == ("-y", "tta", "scratch", "none")
    assert (config.device, config.seed, config.epochs, config.teacher) == ("cpu", 7, 3, "mini")
    assert (config.generated, config.generated_share) == ((str(cloud_file),), 0.5)
    record = done.json()
    assert record["name"] == "toy" and record["categories"]["post"] == ["top", "bottom"]


def test_defaults_are_those_of_the_trainer(partdistill, asked, cloud_file, tmp_path):
    from partdistill_ros.distillation.config import DistillConfig

    done = partdistill("distill", cloud_file, "--parts", "handle, cup", "--device", "cpu", "--out", tmp_path / "b")
    assert done.code == 0 and 'ask it for "post: top, bottom' in done.out
    assert asked[0] == DistillConfig(scans=(cloud_file,), parts=("handle", "cup"), out=tmp_path / "b", device="cpu")


@pytest.mark.parametrize("rule", ["posterior", "kept-mass", "published"])
def test_every_rule_of_backward_distillation(partdistill, asked, cloud_file, tmp_path, rule):
    wanted = ("--parts", "handle, cup", "--device", "cpu", "--out", tmp_path / "b")
    assert partdistill("distill", cloud_file, *wanted, "--backward", rule).code == 0
    assert asked[0].backward == rule


def test_generated_shapes_may_be_given_again(partdistill, asked, cloud_file, tmp_path):
    made = tmp_path / "made"
    made.mkdir()
    wanted = ("--parts", "handle, cup", "--category", "Mug", "--device", "cpu", "--out", tmp_path / "b")
    done = partdistill("distill", cloud_file, *wanted, "--generated", made, "--generated", "procedural:5")
    assert done.code == 0, done.err
    assert asked[0].scans == (cloud_file,) and asked[0].generated == (str(made), "procedural:5")


def test_generated_shapes_need_no_scan(partdistill, asked, tmp_path):
    wanted = ("--parts", "handle, cup", "--category", "mug", "--device", "cpu", "--out", tmp_path / "b")
    done = partdistill("distill", *wanted, "--generated", "procedural:5")
    assert done.code == 0, done.err
    assert asked[0].scans == () and asked[0].generated == ("procedural:5",) and asked[0].generated_share is None


def test_without_scans_or_generated_shapes_there_is_nothing_to_learn_from(partdistill, asked, tmp_path):
    done = partdistill("distill", "--parts", "handle, cup", "--device", "cpu", "--out", tmp_path / "b")
    assert done.code == 2 and "no scans were given" in done.err and "--generated" in done.err
    assert not asked


def test_a_student_and_a_file_to_start_from(partdistill, asked, cloud_file, tmp_path):
    start = tmp_path / "public.pth"
    start.touch()
    wanted = ("--parts", "handle, cup", "--device", "cpu", "--out", tmp_path / "b")
    other = ("--student", "point_m2ae", "--start", start, "--freeze-encoder")
    assert partdistill("distill", cloud_file, *wanted, *other).code == 0
    config = asked[0]
    assert (config.student, config.start, config.freeze_encoder) == ("point_m2ae", str(start), True)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"--parts": "handle"}, "at least two parts"),
        ({"--parts": "handle, Handle"}, "given twice"),
        ({"--parts": " "}, "no part names"),
        ({"--category": " "}, "--category is empty"),
        ({"--teacher": "boxes"}, "boxes:FILE.json"),
        ({"--teacher": "boxes:nowhere.json"}, "nowhere.json does not exist"),
        ({"--teacher": "oracle"}, "oracle"),
        ({"--out": "default"}, "means the shipped one"),
        ({"--mode": "both"}, "invalid choice"),
        ({"--text-space": "clip"}, "add --teacher clip"),
        ({"--text-space": "clip", "--teacher": "clip"}, "start from scratch"),
        ({"--text-space": "t5"}, "invalid choice"),
        ({"--generated": "nowhere"}, "do not exist"),
        ({"--generated": "procedural"}, "procedural:50"),
        ({"--generated": "procedural:5", "--category": "spoon"}, "no procedural family 'spoon'"),
        ({"--generated": "procedural:0", "--category": "mug"}, "does not say how many"),
        ({"--generated": "procedural:5"}, "make it the category"),
        ({"--generated": "procedural:5", "--category": "mug", "--generated-share": "0"}, "must be over 0"),
        ({"--generated": "procedural:5", "--category": "mug", "--generated-share": "nan"}, "invalid number value"),
        ({"--generated-share": "often"}, "invalid number"),
        ({"--backward": "sideways"}, "invalid choice"),
        ({"--student": "oracle"}, "invalid choice"),
        ({"--student": "point_m2ae"}, "the shipped student is a patch_transformer"),
        ({"--start": "nowhere.pt"}, "nowhere.pt"),
        ({"--epochs": "0"}, "whole number from 1"),
    ],
)
def test_refused_at_the_start(partdistill, asked, cloud_file, tmp_path, change, words):
    options = {"--parts": "handle, cup", "--out": tmp_path / "mugs", "--device": "cpu", **change}
    done = partdistill("distill", cloud_file, *(word for pair in options.items() for word in pair))
    assert done.code == 2 and words in done.err
    assert not asked and not (tmp_path / "mugs").exists()


def test_inputs_and_outputs_are_checked(partdistill, asked, cloud_file, tmp_path):
    wanted = ("--parts", "handle, cup", "--device", "cpu")
    done = partdistill("distill", tmp_path / "gone.ply", *wanted, "--out", tmp_path / "mugs")
    assert done.code == 2 and "gone.ply does not exist" in done.err
    done = partdistill("distill", cloud_file, *wanted, "--out", cloud_file)
    assert done.code == 2 and "exists and is not a bundle" in done.err
    done = partdistill("distill", cloud_file, *wanted, "--out", tmp_path)
    assert done.code == 2 and "exists and is not a bundle" in done.err
    assert not asked


def test_without_torch_the_extra_is_named(cloud_file, tmp_path):
    code = "import sys; sys.modules['torch'] = None\nimport partdistill_ros.cli.__main__"
    arguments = ["distill", cloud_file, "--parts", "handle, cup", "--out", tmp_path / "mugs"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert done.returncode == 2 and 'pip install "partdistill_ros[train]"' in done.stderr


@pytest.fixture
def collection(tmp_path, post):
    """Nine valid posts and one whose cloud is cut off."""
    from partdistill_ros.io.recorded_scan import CLOUD
    from partdistill_ros.pointcloud.scan import sample_surface
    from partdistill_ros.recording.collection import Collection

    made = Collection.create(tmp_path / "posts")
    for number in range(10):
        made.add(sample_surface(post, 2000, number).with_(name=f"post_{number}"))
    cloud = made.folder / "post_3" / CLOUD
    cloud.write_bytes(cloud.read_bytes()[:1000])
    return made.folder


def test_damaged_members_are_named_and_the_trainer_gets_the_rest(partdistill, asked, collection, tmp_path):
    done = partdistill("distill", collection, "--parts", "handle, cup", "--out", tmp_path / "b", "--json")
    assert done.code == 0, done.err
    assert [path.name for path in asked[0].scans] == [f"post_{number}" for number in range(10) if number != 3]
    assert list(done.json()["damaged"]) == [str(collection / "post_3")] and "was cut off or changed" in done.err


def test_a_collection_without_a_valid_scan_is_refused(partdistill, asked, tmp_path):
    from partdistill_ros.recording.collection import Collection

    folder = Collection.create(tmp_path / "c").folder
    for name, words in (("", "holds no valid scan; see"), ("bad", "all 1 scans are damaged")):
        (folder / name).mkdir(exist_ok=True)
        done = partdistill("distill", folder, "--parts", "handle, cup", "--out", tmp_path / "b")
        assert done.code == 2 and words in done.err and not asked
