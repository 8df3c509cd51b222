"""The log of a training, written after each epoch: metrics.jsonl, metrics.csv, curves.png, TensorBoard."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from game_classifier.pages.plots import plot_curves
from game_classifier.storage import write_csv, write_text

LOG = "metrics.jsonl"
CLOCK_KEYS = ("train_seconds", "frames_per_second")  # differ between equal trainings, so no checkpoint holds them


class TrainingLog:
    """The log of one training in a folder; it continues an existing log."""

    def __init__(self, out: Path, history: Sequence[Mapping[str, Any]], curves: Mapping[str, str]) -> None:
        """`history`: the epochs that the checkpoint knows; the log keeps its timings of these and drops later ones.

        `curves` are the scores to draw, with their names.
        """
        self.out = out
        self.curves = curves
        clocks = _read_clocks(out / LOG)
        self.records = [{**record, **clocks.get(record["epoch"], {})} for record in history]
        self.board = _open_board(out / "tensorboard", purge_step=len(history) + 1)
        if self.records:  # a kill may have come between an epoch's checkpoint and its line
            self._write()

    def add(self, record: Mapping[str, Any], lr: float, seconds: float, frames: int) -> None:
        """Write an epoch's record to all files."""
        clock = dict(zip(CLOCK_KEYS, (round(seconds, 2), round(frames / seconds, 1)), strict=True))
        self.records.append({**record, **clock})
        self._write()
        if self.board:
            for name, value in {**self.records[-1], "lr": lr}.items():
                if name != "epoch":
                    part = "train" if name.startswith("train") or name in ("lr", "frames_per_second") else "val"
                    self.board.add_scalar(f"{part}/{name}", value, record["epoch"])
            self.board.flush()

    def close(self) -> None:
        """Finish TensorBoard's file."""
        if self.board:
            self.board.close()

    def _write(self) -> None:
        write_text(self.out / LOG, "".join(f"{json.dumps(each)}\n" for each in self.records))
        names = [*(key for key in self.records[0] if key not in CLOCK_KEYS), *CLOCK_KEYS]
        write_csv(
            self.out / "metrics.csv", names, ([record.get(name, "") for name in names] for record in self.records)
        )
        plot_curves(self.out / "curves.png", self.records, self.curves)


def _read_clocks(path: Path) -> dict[int, dict[str, Any]]:
    if not path.exists():
        return {}
    records = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {each["epoch"]: {key: each[key] for key in CLOCK_KEYS if key in each} for each in records}


def _open_board(folder: Path, purge_step: int) -> Any:
    """TensorBoard's writer, or None if it is not installed; it is an optional extra."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=purge_step)
