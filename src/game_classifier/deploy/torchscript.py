"""Making TorchScript files (.pt), which a libtorch program loads; see runtime/torchscript.py."""

import io
import warnings
from pathlib import Path

import torch
from torch import nn

from game_classifier.frames.decode import Preprocessing
from game_classifier.models.frame_network import KnowingFrameNetwork, frame_network
from game_classifier.models.known import gives_known
from game_classifier.storage import replacing


def script(network: nn.Module, preprocessing: Preprocessing) -> torch.jit.ScriptModule:
    """A network of `answering` with resizing and normalising before it, frozen.

    It answers with probabilities; if the network gives `known` too, its method `answer` returns both. A detector
    answers with the tuple (boxes, scores).
    """
    size = (1, 3, preprocessing.height, preprocessing.width)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.filterwarnings("ignore", message=".*torch.jit.*")
        # Traced, since networks of other libraries cannot all be scripted; the wrapper is scripted, since
        # resizing depends on the frame. Two sizes of batch prove that the trace holds for any.
        example = torch.zeros(size).contiguous(memory_format=torch.channels_last)
        deployed = frame_network(network, preprocessing)
        deployed.network = torch.jit.trace(network, example, check_inputs=[(example.expand(3, -1, -1, -1),)])
        if gives_known(network):
            return torch.jit.freeze(torch.jit.script(KnowingFrameNetwork(deployed).eval()), preserved_attrs=["answer"])
        return torch.jit.freeze(torch.jit.script(deployed.eval()))


def save_torchscript(path: Path, module: torch.jit.ScriptModule, texts: dict[str, str]) -> None:
    """Write the file in one step, with `texts` as extra files in it."""
    # By way of memory: given a path, torch would keep the temporary name inside, and equal files would differ.
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit.*")
        torch.jit.save(module, buffer, _extra_files={name: text.encode() for name, text in texts.items()})
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())
