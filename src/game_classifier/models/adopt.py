"""A checkpoint made of weights from elsewhere, so that they convert as ours do."""

from collections.abc import Sequence
from pathlib import Path

from game_classifier.errors import InputError
from game_classifier.frames.decode import Preprocessing
from game_classifier.models.checkpoint import Checkpoint
from game_classifier.models.weights import load_weights
from game_classifier.models.zoo import build_model


def adopt_weights(
    path: Path, network_name: str, class_names: Sequence[str], preprocessing: Preprocessing
) -> tuple[Checkpoint, str]:
    """Return (checkpoint, whose weights they are) of a file that `load_weights` reads.

    Raises InputError as that does, and when the file's classifier is not one of exactly these classes: a new one
    would be random.
    """
    network = build_model(network_name, len(class_names))
    loaded = load_weights(network, network_name, class_names, path)
    if loaded.head != "kept":
        raise InputError(
            f"{path}: its classifier is not that of the {len(class_names)} classes given ({loaded.head});"
            " give the class list that it was trained with by -c FILE"
        )
    return Checkpoint(network_name, tuple(class_names), preprocessing, network.state_dict(), 0), loaded.kind
