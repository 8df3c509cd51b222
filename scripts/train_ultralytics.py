"""Train with ultralytics for scripts/bench_box_training.py, in an environment that has it; this project does not.

    PYTHON scripts/train_ultralytics.py SETTINGS.json

Answers when it is loaded. Then, for each line `[network, seconds]` of JSON from standard input, it trains the network
from random weights for about so many seconds, predicts the validation frames, and answers with the seconds that it
took, the frames that it trained on, and the COCO results file of the boxes. Each answer is a line that begins with a
mark.
"""

import json
import sys
import time
from pathlib import Path

import torch
from ultralytics import YOLO


def main() -> None:
    """Load, then serve."""
    settings = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.set_num_threads(settings["threads"])
    folder = Path(settings["data"]).parent
    answer(settings, {"ready": True})
    for line in sys.stdin:
        model, seconds = json.loads(line)
        answer(settings, train(model, seconds, settings, folder))


def train(name: str, seconds: float, settings: dict, folder: Path) -> dict:
    """Train with its default recipe and its quickest loader, without validations in between; then predict."""
    model, epochs = YOLO(name), []
    model.add_callback("on_train_epoch_end", lambda trainer: epochs.append(len(trainer.train_loader.dataset)))
    start = time.perf_counter()
    model.train(
        data=settings["data"],
        time=seconds / 3600,
        imgsz=settings["size"],
        batch=settings["batch"],
        seed=settings["seed"],
        project=str(folder),
        name=Path(name).stem,
        device="cpu",
        workers=settings["threads"],
        cache="ram",
        pretrained=False,
        val=False,
        plots=False,
        verbose=False,
    )
    took = time.perf_counter() - start
    last = Path(model.trainer.last)  # the averaged weights; the best are not chosen without validations
    found = last.parents[1] / "found.json"
    found.write_text(json.dumps(predict(YOLO(last), settings, folder)), encoding="utf-8")
    return {"seconds": took, "frames": sum(epochs), "found": str(found)}


def predict(model: YOLO, settings: dict, folder: Path) -> list[dict]:
    """The boxes on the validation frames as COCO results; the names of the frames count the lines of the list."""
    boxes = []
    results = model.predict(
        str(folder / "val" / "images"),
        stream=True,
        imgsz=settings["size"],
        conf=0.001,
        iou=settings["overlap"],
        max_det=settings["most"],
        device="cpu",
        verbose=False,
        save=False,
    )
    for each in results:
        corners, labels, scores = (values.tolist() for values in (each.boxes.xyxy, each.boxes.cls, each.boxes.conf))
        for (x1, y1, x2, y2), label, score in zip(corners, labels, scores, strict=True):
            box = {"image_id": int(Path(each.path).stem) + 1, "category_id": int(label) + 1}
            boxes.append(box | {"bbox": [x1, y1, x2 - x1, y2 - y1], "score": score})
    return boxes


def answer(settings: dict, values: dict) -> None:
    """One line for the reader; ultralytics prints lines of its own."""
    print(f"{settings['mark']}{json.dumps(values)}", flush=True)


if __name__ == "__main__":
    main()
