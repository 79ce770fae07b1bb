# SPDX-License-Identifier: Apache-2.0
"""What is published, in which order, and what only when somebody listens."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from partdistill_ros.inference.scene import SceneOptions, label_scene
from partdistill_ros.nodes.engine import Engine
from partdistill_ros.nodes.segmenter_parameters import SegmenterParameters, SegmenterQos

pytestmark = pytest.mark.ros


class FakeNode:
    """Publishers that write down what they are given; `listened` are the topics with a subscription."""

    def __init__(self):
        self.sent, self.alive, self.listened = [], [], set()

    def create_lifecycle_publisher(self, kind, topic, qos, **events):
        publisher = SimpleNamespace(
            topic=topic,
            publish=lambda message: self.sent.append((topic, message)),
            get_subscription_count=lambda: int(topic in self.listened),
        )
        self.alive.append(publisher)
        return publisher

    def destroy_lifecycle_publisher(self, publisher):
        self.alive.remove(publisher)

    def resolve_topic_name(self, name):
        return f"/{name}"

    def get_fully_qualified_name(self):
        return "/robot/part_segmenter"

    def get_clock(self):
        from builtin_interfaces.msg import Time

        return SimpleNamespace(now=lambda: SimpleNamespace(to_msg=lambda: Time(sec=3)))


@pytest.fixture
def node():
    return FakeNode()


@pytest.fixture
def outputs(node):
    from partdistill_ros.nodes.outputs import Outputs

    return Outputs(node, SegmenterQos(), pytest.fail)


@pytest.fixture
def labeled(toy_bundle_path, table_scene):
    """An answer of the toy, with the engine that gave it."""
    from std_msgs.msg import Header

    from partdistill_ros.nodes.conversions import Cloud, labeled_message
    from partdistill_ros.nodes.outputs import Labeled

    parameters = SegmenterParameters(bundle=str(toy_bundle_path), query="post: top, bottom", device="cpu", threads=1)
    engine = Engine.load(parameters)
    cloud = Cloud(table_scene, None, Header(frame_id="camera"), False)
    answer = label_scene(engine.segmenter, engine.query, table_scene, SceneOptions(mode="tabletop"))
    return Labeled(cloud, answer, labeled_message(cloud, answer), engine)


def test_the_legend_goes_before_its_cloud(node, outputs, labeled):
    outputs.result(labeled, labeled.engine, markers=True)
    (first, legend), (second, cloud) = node.sent
    assert (first, second) == ("part_legend", "labeled_points") and cloud is labeled.message
    assert legend.header == cloud.header and legend.query == "post: top, bottom" and legend.bundle == "toy"
    assert sum(legend.counts) == (labeled.answer.labels >= 0).sum() > 0


def test_markers_are_made_for_those_who_look(node, outputs, labeled):
    node.listened = {"part_markers"}
    outputs.result(labeled, labeled.engine, markers=False)
    assert "part_markers" not in dict(node.sent)
    outputs.result(labeled, labeled.engine, markers=True)
    assert len(dict(node.sent)["part_markers"].markers) > 1


def test_detections_are_made_for_those_who_listen(node, labeled):
    pytest.importorskip("vision_msgs", reason="vision_msgs is not installed")
    from partdistill_ros.nodes.outputs import DETECTIONS, Outputs

    outputs = Outputs(node, SegmenterQos(), pytest.fail, with_detections=True)
    outputs.result(labeled, labeled.engine, markers=True)
    assert not set(DETECTIONS) & set(dict(node.sent))
    node.listened = {"parts"}
    outputs.result(labeled, labeled.engine, markers=True)
    assert "objects" not in dict(node.sent)
    assert sorted(one.id for one in dict(node.sent)["parts"].detections) == ["1/bottom", "1/top", "2/bottom", "2/top"]
    outputs.free()
    assert node.alive == []


def test_an_announcement_has_no_counts(node, outputs, labeled):
    outputs.announce(labeled.engine)
    (topic, legend), (beside, picture) = node.sent
    assert beside == "part_legend_image" and picture.header == legend.header
    assert topic == "part_legend" and list(legend.names) == ["top", "bottom"] and not legend.counts
    assert legend.header.stamp.sec == 3


def test_times_go_to_the_stages_that_somebody_listens_to(node, outputs):
    node.listened = {"~/debug/network_ms", "~/debug/extract_ms"}
    outputs.times({"network": 0.012, "total": 0.03})
    assert [(topic, message.data) for topic, message in node.sent] == [("~/debug/network_ms", pytest.approx(12.0))]


def test_every_stage_of_a_cloud_has_a_topic(labeled):
    from partdistill_ros.nodes.outputs import STAGES

    assert set(labeled.answer.stages) <= set(STAGES)


def test_a_report_carries_the_nodes_name(node, outputs):
    outputs.report(b"\1", "no clouds", {"rate (Hz)": 0.0})
    ((topic, array),) = node.sent
    assert topic == "/diagnostics" and array.status[0].name == "robot/part_segmenter: part segmentation"
    assert (array.status[0].level, array.status[0].message) == (b"\1", "no clouds")


def test_nothing_is_left_once_freed(node, outputs):
    assert len(node.alive) > 10
    outputs.free()
    assert node.alive == []


def test_a_result_of_a_query_that_was_replaced_does_not_keep_the_latched_legend(node, outputs, labeled):
    """The cloud in work keeps its own query; who joins after it must see the active one."""
    active = Engine(labeled.engine.segmenter, labeled.engine.segmenter.query("bar: left, right"))
    outputs.result(labeled, active, markers=False)
    legends = [message.query for topic, message in node.sent if topic == "part_legend"]
    assert legends == ["post: top, bottom", "bar: left, right"]
