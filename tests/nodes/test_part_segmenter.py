# SPDX-License-Identifier: Apache-2.0
"""The live node as its users meet it: a process of its own on real DDS."""

from __future__ import annotations

import os
import re
import shutil
import signal
import threading
import time

import numpy as np
import pytest

from partdistill_ros.pointcloud.layout import LABELED_FIELDS, UNLABELED_CODE, CloudLayout, unpack_colors

pytestmark = pytest.mark.ros

QUERY = "post: top, bottom"
STAGES = ("wait", "decode", "extract", "sample", "network", "spread", "encode", "publish", "total")


@pytest.fixture
def segmenter(run_node, peer, toy_bundle_path):
    """A running node in tabletop mode, connected to the peer."""
    node = run_node("part_segmenter", bundle=str(toy_bundle_path), query=QUERY, threads=1, diagnostics_period=0.2)
    node.wait_for("labeling 'post: top, bottom' on /points")
    peer.connect()
    return node


def columns(message):
    fields = tuple((field.name, field.offset, field.datatype, field.count) for field in message.fields)
    layout = CloudLayout(fields, message.height, message.width, message.point_step, message.row_step)
    layout.check(len(message.data))
    labels = layout.column(message.data, "label").reshape(-1).copy()
    return layout, labels, layout.column(message.data, "confidence").reshape(-1).copy()


def test_a_table_scene_comes_back_labeled(segmenter, peer, table_scene):
    sent = peer.cloud(table_scene)
    labeled = peer.ask(sent)
    layout, labels, confidence = columns(labeled)
    assert layout.fields == LABELED_FIELDS
    assert (labeled.height, labeled.width, labeled.is_dense) == (120, 160, False)
    np.testing.assert_array_equal(layout.points(labeled.data), table_scene.points)

    height = table_scene.points[:, 2] + 0.5
    on_table, high, low = np.abs(height) < 0.003, height > 0.15, (height > 0.01) & (height < 0.05)
    assert on_table.sum() > 1000 and high.sum() > 20 and low.sum() > 20
    assert (labels[on_table] == UNLABELED_CODE).mean() > 0.99
    assert (labels[np.isnan(height)] == UNLABELED_CODE).all() and (confidence[np.isnan(height)] == 0).all()
    assert (labels[high] == 0).mean() > 0.95 and (labels[low] == 1).mean() > 0.95

    colors = unpack_colors(layout.packed_colors(labeled.data))
    np.testing.assert_array_equal(colors[labels == UNLABELED_CODE], table_scene.colors[labels == UNLABELED_CODE])

    def legend_of_result():
        return [one for one in peer.messages["part_legend"] if one.header == sent.header]

    legend = peer.until(legend_of_result, "the legend of the result")[0]
    assert (legend.query, legend.bundle, list(legend.names)) == (QUERY, "toy", ["top", "bottom"])
    assert list(legend.counts) == [int((labels == 0).sum()), int((labels == 1).sum())]
    shown = [round(channel * 255) for channel in (legend.colors[0].r, legend.colors[0].g, legend.colors[0].b)]
    assert (colors[labels == 0] == shown).all()

    markers = peer.until(lambda: peer.messages["part_markers"], "markers")[-1].markers
    texts = ["bottom", "bottom", "post 1", "post 2", "top", "top"]
    assert sorted(marker.text for marker in markers if marker.text) == texts
    assert len(markers) == 1 + 2 * 6


def test_diagnostics_tell_rate_latency_and_provider(segmenter, peer, table_scene):
    peer.ask(peer.cloud(table_scene))
    peer.ask(peer.cloud(table_scene))

    def busy():
        statuses = [array.status[0] for array in peer.messages["/diagnostics"]]
        return [status for status in statuses if {v.key: v.value for v in status.values}["clouds labeled"] == "2"]

    status = peer.until(busy, "diagnostics of two clouds")[0]
    values = {value.key: value.value for value in status.values}
    assert status.name == "part_segmenter: part segmentation" and status.level == b"\0"
    assert values["provider"] == "cpu" and values["clouds received"] == "2" and values["clouds dropped"] == "0"
    assert float(values["rate (Hz)"]) > 0
    for stage in STAGES:
        assert 0 < float(values[f"{stage} max (ms)"]) < 20_000


