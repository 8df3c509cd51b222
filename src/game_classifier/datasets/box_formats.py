"""Boxes in the formats of other tools: COCO JSON, Pascal VOC XML, and YOLO's data.yaml, which only names folders."""

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from game_classifier.errors import InputError
from game_classifier.lists.folders import list_images
from game_classifier.lists.label_files import BOX, LEAST_SIDE
from game_classifier.lists.lines import read_lines
from game_classifier.storage import json_text, make_folder, write_text

YOLO_PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class Picture:
    """An image file with its size in pixels and its boxes."""

    path: Path
    height: int
    width: int
    boxes: np.ndarray  # BOX [n]
    left_out: int = 0  # boxes that have no area within the picture


def read_coco(source: Path, images: Path) -> tuple[list[str], list[Picture]]:
    """Class names in the order of their ids, and the pictures of a COCO JSON file; crowds are left out.

    File names start at the folder `images`. Raises InputError for what is not such a file.
    """
    try:
        values = json.loads(source.read_text(encoding="utf-8-sig"))
        categories = sorted(values["categories"], key=lambda each: each["id"])
        label_of = {each["id"]: label for label, each in enumerate(categories)}
        of_image: dict[Any, list[tuple[int, list[float]]]] = {each["id"]: [] for each in values["images"]}
        for each in values["annotations"]:
            for key, known in (("image_id", of_image), ("category_id", label_of)):
                if each[key] not in known:
                    raise InputError(
                        f"{source}: an annotation has {key} {each[key]}, which the file does not list; add it there, or"
                        " take the annotation out"
                    )
            if not each.get("iscrowd"):
                of_image[each["image_id"]].append((label_of[each["category_id"]], each["bbox"]))
        pictures = []
        for each in values["images"]:
            boxes = [(label, (x, y, x + width, y + height)) for label, (x, y, width, height) in of_image[each["id"]]]
            path = images / each["file_name"]
            pictures.append(_picture(f"{source}: {path}", path, each["height"], each["width"], boxes))
        class_names = [str(each["name"]) for each in categories]
        if twice := sorted({name for name in class_names if class_names.count(name) > 1}):
            raise InputError(f"{source}: two categories are named {twice[0]!r}; rename one of them")
        return class_names, pictures
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"{type(error).__name__}: {error}"[:100]
        raise InputError(
            f"{source}: not a COCO file of boxes ({what}); give one with images, annotations and categories"
        ) from None


def read_voc(source: Path, images: Path, known: Sequence[str]) -> tuple[list[str], list[Picture]]:
    """Class names, `known` first, and the pictures of a folder of Pascal VOC's XML files.

    Raises InputError, with the file, for one that is not such a file.
    """
    files = sorted(source.glob("*.xml"))
    if not files:
        raise InputError(f"{source}: holds no .xml files; give the folder Annotations of a Pascal VOC data set")
    parsed = []
    for file in files:
        try:
            root = ElementTree.parse(file).getroot()
            size = [int(float(root.findtext(f"size/{side}") or 0)) for side in ("height", "width")]
            objects = [
                (each.findtext("name").strip(), [float(each.findtext(f"bndbox/{side}")) for side in _SIDES])
                for each in root.iter("object")
            ]
            parsed.append((file, images / root.findtext("filename"), *size, objects))
        except (ElementTree.ParseError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{file}: not an XML file of Pascal VOC ({error}); correct or remove it") from None
    found = {name for *_, objects in parsed for name, _ in objects}
    class_names = [*known, *sorted(found - set(known))]
    pictures = []
    for file, path, height, width, objects in parsed:
        # VOC counts pixels from 1, and its last pixel is inside.
        boxes = [(class_names.index(name), (x1 - 1, y1 - 1, x2, y2)) for name, (x1, y1, x2, y2) in objects]
        pictures.append(_picture(str(file), path, height, width, boxes))
    return class_names, pictures


_SIDES = ("xmin", "ymin", "xmax", "ymax")


def read_yolo(source: Path) -> tuple[list[str], dict[str, list[Path]]]:
    """Class names, and the image files of each part that a data.yaml names; their labels are in our format already.

    Raises InputError for what is not such a file, for classes that are not numbered from 0, and for a folder that is
    not there.
    """
    try:
        values = yaml.safe_load(source.read_text(encoding="utf-8-sig"))
        names = values["names"]
        numbered = names if isinstance(names, Mapping) else dict(enumerate(names if isinstance(names, list) else ()))
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError) as error:
        what = " ".join(str(error).split())[:100]
        raise InputError(f"{source}: not a data.yaml of YOLO ({what}); it needs `names` and `train`") from None
    if not numbered or set(numbered) != set(range(len(numbered))):  # label files count on the numbers
        raise InputError(f"{source}: `names` must be a list, or number the classes 0, 1, 2 ... without a gap")
    class_names = [str(numbered[index]) for index in range(len(numbered))]
    base = source.parent / str(values.get("path") or ".")
    base = base if base.exists() else source.parent  # `path` is often that of another machine
    parts = {}
    for part in YOLO_PARTS:
        if values.get(part):
            given = values[part] if isinstance(values[part], list) else [values[part]]
            parts[part] = [image for place in given for image in _images(source, base / str(place))]
    if not parts:
        raise InputError(f"{source}: names no images; give `train` and `val`")
    return class_names, parts


