"""Per-class results of a folder of predictions, as files."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from game_classifier.pages.plots import plot_confusion
from game_classifier.pages.results_page import render_page
from game_classifier.predict.predict_list import read_shards
from game_classifier.scoring.metrics import confused_pairs
from game_classifier.scoring.results import Results
from game_classifier.storage import make_folder, replacing, write_text

ROWS_AT_A_TIME = 65_536  # bounds the memory, however long a shard is
FILES = "per_class.npy and .csv, confusion.npy and .png, confused_pairs.csv, calibration.npy, report.html"


def collect(save: Path) -> Results:
    """Add up every finished shard in `save`."""
    shards = read_shards(save)
    results = Results(tuple(shards[0][1]["class_names"]))
    for table, manifest in shards:
        results.add_list(manifest)
        for start in range(0, len(table), ROWS_AT_A_TIME):
            results.add_rows(start, np.array(table[start : start + ROWS_AT_A_TIME]))
    return results


def write_results(results: Results, folder: Path) -> np.ndarray:
    """Write FILES into `folder`; return the per-class table.

    Without a labelled frame there is nothing to draw, and confusion.png is removed where an earlier one stands.
    """
    make_folder(folder)
    names, confusion = results.class_names, results.scores.confusion
    per_class = results.scores.per_class(names)
    arrays = {"per_class": per_class, "confusion": confusion, "calibration": results.calibration.table()}
    for name, array in arrays.items():
        with replacing(folder / f"{name}.npy") as temporary, temporary.open("wb") as file:
            np.save(file, array, allow_pickle=False)
    pairs = confused_pairs(confusion)
    named_pairs = ((names[true], names[predicted], *rest) for true, predicted, *rest in pairs.tolist())
    _write_csv(folder / "per_class.csv", per_class.dtype.names, per_class.tolist())
    _write_csv(folder / "confused_pairs.csv", pairs.dtype.names, named_pairs)
    if results.scored:
        plot_confusion(folder / "confusion.png", confusion, names)
    else:
        (folder / "confusion.png").unlink(missing_ok=True)
    write_text(folder / "report.html", render_page(results))
    return per_class


def _write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, text.getvalue())