def test_only_the_newest_cloud_is_worked_on(segmenter, peer, table_scene):
    big = table_scene.select(np.tile(np.arange(len(table_scene.points)), 15))
    clouds = [peer.cloud(big, frame=f"number_{number}") for number in range(12)]
    for cloud in clouds:
        peer.points.publish(cloud)
        peer.spin(0.05)
    peer.until(lambda: [c for c in peer.messages["labeled_points"] if c.header.frame_id == "number_11"], "the newest")
    assert len(peer.messages["labeled_points"]) < 12

    def dropped():
        return [v for a in peer.messages["/diagnostics"] for v in a.status[0].values
                if v.key == "clouds dropped" and int(v.value) > 0]  # fmt: skip

    peer.until(dropped, "dropped clouds in the diagnostics")


def test_a_best_effort_camera_is_heard_as_well(segmenter, peer, table_scene):
    from rclpy.qos import QoSProfile, ReliabilityPolicy
    from sensor_msgs.msg import PointCloud2

    peer.node.destroy_publisher(peer.points)
    sensor = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    peer.points = peer.node.create_publisher(PointCloud2, "points", sensor)
    segmenter.wait_for("listening as best_effort")
    peer.until(peer.points.get_subscription_count, "connection")
    _, labels, _ = columns(peer.ask(peer.cloud(table_scene)))
    assert (labels != UNLABELED_CODE).any()


def test_a_query_on_the_topic_changes_the_legend_and_a_bad_one_does_not(segmenter, peer, table_scene):
    from std_msgs.msg import String

    peer.query.publish(String(data="bar: left, right"))
    legend = peer.until(lambda: [o for o in peer.messages["part_legend"] if o.query == "bar: left, right"], "the new")
    assert list(legend[0].names) == ["left", "right"]
    for bad in ("handel", "", "left, " * 2000):
        peer.query.publish(String(data=bad))
    segmenter.wait_for("unknown part name 'handel'")
    segmenter.wait_for("the query is empty")
    segmenter.wait_for("at most 2,000")
    assert "'bar: left, right' stays active" in segmenter.output()
    peer.ask(peer.cloud(table_scene))
    assert peer.messages["part_legend"][-1].query == "bar: left, right"


def test_services_say_what_was_accepted_and_what_not(segmenter, peer, toy_bundle_path, tmp_path):
    from partdistill_ros.srv import LoadBundle, SetQuery

    name = "/part_segmenter/set_query"
    good = peer.call(SetQuery, name, query="pot: lid, bottom")
    assert good.success and list(good.names) == ["lid", "bottom"] and good.query == "pot: lid, bottom"
    bad = peer.call(SetQuery, name, query="spoke")
    assert not bad.success and "unknown part name 'spoke'" in bad.message
    assert list(bad.names) == ["lid", "bottom"] and bad.query == "pot: lid, bottom"

    name = "/part_segmenter/load_bundle"
    missing = peer.call(LoadBundle, name, bundle=str(tmp_path / "nothing"))
    assert not missing.success and "no bundle.json there" in missing.message and missing.bundle == str(toy_bundle_path)
    misfit = peer.call(LoadBundle, name, bundle=str(toy_bundle_path), query="wheel")
    assert not misfit.success and "wheel" in misfit.message and misfit.query == "pot: lid, bottom"
    loaded = peer.call(LoadBundle, name, bundle=str(toy_bundle_path), query="left, right")
    assert loaded.success and "toy" in loaded.message and loaded.query == "left, right"


def test_malformed_clouds_are_refused_with_a_reason_and_the_node_goes_on(segmenter, peer, table_scene):
    from sensor_msgs.msg import PointCloud2

    wrong_step, missing_z, no_points = (peer.cloud(table_scene) for _ in range(3))
    wrong_step.row_step = 1
    missing_z.fields = missing_z.fields[:2]
    for cloud, words in (
        (wrong_step, "row_step is 1"),
        (missing_z, "no field 'z' (fields: x, y)"),
        (PointCloud2(), "none of the 0 points"),
        (peer.cloud(table_scene.with_(points=np.full_like(table_scene.points, np.nan))), "none of the 19200 points"),
    ):
        peer.points.publish(cloud)

        def reported(words=words):
            return [a for a in peer.messages["/diagnostics"] if words in a.status[0].message]

        status = peer.until(reported, f"'{words}' in the diagnostics")[0].status[0]
        assert status.level == b"\1"
    _, labels, _ = columns(peer.ask(no_points))
    assert (labels != UNLABELED_CODE).any()


def test_big_endian_clouds_are_understood(segmenter, peer, table_scene):
    cloud = peer.cloud(table_scene)
    words = np.frombuffer(cloud.data, "<u4").byteswap()
    cloud.is_bigendian = True
    cloud.data = words.tobytes()
    layout, labels, _ = columns(peer.ask(cloud))
    np.testing.assert_array_equal(layout.points(peer.messages["labeled_points"][-1].data), table_scene.points)
    assert (labels != UNLABELED_CODE).any()


