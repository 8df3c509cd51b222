"""The network before and after folding: its operators counted, one block drawn, and ONNX files of both forms."""

from collections import Counter
from pathlib import Path

import torch
from torch import nn

from game_classifier.console import table
from game_classifier.deploy.onnx_file import export_network, save_onnx
from game_classifier.models.checkpoint import Checkpoint
from game_classifier.models.cost import operators
from game_classifier.models.fold import fold
from game_classifier.models.frame_network import answering
from game_classifier.models.graph import folded_block
from game_classifier.pages.graphs import plot_folding
from game_classifier.storage import make_folder


def draw_fold(checkpoint: Checkpoint, folder: Path) -> tuple[str, list[Path]]:
    """Return (a table of operators in both forms, the files that were written).

    `folder/NETWORK_train_form.onnx` and `NETWORK_deploy_form.onnx` hold the bare networks, for a viewer such as
    Netron; `NETWORK_block.png` shows one block and the operators, if folding changes any block.
    """
    make_folder(folder)
    network, preprocessing = checkpoint.network, checkpoint.preprocessing
    forms = {"train": checkpoint.build(), "deploy": fold(checkpoint.build())}
    files = []
    for form, module in forms.items():
        # Optimised, the train form would lose BatchNorms to its convolutions.
        model = export_network(answering(module), preprocessing, optimize=form == "deploy")
        files.append(folder / f"{network}_{form}_form.onnx")
        save_onnx(files[-1], model, {})
    picture = folder / f"{network}_block.png"
    drawn, counts = draw_block(picture, network, *forms.values(), preprocessing.height, preprocessing.width)
    return _operator_table(*counts), [*files, picture] if drawn else files


def draw_block(
    path: Path, title: str, trained: nn.Module, folded: nn.Module, height: int, width: int
) -> tuple[bool, tuple[Counter[str], Counter[str]]]:
    """Draw one block and the operators of both forms, which are in evaluation mode, if folding changes any block.

    Returns (whether it does, the operators of both).
    """
    counts = operators(trained, height, width), operators(folded, height, width)
    block = folded_block(trained, folded, torch.zeros(1, 3, height, width))
    if block:
        name, before, after = block
        plot_folding(path, f"{title}, block {name}", (before, after), counts)
    return block is not None, counts


def _operator_table(before: Counter[str], after: Counter[str]) -> str:
    kinds = sorted(before | after, key=lambda kind: (-before[kind], kind))
    rows = [[kind, str(before[kind]), str(after[kind])] for kind in kinds]
    rows.append(["all", str(before.total()), str(after.total())])
    return table("Operators", ["Operator", "Train Form", "Deploy Form"], rows)
