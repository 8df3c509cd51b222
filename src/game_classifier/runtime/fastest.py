"""Choosing the file of a conversion that runs fastest on this machine."""

from pathlib import Path

import torch

from game_classifier.device import choose_device
from game_classifier.errors import InputError
from game_classifier.runtime.torchscript import load_torchscript

FASTEST_FIRST = ("_openvino_int8.xml", "_openvino.xml")


def fastest_file(path: Path, device_name: str) -> Path:
    """On a CPU, the OpenVINO file that was made from the same weights as the TorchScript file `path`, beside it.

    The INT8 file comes first; it exists only if it passed its gate. Returns `path` itself on a GPU, if it is no `.pt`
    file, and if there is no such OpenVINO file.
    """
    if path.suffix != ".pt" or choose_device(device_name).type != "cpu" or not path.is_file():
        return path
    from game_classifier.runtime.openvino_file import read_openvino  # openvino takes a second to import

    weights = load_torchscript(path, torch.device("cpu"))[1].weights_sha256
    network = path.name.partition("_cpp_deploy")[0]
    for ending in FASTEST_FIRST:
        other = path.with_name(network + ending)
        try:
            if other.is_file() and read_openvino(other)[1].weights_sha256 == weights:
                return other
        except InputError:  # damaged: the file that was asked for still runs
            continue
    return path