def values_of(peer):
    """The newest diagnostics, keys to values."""
    arrays = peer.messages["/diagnostics"]
    return {entry.key: entry.value for entry in arrays[-1].status[0].values} if arrays else {}


def test_labeling_is_switched_off_and_on(segmenter, peer, table_scene):
    from partdistill_ros.srv import SetEnabled

    name = "/part_segmenter/set_enabled"
    off = peer.call(SetEnabled, name, enabled=False)
    assert (off.success, off.enabled, off.message) == (True, False, "clouds are ignored")
    peer.points.publish(peer.cloud(table_scene))
    peer.until(lambda: values_of(peer).get("clouds ignored") == "1", "the ignored cloud in the diagnostics")
    on = peer.call(SetEnabled, name, enabled=True)
    assert (on.success, on.enabled, on.message) == (True, True, "labeling")
    peer.ask(peer.cloud(table_scene))
    assert len(peer.messages["labeled_points"]) == 1


def change(peer, **values):
    """Sets parameters of the node; the answer."""
    from rcl_interfaces.srv import SetParametersAtomically
    from rclpy.parameter import Parameter

    wanted = [Parameter(name.replace("__", "."), value=value).to_parameter_msg() for name, value in values.items()]
    return peer.call(SetParametersAtomically, "/part_segmenter/set_parameters_atomically", parameters=wanted).result


def test_every_field_of_the_input_is_kept_where_asked_for(segmenter, peer, table_scene):
    assert change(peer, keep_fields=True).successful
    labeled = peer.ask(peer.cloud(table_scene))
    layout, labels, _ = columns(labeled)
    assert layout.fields == (*LABELED_FIELDS, ("input_rgb", 24, 7, 1)) and labeled.point_step == 28
    sent = np.frombuffer(peer.cloud(table_scene).data, "<u4").reshape(-1, 4)[:, 3]
    np.testing.assert_array_equal(np.frombuffer(labeled.data, "<u4").reshape(-1, 7)[:, 6], sent)
    assert (labels != UNLABELED_CODE).any()


def test_objects_keep_their_number_whatever_is_asked(segmenter, peer, table_scene):
    from partdistill_ros.pointcloud.layout import OBJECT_FIELD

    assert change(peer, object_field=True).successful
    found = []
    for query in (QUERY, "bar: left, right"):
        assert change(peer, query=query).successful
        labeled = peer.ask(peer.cloud(table_scene))
        layout, *_ = columns(labeled)
        assert layout.fields == (*LABELED_FIELDS, OBJECT_FIELD) and labeled.point_step == 24
        found.append(layout.column(labeled.data, "object").reshape(-1).copy())
    assert np.unique(found[0]).tolist() == [0, 1, 2]
    np.testing.assert_array_equal(found[0], found[1])


def test_objects_keep_their_number_where_tf_knows_how_the_camera_moves(segmenter, peer, table_scene):
    tf2_msgs = pytest.importorskip("tf2_msgs.msg", reason="tf2_msgs is not installed: run make or source ROS 2")
    from geometry_msgs.msg import TransformStamped

    from partdistill_ros.nodes.qos import latched

    publisher = peer.node.create_publisher(tf2_msgs.TFMessage, "/tf_static", latched(1))
    assert change(peer, object_field=True, memory__fixed_frame="map").successful
    found = []
    for x in (0.0, 0.25):  # more than half the way from one post to the other
        one = TransformStamped(child_frame_id=f"camera_at_{x}")
        one.header.frame_id = "map"
        one.transform.translation.x, one.transform.rotation.w = x, 1.0
        publisher.publish(tf2_msgs.TFMessage(transforms=[one]))
        seen = table_scene.with_(points=(table_scene.points - (x, 0, 0)).astype(np.float32))

        def numbers(seen=seen, frame=one.child_frame_id):
            cloud = peer.cloud(seen, frame)
            peer.points.publish(cloud)
            peer.spin_until(lambda: peer.messages["labeled_points"][-1:] and
                            peer.messages["labeled_points"][-1].header == cloud.header, 2.0)  # fmt: skip
            labeled = peer.messages["labeled_points"][-1:]
            return labeled if labeled and labeled[0].header == cloud.header else None

        labeled = peer.until(numbers, "a cloud whose frame tf knows")[0]
        found.append(columns(labeled)[0].column(labeled.data, "object").reshape(-1).copy())
    assert np.unique(found[0]).tolist() == [0, 1, 2]
    assert (found[0] == found[1]).mean() > 0.999  # a cut in other coordinates differs by a few points


