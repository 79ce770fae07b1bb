# SPDX-License-Identifier: Apache-2.0
"""The trainer, which offers the action `distill`: `ros2 launch partdistill_ros distill.launch.py`.

What to distill is told by the goal that is sent to it; docs/ros.md has one to copy.
"""

from pathlib import Path

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchDescription

# launch/ and config/ lie side by side in the source tree and in share/partdistill_ros.
PARAMS = Path(__file__).resolve().parents[1] / "config" / "distill.yaml"


def arguments():
    """The launch arguments."""
    return [
        DeclareLaunchArgument("namespace", default_value="", description="Namespace of the node and its action."),
        DeclareLaunchArgument("name", default_value="distill_trainer", description="Name of the node."),
        DeclareLaunchArgument(
            "params_file",
            default_value=str(PARAMS) if PARAMS.exists() else "",
            description="Parameter file. Empty: the node's own defaults.",
        ),
        DeclareLaunchArgument("points_topic", default_value="points", description="What 'points' is called here."),
        DeclareLaunchArgument(
            "log_level",
            default_value="info",
            choices=["debug", "info", "warn", "error"],
            description="From which severity on the node prints.",
        ),
    ]


def trainer(context):
    """The node, with a parameter file where there is one."""
    params_file = LaunchConfiguration("params_file").perform(context)
    node = Node(
        package="partdistill_ros",
        executable="distill_trainer",
        name=LaunchConfiguration("name"),
        namespace=LaunchConfiguration("namespace"),
        parameters=[params_file] if params_file else [],
        remappings=[("points", LaunchConfiguration("points_topic"))],
        arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
        output="screen",
        emulate_tty=True,
    )
    return [node]


def generate_launch_description():
    """The trainer alone: it shares a machine with the live node only if there is room for both."""
    return LaunchDescription([*arguments(), OpaqueFunction(function=trainer)])
