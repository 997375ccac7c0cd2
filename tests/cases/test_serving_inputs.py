"""Images that failed for users when they were served, and the graph that serves them.

They lie outside of the repository, in `../shared/cases`; without them these tests are skipped.
"""

import subprocess
import sys

import numpy as np
import pytest

CENTER = (24, 0.9)
SERVE = """
import pathlib, sys
import tensorflow as tf
from zoo.tasks.image_classification.image import CenterCrop
from zoo.tasks.image_classification.serving.graph import read_images
serve = tf.function(lambda contents: read_images(contents, CenterCrop(24, 1.0)))
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.webp")):
    for _ in range(3):
        assert serve(tf.constant([path.read_bytes()])).shape == (1, 24, 24, 3)
print("alive")
"""


@pytest.mark.parametrize("folder", ["c08b_modes/d", "c40_cmyk"])
def test_all_kinds_are_served_as_they_are_predicted(folder, shared_case) -> None:
    import tensorflow as tf

    from zoo.tasks.image_classification.image import FORMATS, CenterCrop
    from zoo.tasks.image_classification.serving.graph import read_images

    center = CenterCrop(*CENTER)
    serve = tf.function(lambda contents: read_images(contents, center))
    files = [
        path
        for path in sorted(shared_case(f"images/{folder}").rglob("*.*"))
        if path.suffix[1:].upper().replace("JPG", "JPEG") in FORMATS and path.stat().st_size
    ]
    assert len(files) > 5
    for path in files:
        served = serve(tf.constant([path.read_bytes()])).numpy()[0]
        worst = np.abs(served - center(path)).max()
        assert worst <= 2, (path.name, worst)


@pytest.mark.slow
def test_animated_webp_leaves_the_process_alive(shared_case) -> None:
    folder = shared_case("images/c08b_modes")
    done = subprocess.run(
        [sys.executable, "-c", SERVE, str(folder)], capture_output=True, text=True
    )
    assert done.returncode == 0 and "alive" in done.stdout, done.stderr[-2000:]