def test_an_object_that_fits_another_category_better_stays_unlabeled(segmenter, peer, table_scene):
    assert change(peer, query="bar: left, right").successful
    _, labels, _ = columns(peer.ask(peer.cloud(table_scene)))
    assert (labels == UNLABELED_CODE).all()
    assert change(peer, none_of_these=False).successful
    _, labels, _ = columns(peer.ask(peer.cloud(table_scene)))
    assert (labels != UNLABELED_CODE).any()


def test_each_object_gets_the_category_that_fits(segmenter, peer, table_scene):
    assert change(peer, query="bar: left, right; post: top, bottom").successful
    _, labels, _ = columns(peer.ask(peer.cloud(table_scene)))
    assert set(np.unique(labels)) == {2, 3, UNLABELED_CODE}


def test_debug_topics_carry_the_milliseconds_of_each_stage(segmenter, peer, table_scene):
    from std_msgs.msg import Float64

    heard = {}
    for stage in STAGES:
        topic = f"/part_segmenter/debug/{stage}_ms"
        peer.until(lambda topic=topic: peer.node.count_publishers(topic), topic)
        peer.node.create_subscription(Float64, topic, lambda m, stage=stage: heard.setdefault(stage, m.data), 10)

    def answered_with_times():
        peer.ask(peer.cloud(table_scene))
        return len(heard) == len(STAGES)

    peer.until(answered_with_times, "the times of every stage")
    assert all(0 < milliseconds < 20_000 for milliseconds in heard.values())
    assert heard["total"] > heard["network"]


def test_what_was_refused_is_counted_and_the_last_reason_stays(segmenter, peer):
    from partdistill_ros.srv import LoadBundle, SetQuery
    from std_msgs.msg import String

    peer.query.publish(String(data="handel"))
    segmenter.wait_for("unknown part name 'handel'")
    assert not peer.call(SetQuery, "/part_segmenter/set_query", query="spoke").success
    assert not peer.call(LoadBundle, "/part_segmenter/load_bundle", bundle="/nowhere").success

    def counted():
        values = values_of(peer)
        return values if (values.get("queries refused"), values.get("bundles refused")) == ("2", "1") else None

    values = peer.until(counted, "the refusals in the diagnostics")
    assert "/nowhere: no bundle.json there" in values["last problem"] and float(values["last problem (s ago)"]) >= 0
    for words in ("'post: top, bottom' stays active: unknown part name 'spoke'", "bundle '/nowhere' was refused"):
        segmenter.wait_for(words)


def test_a_bundle_that_is_gone_goes_on_working(run_node, peer, toy_bundle_path, table_scene, tmp_path):
    from partdistill_ros.srv import LoadBundle

    home = shutil.copytree(toy_bundle_path, tmp_path / "moved")
    node = run_node("part_segmenter", bundle=str(home), query=QUERY, threads=1)
    node.wait_for("labeling 'post: top, bottom' on /points")
    peer.connect()
    (home / "student.onnx").write_bytes(b"overwritten")
    damaged = peer.call(LoadBundle, "/part_segmenter/load_bundle", bundle=str(home))
    assert not damaged.success and "sha256" in damaged.message
    shutil.rmtree(home)
    refused = change(peer, threads=2)
    assert not refused.successful and "no bundle.json there" in refused.reason
    _, labels, _ = columns(peer.ask(peer.cloud(table_scene)))
    assert (labels != UNLABELED_CODE).any()


def test_millimeters_are_recognized_and_taken_where_told(segmenter, peer, table_scene):
    cloud = peer.cloud(table_scene.with_(points=table_scene.points * 1000))
    peer.ask(cloud)
    said = segmenter.wait_for("nothing to label: its numbers look like millimeters")
    assert "give the unit mm" in said and "bring the sensor closer" not in said
    assert not change(peer, unit="inch").successful
    assert change(peer, unit="mm").successful
    layout, labels, _ = columns(peer.ask(peer.cloud(table_scene.with_(points=table_scene.points * 1000))))
    assert set(np.unique(labels)) == {0, 1, UNLABELED_CODE}
    np.testing.assert_array_equal(layout.points(peer.messages["labeled_points"][-1].data), table_scene.points * 1000)

    def boxes():
        return [one for array in peer.messages["part_markers"] for one in array.markers if one.ns == "boxes"]

    assert max(box.scale.z for box in peer.until(boxes, "markers")) > 50


