"""Golden vectors: a few frames with their answers, so that a service in any language can test itself."""

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from game_classifier.frames.decode import read_whole_frame
from game_classifier.runtime.runner import Runner
from game_classifier.storage import make_folder, replacing, write_json
from game_classifier.tasks.task import Comparison


def write_golden(folder: Path, runner: Runner, comparison: Comparison, paths: Sequence[str]) -> None:
    """Write `folder/N.ppm`, whole frames as raw RGB, and `golden.json` with the answers for each.

    The format is PPM, because every language reads it in a few lines and decoders cannot differ. The frames have their
    full size; `runner` resizes them inside its file.
    """
    make_folder(folder)
    answers = []
    for number, path in enumerate(paths):
        frame = read_whole_frame(path)
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, format="PPM")
        with replacing(folder / f"{number}.ppm") as temporary:
            temporary.write_bytes(buffer.getvalue())
        answers.append(
            {
                "file": f"{number}.ppm",
                "source": path,
                "height": frame.shape[0],
                "width": frame.shape[1],
                **comparison.golden(runner.infer(frame[None]), runner.class_names),
            }
        )
    values = {
        "model": runner.source.name,
        "model_sha256": runner.sha256(),
        "precision": runner.precision,
        "class_names": list(runner.class_names),
        "frames": answers,
    }
    write_json(folder / "golden.json", values)
