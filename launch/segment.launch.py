# SPDX-License-Identifier: Apache-2.0
"""The live node: `ros2 launch partdistill_ros segment.launch.py points_topic:=/camera/depth/points`.

Every parameter of the node is an argument; those not given come from `params_file`. `--show-args` lists all.
"""

import os
from pathlib import Path

from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from launch import LaunchDescription
from partdistill_ros.nodes.environment import cloud_transports
from partdistill_ros.nodes.segmenter_parameters import SegmenterParameters
from partdistill_ros.options import from_text, options_of

# launch/ and config/ lie side by side in the source tree and in share/partdistill_ros.
CONFIG = Path(__file__).resolve().parents[1] / "config"
TOPICS = {
    "points": "points_topic",
    "depth/image_rect": "depth_topic",
    "depth/camera_info": "camera_info_topic",
    "color/image_rect": "color_topic",
    "part_query": "part_query_topic",
    "labeled_points": "labeled_points_topic",
    "part_legend": "part_legend_topic",
    "part_legend_image": "part_legend_image_topic",
    "part_markers": "part_markers_topic",
    "objects": "objects_topic",
    "parts": "parts_topic",
}
"""The argument that says what a topic is called here."""


def arguments():
    """The launch arguments: the node's surroundings first, then its parameters."""
    surroundings = [
        DeclareLaunchArgument("namespace", default_value="", description="Namespace of the node and its topics."),
        DeclareLaunchArgument("name", default_value="part_segmenter", description="Name of the node."),
        DeclareLaunchArgument(
            "params_file",
            default_value=str(CONFIG / "segment.yaml"),
            description="Parameter file; arguments given here win over it.",
        ),
        DeclareLaunchArgument(
            "log_level",
            default_value="info",
            choices=["debug", "info", "warn", "error"],
            description="From which severity on the node prints.",
        ),
        DeclareLaunchArgument(
            "use_sim_time",
            default_value="false",
            choices=["true", "false"],
            description="true: time comes from /clock, as with 'ros2 bag play --clock'.",
        ),
        DeclareLaunchArgument(
            "rviz", default_value="false", choices=["true", "false"], description="true: also show the result in RViz."
        ),
        DeclareLaunchArgument(
            "rviz_frame",
            default_value="",
            description="Fixed frame of RViz. Empty: as in config/segment.rviz (camera).",
        ),
    ]
    topics = [
        DeclareLaunchArgument(argument, default_value=topic, description=f"What '{topic}' is called here.")
        for topic, argument in TOPICS.items()
    ]
    parameters = [
        DeclareLaunchArgument(
            known.name,
            default_value="",
            description=f"{known.description} Empty: as in params_file ({known.default}).",
        )
        for known in options_of(SegmenterParameters())
    ]
    return surroundings + topics + parameters


def remappings():
    """What every topic is called here, for the node and for RViz."""
    return [(topic, LaunchConfiguration(argument)) for topic, argument in TOPICS.items()]


def segmenter(context):
    """The node with those parameters that were given."""
    names = [known.name for known in options_of(SegmenterParameters())]
    given = from_text(SegmenterParameters(), {name: LaunchConfiguration(name).perform(context) for name in names})
    node = Node(
        package="partdistill_ros",
        executable="part_segmenter",
        name=LaunchConfiguration("name"),
        namespace=LaunchConfiguration("namespace"),
        parameters=[LaunchConfiguration("params_file"), sim_time(), given],
        remappings=remappings(),
        arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
        output="screen",
        emulate_tty=True,
    )
    return [node]


def viewer(context):
    """RViz on the node's topics."""
    frame = LaunchConfiguration("rviz_frame").perform(context)
    node = Node(
        package="rviz2",
        executable="rviz2",
        namespace=LaunchConfiguration("namespace"),
        parameters=[sim_time()],
        remappings=remappings(),
        arguments=["-d", str(CONFIG / "segment.rviz"), *(["-f", frame] if frame else [])],
        condition=IfCondition(LaunchConfiguration("rviz")),
    )
    return [node]


def sim_time():
    """The one parameter that is ROS's own."""
    return {"use_sim_time": ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool)}


def generate_launch_description():
    """The node, and RViz where asked for."""
    transports = [SetEnvironmentVariable(name, value) for name, value in cloud_transports(os.environ).items()]
    actions = [OpaqueFunction(function=segmenter), OpaqueFunction(function=viewer)]
    return LaunchDescription([*arguments(), *transports, *actions])