def test_a_publisher_that_is_not_heard_is_told_once(segmenter, peer, table_scene):
    def newest():
        return "".join(array.status[0].message for array in peer.messages["/diagnostics"][-1:])

    said = segmenter.wait_for("no clouds on /points, though somebody publishes there")
    assert "ros2 topic hz /points" in said and "fastdds.xml" in said
    peer.until(lambda: "though somebody" in newest(), "the same words")
    peer.ask(peer.cloud(table_scene))
    peer.until(lambda: newest().startswith("labeling at"), "all is well")
    peer.until(lambda: "though somebody" in newest(), "silence again")
    assert segmenter.output().count("though somebody publishes there") == 1


@pytest.mark.parametrize(("points", "words"), [
    (lambda points: np.full_like(points, np.nan), "is finite: check that the sensor"),
    (lambda points: np.random.default_rng(0).uniform(0.3, 2.0, points.shape).astype("f4"), "nothing to label: no"),
])  # fmt: skip
def test_a_cloud_with_nothing_to_label_is_told_once(segmenter, peer, table_scene, points, words):
    for _ in range(3):
        peer.ask(peer.cloud(table_scene.with_(points=points(table_scene.points))))
    segmenter.wait_for(words)
    peer.until(lambda: [a for a in peer.messages["/diagnostics"] if words in a.status[0].message], "the same words")
    assert segmenter.output().count(words) == 1


def test_a_box_in_another_frame_follows_tf(segmenter, peer, table_scene):
    tf2_msgs = pytest.importorskip("tf2_msgs.msg", reason="tf2_msgs is not installed: run make or source ROS 2")
    from geometry_msgs.msg import TransformStamped

    box = {"min_x": -0.1, "max_x": 0.1, "min_y": -0.1, "max_y": 0.1, "min_z": 0.01, "max_z": 0.3}
    values = {f"crop__{name}": value for name, value in box.items()}
    assert change(peer, scene_mode="crop", crop__frame="post", **values).successful
    peer.points.publish(peer.cloud(table_scene))
    segmenter.wait_for("no transform from the cloud's frame 'camera' to 'post' (crop.frame)")
    publisher = peer.node.create_publisher(tf2_msgs.TFMessage, "/tf", 10)
    peer.until(publisher.get_subscription_count, "the node's subscription to tf")
    cloud = peer.cloud(table_scene)
    # The camera in the frame of the first post's foot, a little before and after the cloud.
    for nanoseconds in (-(10**8), 10**8):
        one = TransformStamped(child_frame_id="camera")
        one.header.frame_id = "post"
        moment = cloud.header.stamp.sec * 10**9 + cloud.header.stamp.nanosec + nanoseconds
        one.header.stamp.sec, one.header.stamp.nanosec = divmod(moment, 10**9)
        one.transform.translation.x, one.transform.translation.y, one.transform.translation.z = 0.2, -0.9, 0.5
        one.transform.rotation.w = 1.0
        publisher.publish(tf2_msgs.TFMessage(transforms=[one]))
    _, labels, _ = columns(peer.ask(cloud))
    offset = table_scene.points - np.array([-0.2, 0.9, -0.5])
    in_box = (np.abs(offset[:, :2]) < 0.1).all(axis=1) & (offset[:, 2] > 0.01) & (offset[:, 2] < 0.3)
    np.testing.assert_array_equal(labels != UNLABELED_CODE, in_box)


def test_simulated_time_may_be_missing_and_jump_back(run_node, peer, toy_bundle_path, table_scene):
    rosgraph_msgs = pytest.importorskip("rosgraph_msgs.msg", reason="rosgraph_msgs is not installed: source ROS 2")
    parameters = {"bundle": str(toy_bundle_path), "query": QUERY, "diagnostics_period": 0.2}
    node = run_node("part_segmenter", **parameters, use_sim_time=True)
    node.wait_for("labeling 'post: top, bottom' on /points")
    peer.connect()
    peer.until(lambda: peer.messages["/diagnostics"], "diagnostics before the first clock")
    clock = peer.node.create_publisher(rosgraph_msgs.Clock, "/clock", 10)
    peer.until(clock.get_subscription_count, "the node's clock")
    for seconds in (100, 50, 0):
        message = rosgraph_msgs.Clock()
        message.clock.sec = seconds
        clock.publish(message)
        _, labels, _ = columns(peer.ask(peer.cloud(table_scene)))
        assert (labels != UNLABELED_CODE).any()
        before = len(peer.messages["/diagnostics"])
        peer.until(lambda before=before: len(peer.messages["/diagnostics"]) > before + 1, "diagnostics")
    assert node.end() == 0 and "Traceback" not in node.output()


