"""Golden vectors: a few frames with their answers, so that a service in any language can test itself."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from game_classifier.frames.decode import read_whole_frame
from game_classifier.runtime.runner import Runner
from game_classifier.storage import make_folder, replacing, write_json


def write_golden(folder: Path, classifier: Runner, paths: Sequence[str]) -> None:
    """Write `folder/N.ppm`, whole frames as raw RGB, and `golden.json` with the probabilities of each.

    The format is PPM, because every language reads it in a few lines and decoders cannot differ. The frames have their
    full size; `classifier` resizes them inside its file.
    """
    make_folder(folder)
    answers = []
    for number, path in enumerate(paths):
        frame = read_whole_frame(path)
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, format="PPM")
        with replacing(folder / f"{number}.ppm") as temporary:
            temporary.write_bytes(buffer.getvalue())
        both = classifier.answer(frame[None])
        probabilities, known = both[0][0], None if both[1] is None else float(both[1][0])
        answers.append(
            {
                "file": f"{number}.ppm",
                "source": path,
                "height": frame.shape[0],
                "width": frame.shape[1],
                "class": classifier.class_names[int(np.argmax(probabilities))],
                "probabilities": [float(value) for value in probabilities],
                "known": known,
            }
        )
    values = {
        "model": classifier.source.name,
        "model_sha256": classifier.sha256(),
        "precision": classifier.precision,
        "class_names": list(classifier.class_names),
        "frames": answers,
    }
    write_json(folder / "golden.json", values)