def _images(source: Path, place: Path) -> list[Path]:
    if not place.exists() and ".." in place.parts:  # some exports count from a folder that they do not have
        place = Path(*(part for part in place.parts if part != ".."))
    if place.is_dir():
        return [place / name for name in list_images(place)]
    if place.is_file():
        return [place.parent / line for line in read_lines(place) if line.strip()]
    raise InputError(f"{source}: no such folder or list: {place}; correct it, or `path`")


def _picture(where: str, path: Path, height: int, width: int, boxes: Sequence[tuple[int, Sequence[float]]]) -> Picture:
    """`boxes` are (class, (x1, y1, x2, y2)) in pixels; they are cut at the picture's edges.

    Those that are nothing then, such as some of COCO's own, are left out.
    """
    if not (height > 0 and width > 0):
        raise InputError(f"{where}: a picture of {width} x {height} pixels; correct its size")
    kept = []
    for label, box in boxes:
        shares = np.clip(np.array(box, np.float64) / (width, height, width, height), 0, 1)
        if (shares[2:] - shares[:2] >= LEAST_SIDE).all():
            kept.append((label, shares))
    return Picture(path, height, width, np.array(kept, BOX), len(boxes) - len(kept))


def write_coco(path: Path, class_names: Sequence[str], pictures: Sequence[Picture]) -> None:
    """Write a COCO JSON file; ids count from 1, and file names are relative to its folder where they can be."""
    annotations = []
    for number, picture in enumerate(pictures, 1):
        for label, box in picture.boxes.tolist():
            x1, y1, x2, y2 = np.array(box) * ([picture.width, picture.height] * 2)
            box = [round(float(each), 3) for each in (x1, y1, x2 - x1, y2 - y1)]
            annotations.append(
                {"id": len(annotations) + 1, "image_id": number, "category_id": label + 1, "iscrowd": 0}
                | {"bbox": box, "area": round(box[2] * box[3], 3)}
            )
    images = [
        {"id": number, "file_name": _name(each.path, path.parent), "height": each.height, "width": each.width}
        for number, each in enumerate(pictures, 1)
    ]
    categories = [{"id": label + 1, "name": name} for label, name in enumerate(class_names)]
    _write_new({path: json_text({"images": images, "annotations": annotations, "categories": categories})})


def write_voc(folder: Path, class_names: Sequence[str], pictures: Sequence[Picture]) -> None:
    """Write an XML file for each picture; sides are rounded to whole pixels. Two pictures of one name are an error."""
    if len({each.path.stem for each in pictures}) < len(pictures):
        raise InputError(f"{folder}: some images have the same name, and Pascal VOC has one folder; rename them")
    texts = {}
    for picture in pictures:
        root = ElementTree.Element("annotation")
        _add(root, "filename", picture.path.name)
        size = ElementTree.SubElement(root, "size")
        for name, value in (("width", picture.width), ("height", picture.height), ("depth", 3)):
            _add(size, name, value)
        for label, box in picture.boxes.tolist():
            entry = ElementTree.SubElement(root, "object")
            _add(entry, "name", class_names[label])
            x1, y1, x2, y2 = (
                round(value * side) for value, side in zip(box, [picture.width, picture.height] * 2, strict=True)
            )
            sides = ElementTree.SubElement(entry, "bndbox")
            for name, value in zip(_SIDES, (x1 + 1, y1 + 1, max(x2, x1 + 1), max(y2, y1 + 1)), strict=True):
                _add(sides, name, value)
        ElementTree.indent(root)
        texts[folder / f"{picture.path.stem}.xml"] = ElementTree.tostring(root, encoding="unicode") + "\n"
    _write_new(texts)


def write_yolo(path: Path, class_names: Sequence[str], parts: Mapping[str, Sequence[Path]]) -> None:
    """Write a data.yaml and its lists, such as data_train.txt, of the images of each part; images stay where they are.

    YOLO's readers take a path for relative to its list only if it begins with ./, which they then replace everywhere.
    """
    lists = {part: path.with_name(f"{path.stem}_{part}.txt").absolute() for part in parts}
    texts = {}
    for part, images in parts.items():
        names = [_name(image, path.parent) for image in images]
        lines = (
            image.absolute() if "./" in name or name.startswith("/") else f"./{name}"
            for image, name in zip(images, names, strict=True)
        )
        texts[lists[part]] = "".join(f"{line}\n" for line in lines)
    values = {"path": str(path.parent.absolute())} | {part: str(each) for part, each in lists.items()}
    values |= {"names": dict(enumerate(class_names))}
    _write_new(texts | {path: yaml.safe_dump(values, allow_unicode=True, sort_keys=False)})


def _write_new(texts: Mapping[Path, str]) -> None:
    """Write all files, or none: raise InputError if one exists with other content."""
    for path, text in texts.items():
        if path.exists() and path.read_bytes() != text.encode(errors="surrogateescape"):
            raise InputError(f"{path}: exists with other content; move it away, or choose another --out")
    for folder in {path.parent for path in texts}:
        make_folder(folder)
    for path, text in texts.items():
        write_text(path, text)


def _add(parent: ElementTree.Element, name: str, value: object) -> None:
    ElementTree.SubElement(parent, name).text = str(value)


def _name(path: Path, folder: Path) -> str:
    absolute = path.absolute()
    return (
        absolute.relative_to(folder.absolute()).as_posix()
        if absolute.is_relative_to(folder.absolute())
        else str(absolute)
    )