def test_a_flood_of_queries_leaves_the_log_readable(segmenter, peer):
    from std_msgs.msg import String

    queries = ["post: top, bottom", "bar: left, right", "\x1b[2J\x1b]0;owned\x07handle"]
    for number in range(150):
        peer.query.publish(String(data=queries[number % 3] + " " * (number % 7)))
        peer.spin(0.02)
    peer.until(lambda: int(values_of(peer).get("queries refused", 0)) >= 40, "refusals")
    lines = [line for line in segmenter.output().splitlines() if "labeling '" in line]
    assert len(lines) < 40, "10 lines in 5 s at most"
    assert "\x1b" not in segmenter.output() and "\\x1b[2j" in segmenter.output()
    assert "\x1b" not in values_of(peer)["last problem"]


DEAD_MOUNT = """
import os, time

def dead(function):
    def hang(path, *arguments, **options):
        if "dead_mount" in str(path):
            time.sleep(3600)
        if "slow_mount/" in str(path):
            time.sleep(0.3)
        return function(path, *arguments, **options)
    return hang

os.stat, os.open = dead(os.stat), dead(os.open)
"""


@pytest.fixture
def dead_mount(ros_environment, tmp_path):
    """A folder that answers nodes as a network mount does whose server is gone: never."""
    (tmp_path / "sitecustomize.py").write_text(DEAD_MOUNT)
    ros_environment["PYTHONPATH"] = f"{tmp_path}:{ros_environment['PYTHONPATH']}"
    return tmp_path / "dead_mount"


@pytest.mark.parametrize("entrance", ["service", "parameter"])
def test_a_bundle_that_blocks_does_not_hold_up_the_node(
    dead_mount, run_node, peer, toy_bundle_path, table_scene, entrance
):
    from partdistill_ros.srv import LoadBundle, SetQuery
    from rcl_interfaces.srv import SetParameters
    from rclpy.parameter import Parameter

    node = run_node("part_segmenter", bundle=str(toy_bundle_path), query=QUERY, threads=1)
    node.wait_for("labeling 'post: top, bottom' on /points")
    peer.connect()
    if entrance == "service":
        client = peer.client(LoadBundle, "/part_segmenter/load_bundle")
        request = LoadBundle.Request(bundle=str(dead_mount))
    else:
        client = peer.client(SetParameters, "/part_segmenter/set_parameters")
        request = SetParameters.Request(parameters=[Parameter("bundle", value=str(dead_mount)).to_parameter_msg()])
    under_way = client.call_async(request)
    _, labels, _ = columns(peer.ask(peer.cloud(table_scene)))
    assert (labels != UNLABELED_CODE).any()
    assert peer.call(SetQuery, "/part_segmenter/set_query", query="left, right").success
    assert not under_way.done()
    code = node.end(signal.SIGTERM)
    assert code == 0 and "Traceback" not in node.output()


def test_loads_asked_for_at_once_all_take_effect_and_the_last_stays(
    dead_mount, run_node, peer, toy_bundle_path, table_scene
):
    """Through the service and as parameters, which wait for each other nowhere else."""
    from partdistill_ros.srv import LoadBundle
    from rcl_interfaces.srv import GetParameters, SetParameters
    from rclpy.parameter import Parameter

    slow = shutil.copytree(toy_bundle_path, dead_mount.with_name("slow_mount") / "slow")
    (slow / "bundle.json").write_text((slow / "bundle.json").read_text().replace('"toy"', '"slow"'))
    node = run_node("part_segmenter", bundle=str(toy_bundle_path), query=QUERY, threads=1)
    node.wait_for("labeling 'post: top, bottom' on /points")
    peer.connect()
    load = peer.client(LoadBundle, "/part_segmenter/load_bundle")
    change = peer.client(SetParameters, "/part_segmenter/set_parameters")

    def parameters(**values):
        wanted = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
        return change.call_async(SetParameters.Request(parameters=wanted))

    def answers(*asked):
        for one in asked:
            peer.until(one.done, "the answer")
        values = peer.call(GetParameters, "/part_segmenter/get_parameters", names=["bundle", "threads"]).values
        return values[0].string_value, values[1].integer_value, newest_legend().bundle

    def newest_legend():
        sent = peer.cloud(table_scene)
        peer.ask(sent)
        return peer.until(lambda: [one for one in peer.messages["part_legend"] if one.header == sent.header], "it")[0]

    first = load.call_async(LoadBundle.Request(bundle=str(slow)))
    time.sleep(0.1)  # two services have no order of their own
    second = parameters(threads=2)
    assert answers(first, second) == (str(slow), 2, "slow")
    assert first.result().success and first.result().bundle == str(slow)
    assert second.result().results[0].successful

    first = load.call_async(LoadBundle.Request(bundle=str(slow)))
    time.sleep(0.1)
    second = parameters(bundle=str(toy_bundle_path))
    assert answers(first, second) == (str(toy_bundle_path), 2, "toy")
    assert node.end() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_node_that_starts_with_a_bundle_that_blocks_can_be_ended(dead_mount, run_node, number):
    node = run_node("part_segmenter", bundle=str(dead_mount), query=QUERY)
    time.sleep(5.0)
    assert node.process.poll() is None
    assert node.end(number) == 0
    assert "Traceback" not in node.output() and "[ERROR]" not in node.output()


