"""The network before and after folding: its operators counted, one block drawn, and ONNX files of both forms."""

from collections import Counter
from pathlib import Path

from torch import nn

from game_classifier.console import table
from game_classifier.deploy.onnx_file import export_network, save_onnx
from game_classifier.models.checkpoint import Checkpoint
from game_classifier.models.cost import operators
from game_classifier.models.fold import fold
from game_classifier.models.frame_network import answering
from game_classifier.pages.plots import plot_block
from game_classifier.storage import make_folder


def draw_fold(checkpoint: Checkpoint, folder: Path) -> tuple[str, list[Path]]:
    """Return (a table of operators in both forms, the files that were written).

    `folder/NETWORK_train_form.onnx` and `NETWORK_deploy_form.onnx` hold the bare networks, for a viewer such as
    Netron; `NETWORK_block.png` shows one block, if folding changes any.
    """
    make_folder(folder)
    network = checkpoint.network
    forms = {"train": checkpoint.build(), "deploy": fold(checkpoint.build())}
    counts: dict[str, Counter[str]] = {}
    files = []
    for form, module in forms.items():
        counts[form] = operators(module, checkpoint.preprocessing.height, checkpoint.preprocessing.width)
        # Optimised, the train form would lose BatchNorms to its convolutions.
        model = export_network(answering(module), checkpoint.preprocessing, optimize=form == "deploy")
        files.append(folder / f"{network}_{form}_form.onnx")
        save_onnx(files[-1], model, {})
    block = _foldable_block(forms["train"], forms["deploy"])
    if block:
        name, before, after = block
        files.append(folder / f"{network}_block.png")
        plot_block(files[-1], f"{network}, block {name}", _branches(before), _branches(after))
    return _operator_table(counts["train"], counts["deploy"]), files


def _operator_table(before: Counter[str], after: Counter[str]) -> str:
    kinds = sorted(before | after, key=lambda kind: (-before[kind], kind))
    rows = [[kind, str(before[kind]), str(after[kind])] for kind in kinds]
    rows.append(["all", str(before.total()), str(after.total())])
    return table("Operators", ["Operator", "Train Form", "Deploy Form"], rows)


def _foldable_block(trained: nn.Module, folded: nn.Module) -> tuple[str, nn.Module, nn.Module] | None:
    """The block with the most branches whose form folding changes: (name, before, after)."""
    after = dict(folded.named_modules())
    changed = [
        (name, module, after[name])
        for name, module in trained.named_modules()
        if hasattr(after.get(name), "reparam_conv")
    ]
    return max(changed, key=lambda each: len(_branches(each[1])), default=None)


def _branches(block: nn.Module) -> list[list[str]]:
    """The parallel branches of a block, each a list of its layers in words."""
    branches = []
    for branch in block.children():
        layers = [_words(layer) for layer in branch.modules() if isinstance(layer, nn.Conv2d | nn.BatchNorm2d)]
        if layers:
            branches.append(layers)
    return branches


def _words(layer: nn.Module) -> str:
    if isinstance(layer, nn.BatchNorm2d):
        return "BatchNorm"
    height, width = layer.kernel_size
    bias = " + bias" if layer.bias is not None else ""
    return f"{height}×{width} conv {layer.in_channels}→{layer.out_channels}{bias}"
