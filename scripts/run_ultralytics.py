"""Run ultralytics' predict for scripts/bench_boxes.py, in an environment that has it; this project does not.

    PYTHON scripts/run_ultralytics.py SETTINGS.json

Builds the network, exports it, and says `ready` with the names of its ways. Then, for each way that it reads from
standard input, it predicts all frames and says how many boxes it found. Each answer is a line that begins with a mark.
"""

import json
import sys
from pathlib import Path

import torch
from ultralytics import YOLO
from ultralytics.nn.tasks import yaml_model_load


def main() -> None:
    """Prepare all ways, then serve."""
    settings = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.set_num_threads(settings["threads"])
    scratch = Path(settings["scratch"])
    ways = {}
    for form, weights in forms(settings, scratch).items():
        for batch in settings["batch_sizes"]:
            ways[f"{form}, batch {batch}"] = exported(form, weights, batch, settings, scratch), batch
    for model, batch in ways.values():  # loading and compiling are not timed
        predict(model, settings, batch, settings["paths"][: max(batch, 2)])
    answer(settings, {"ready": list(ways)})
    for line in sys.stdin:
        model, batch = ways[line.strip()]
        answer(settings, {"boxes": predict(model, settings, batch, settings["list"])})


def forms(settings: dict, scratch: Path) -> dict[str, Path]:
    """Name -> weights of the PyTorch network that the form is made from."""
    weights = Path(settings["model"])
    if weights.suffix == ".yaml":  # random weights, with as many classes as our network
        structure = yaml_model_load(settings["model"])
        path = scratch / weights.name
        path.write_text(json.dumps({**structure, "nc": settings["classes"]}), encoding="utf-8")  # JSON is YAML
        weights = scratch / "ultralytics.pt"
        YOLO(path).save(weights)
    return dict.fromkeys(settings["forms"], weights)


def exported(form: str, weights: Path, batch: int, settings: dict, scratch: Path) -> YOLO:
    """The network in this form, for batches of this size."""
    if form == "PyTorch":
        return YOLO(weights)
    copy = scratch / f"{form.replace(' ', '_')}_{batch}.pt"
    copy.write_bytes(weights.read_bytes())
    options = {"int8": True, "data": calibration_data(settings, scratch)} if form == "OpenVINO INT8" else {}
    path = YOLO(copy).export(
        format="openvino", imgsz=settings["size"], batch=batch, device="cpu", verbose=False, **options
    )
    return YOLO(path, task="detect")


def calibration_data(settings: dict, scratch: Path) -> str:
    """A data set of the frames, without boxes."""
    folder = scratch / "calibration"
    if not folder.exists():
        (folder / "images").mkdir(parents=True)
        (folder / "labels").mkdir()
        for number, path in enumerate(settings["paths"][:300]):
            (folder / "images" / f"{number}{Path(path).suffix}").symlink_to(path)
            (folder / "labels" / f"{number}.txt").touch()
    names = {number: str(number) for number in range(settings["classes"])}
    data = {"path": str(folder), "train": "images", "val": "images", "names": names}
    (folder / "data.yaml").write_text(json.dumps(data), encoding="utf-8")
    return str(folder / "data.yaml")


def predict(model: YOLO, settings: dict, batch: int, source: str | list[str]) -> int:
    """Predict the frames; returns the number of boxes."""
    results = model.predict(
        source,
        stream=True,
        batch=batch,
        imgsz=settings["size"],
        conf=settings["least_score"],
        iou=settings["overlap"],
        max_det=settings["most"],
        device="cpu",
        verbose=False,
        save=False,
    )
    return sum(len(each.boxes) for each in results)


def answer(settings: dict, values: dict) -> None:
    """One line for the reader; ultralytics prints lines of its own."""
    print(f"{settings['mark']}{json.dumps(values)}", flush=True)


if __name__ == "__main__":
    main()