def test_a_named_pipe_in_a_bundle_is_refused(segmenter, peer, toy_bundle_path, tmp_path):
    from partdistill_ros.srv import LoadBundle

    trap = shutil.copytree(toy_bundle_path, tmp_path / "trap")
    (trap / "student.onnx").unlink()
    os.mkfifo(trap / "student.onnx")
    answer = peer.call(LoadBundle, "/part_segmenter/load_bundle", bundle=str(trap))
    assert not answer.success and "student.onnx cannot be read (not a regular file)" in answer.message
    refused = change(peer, bundle=str(trap))
    assert not refused.successful and "not a regular file" in refused.reason


def test_services_answer_in_every_state(run_node, peer, toy_bundle_path):
    from lifecycle_msgs.msg import Transition
    from lifecycle_msgs.srv import ChangeState
    from partdistill_ros.srv import LoadBundle, SetEnabled, SetQuery

    node = run_node("part_segmenter", bundle=str(toy_bundle_path), query=QUERY, threads=1, autostart=False)
    name, load = "/part_segmenter/load_bundle", {"bundle": str(toy_bundle_path)}
    early = peer.call(LoadBundle, name, **load)
    assert not early.success and "not configured" in early.message
    asked = peer.call(SetQuery, "/part_segmenter/set_query", query="left, right")
    assert asked.success and asked.query == "left, right" and not asked.names
    assert peer.call(SetEnabled, "/part_segmenter/set_enabled", enabled=False).success

    def transition(number):
        return peer.call(ChangeState, "/part_segmenter/change_state", transition=Transition(id=number)).success

    assert transition(Transition.TRANSITION_CONFIGURE)
    # Cleaned up while the bundle is being loaded, or just before or after: it is answered all the same.
    client = peer.client(LoadBundle, name)
    under_way = client.call_async(LoadBundle.Request(bundle=str(toy_bundle_path)))
    assert transition(Transition.TRANSITION_CLEANUP)
    peer.until(under_way.done, "the answer of load_bundle")
    assert under_way.result().success or "configure it first" in under_way.result().message
    assert transition(Transition.TRANSITION_CONFIGURE)
    assert peer.call(LoadBundle, name, **load).success
    assert node.end() == 0 and "Traceback" not in node.output()


def test_activating_that_fails_halfway_leaves_nothing_and_can_be_tried_again(toy_bundle_path, ros_environment):
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.lifecycle import TransitionCallbackReturn as Done

    from partdistill_ros.nodes.part_segmenter import PartSegmenter

    class NoTimers(PartSegmenter):
        fail = True

        def create_timer(self, *arguments, **options):
            if self.fail:
                raise RuntimeError("out of timers")
            return super().create_timer(*arguments, **options)

    context = rclpy.Context()
    rclpy.init(context=context, domain_id=int(ros_environment["ROS_DOMAIN_ID"]))
    words = ["--ros-args", "-p", f"bundle:='{toy_bundle_path}'", "-p", f"query:='{QUERY}'", "-p", "threads:=1"]
    node = NoTimers(context=context, cli_args=words)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    before = len(list(node.subscriptions)), threading.active_count()
    for fails, wanted in ((True, Done.ERROR), (False, Done.SUCCESS)):
        node.fail = fails
        assert node.trigger_configure() == Done.SUCCESS
        assert node.trigger_activate() == wanted
        if fails:  # the thread that loads bundles stays
            assert (len(list(node.subscriptions)), threading.active_count()) == (before[0], before[1] + 1)
    assert node.trigger_deactivate() == node.trigger_cleanup() == Done.SUCCESS
    executor.shutdown()
    node.destroy_node()
    rclpy.shutdown(context=context)


