# SPDX-License-Identifier: Apache-2.0
"""The live path stays light: no module of inference loads torch, ROS or anything that training needs."""

import json
import subprocess
import sys
from pathlib import Path

import partdistill_ros.inference

HEAVY = ("torch", "rclpy", "pytorch3d", "transformers", "sentence_transformers", "open_clip", "onnx", "trimesh")


def test_no_module_of_inference_loads_torch_or_ros():
    folder = Path(partdistill_ros.inference.__file__).parent
    modules = sorted(f"partdistill_ros.inference.{file.stem}" for file in folder.glob("*.py"))
    assert len(modules) >= 9
    program = f"""
import importlib, json, sys
for module in {modules}:
    importlib.import_module(module)
print(json.dumps(sorted(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=folder.parents[1])
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout))
    assert "partdistill_ros.inference.segmenter" in loaded
    assert not loaded & set(HEAVY)
