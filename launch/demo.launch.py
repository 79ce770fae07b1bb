# SPDX-License-Identifier: Apache-2.0
"""The live node on a played scan: `ros2 launch partdistill_ros demo.launch.py rviz:=true`.

Without `source` a table scene is made up and seen by a simulated depth camera. Arguments of
segment.launch.py can be given too.
"""

import atexit
import shutil
import tempfile
from pathlib import Path

from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchDescription
from partdistill_ros.io.save import save_scan
from partdistill_ros.nodes.publisher_parameters import PublisherParameters
from partdistill_ros.options import from_text, options_of
from partdistill_ros.synthetic.table_scene import make_scene

SEED = 7


def arguments():
    """The parameters of the publisher."""
    return [
        DeclareLaunchArgument(
            known.name,
            default_value="",
            description=f"{known.description} Empty: {known.default if known.default != '' else 'a made-up scene'}.",
        )
        for known in options_of(PublisherParameters())
        if not known.name.startswith("qos.")
    ]


def publisher(context):
    """The publisher on the given source, or on a scene written to a temporary file."""
    names = [known.name for known in options_of(PublisherParameters()) if not known.name.startswith("qos.")]
    given = from_text(PublisherParameters(), {name: LaunchConfiguration(name).perform(context) for name in names})
    if "source" not in given:
        folder = Path(tempfile.mkdtemp(prefix="partdistill_demo_"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)  # with `ros2 launch`, which outlives its nodes
        save_scan(folder / "scene.pcd", make_scene(SEED).scan)
        given["source"] = str(folder / "scene.pcd")
    return [
        Node(
            package="partdistill_ros",
            executable="scan_publisher",
            namespace=LaunchConfiguration("namespace"),
            parameters=[given],
            remappings=[("points", LaunchConfiguration("points_topic"))],
            output="screen",
            emulate_tty=True,
        )
    ]


def generate_launch_description():
    """segment.launch.py and a publisher."""
    segment = PythonLaunchDescriptionSource(str(Path(__file__).with_name("segment.launch.py")))
    return LaunchDescription([*arguments(), IncludeLaunchDescription(segment), OpaqueFunction(function=publisher)])