def test_a_mismatch_names_the_other_side(run_node, peer, toy_bundle_path):
    from rclpy.qos import QoSProfile, ReliabilityPolicy
    from sensor_msgs.msg import PointCloud2

    sensor = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    peer.node.create_publisher(PointCloud2, "points", sensor)
    node = run_node(
        "part_segmenter", bundle=str(toy_bundle_path), query=QUERY, threads=1, qos__points__reliability="reliable"
    )
    words = node.wait_for("set the parameter qos.points.reliability to best_effort")
    # The other side's name comes a moment after its setting, and on a busy machine even that after the event.
    assert re.search(r"on /points between us and .+: we use reliable", words), words


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(segmenter, peer, table_scene, number):
    peer.ask(peer.cloud(table_scene))
    peer.points.publish(peer.cloud(table_scene))
    assert segmenter.end(number) == 0, segmenter.output()
    assert "Traceback" not in segmenter.output()


def test_work_in_hand_does_not_hold_up_the_end(segmenter, peer, table_scene):
    huge = table_scene.select(np.tile(np.arange(len(table_scene.points)), 50))
    for _ in range(3):
        peer.points.publish(peer.cloud(huge))
        peer.spin(0.2)
    assert segmenter.end(signal.SIGINT) == 0, segmenter.output()
    assert "Traceback" not in segmenter.output()


def test_one_million_points_fit_into_the_memory_limit(segmenter, peer, table_scene):
    huge = table_scene.select(np.tile(np.arange(len(table_scene.points)), 53)[:1_000_000])
    labeled = peer.ask(peer.cloud(huge), seconds=60)
    _, labels, _ = columns(labeled)
    assert len(labels) == 1_000_000 and (labels != UNLABELED_CODE).any()
    assert segmenter.resident_megabytes() < 500


def test_parameters_change_at_run_time_and_refuse_nonsense(segmenter, peer, table_scene):
    assert change(peer, scene_mode="object", up="z", confidence_threshold=1.0).successful
    _, labels, _ = columns(peer.ask(peer.cloud(table_scene)))
    assert (labels == UNLABELED_CODE).all()
    assert change(peer, confidence_threshold=0.0).successful
    _, labels, _ = columns(peer.ask(peer.cloud(table_scene)))
    finite = table_scene.finite()
    assert (labels[finite] != UNLABELED_CODE).all() and (labels[~finite] == UNLABELED_CODE).all()

    for values, words in (
        ({"scene_mode": "shelf"}, "must be one of object, tabletop"),
        ({"confidence_threshold": 2.0}, "range"),
        ({"qos__points__depth": 3}, "read-only"),
        ({"nonsense": 1}, "nonsense"),
        ({"query": "nonsense"}, "unknown part name"),
    ):
        refused = change(peer, **values)
        assert not refused.successful and words in refused.reason
    assert change(peer, enable=False).successful
    before = len(peer.messages["labeled_points"])
    peer.points.publish(peer.cloud(table_scene))
    assert change(peer, enable=True).successful
    peer.ask(peer.cloud(table_scene))
    assert len(peer.messages["labeled_points"]) == before + 1


def test_a_lifecycle_manager_can_drive_it(run_node, peer, toy_bundle_path, table_scene):
    from lifecycle_msgs.msg import Transition
    from lifecycle_msgs.srv import ChangeState

    node = run_node("part_segmenter", bundle=str(toy_bundle_path), query=QUERY, threads=1, autostart=False)
    node.wait_for("waiting for a lifecycle manager")

    def change(number):
        request = Transition(id=number)
        return peer.call(ChangeState, "/part_segmenter/change_state", transition=request).success

    for _ in range(2):
        assert change(Transition.TRANSITION_CONFIGURE)
        assert change(Transition.TRANSITION_ACTIVATE)
        peer.connect()
        peer.ask(peer.cloud(table_scene))
        # One that is in work meanwhile is not published any more, nor missed.
        peer.points.publish(peer.cloud(table_scene.select(np.tile(np.arange(len(table_scene.points)), 15))))
        assert change(Transition.TRANSITION_DEACTIVATE)
        assert change(Transition.TRANSITION_CLEANUP)
    assert node.end() == 0
    assert "not labeled" not in node.output() and "Traceback" not in node.output()


@pytest.mark.parametrize(("parameters", "words"), [
    ({"bundle": "/nowhere"}, "/nowhere: no bundle.json there"),
    ({"query": "wheel"}, "unknown part name 'wheel'"),
    ({"threads": -1}, "parameter 'threads' must be 0 to 256"),
    ({"scene_mode": "shelf"}, "parameter 'scene_mode' is 'shelf'; it must be one of object, tabletop"),
])  # fmt: skip
def test_it_does_not_start_on_nonsense(run_node, toy_bundle_path, parameters, words):
    node = run_node("part_segmenter", **{"bundle": str(toy_bundle_path), "query": QUERY} | parameters)
    assert node.process.wait(90) == 1
    assert words in node.output() and "Traceback" not in node.output()
