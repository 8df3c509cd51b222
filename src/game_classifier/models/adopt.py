"""Making a checkpoint of another project's weights, so that they convert like ours."""

from collections.abc import Sequence
from pathlib import Path

from game_classifier.errors import InputError
from game_classifier.frames.decode import Preprocessing
from game_classifier.models.anchor_head import STRIDES
from game_classifier.models.checkpoint import Checkpoint
from game_classifier.models.weights import load_weights
from game_classifier.models.zoo import DETECTION, build_model, require_frame_sizes, task_name


def adopt_weights(
    path: Path, network_name: str, class_names: Sequence[str], preprocessing: Preprocessing
) -> tuple[Checkpoint, str]:
    """Return (checkpoint, name of the weights' source) of a file that `load_weights` reads.

    Raises the same InputErrors as `load_weights`, one if the file's classifier does not have exactly these classes:
    a new classifier would be random; and one for frames of a size that a detector cannot take.
    """
    sides = preprocessing.height, preprocessing.width
    if task_name(network_name) == DETECTION and any(side % STRIDES[-1] for side in sides):
        raise InputError(
            f"image_size {list(sides)}: {network_name} needs sides that are multiples of"
            f" {STRIDES[-1]}; give others with --set image_size"
        )
    network = build_model(network_name, len(class_names))
    require_frame_sizes(network, network_name, [sides])
    loaded = load_weights(network, network_name, class_names, path)
    if loaded.head != "kept":
        raise InputError(
            f"{path}: its classifier does not have the {len(class_names)} classes given ({loaded.head});"
            " give the class list that it was trained with, with -c FILE"
        )
    return Checkpoint(network_name, tuple(class_names), preprocessing, network.state_dict(), 0), loaded.kind
