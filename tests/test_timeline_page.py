"""timeline.html: what the bar, the table and the hover show, in a browser that must load nothing else."""

import io

import numpy as np
import pytest
from PIL import Image

from game_classifier.pages.timeline_page import render_page
from game_classifier.timeline.contract import row_type

NAMES = ["pong", "</script><b>", "蓝色"]


def values(**changes) -> dict:
    parts = [("pong", 0, 0, 60), ("unknown", -1, 60, 90), ("</script><b>", 1, 100, 200)]
    segments = [
        {"start": float(start), "end": float(end), "class": name, "index": index, "confidence": 0.9}
        for name, index, start, end in parts
    ]
    return {
        "identity": {"path": "/videos/a <day>.mp4"},
        "video": {"width": 1280, "height": 720, "codec": "h264"},
        "duration": 200.0,
        "model": "/models/a0.xml",
        "runtime": "OpenVINO",
        "precision": "int8",
        "smoothing": {"game_length": 1200.0},
        "sampling": {"interval": 2.0, "frames": "auto"},
        "class_names": NAMES,
        "segments": segments,
        "gaps": [{"start": 90.0, "end": 100.0, "reason": "damaged"}],
    } | changes


def rows(count: int = 100) -> np.ndarray:
    table = np.zeros(count, row_type(3))
    table["time"] = np.arange(count) * 200 / count
    table["probs"] = np.where(table["time"][:, None] < 60, [0.7, 0.2, 0.1], [0.05, 0.9, 0.05])
    table["known"] = np.nan
    table["status"][(table["time"] > 90) & (table["time"] < 100)] = 6
    return table


def jpeg() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (160, 90), "red").save(data, "JPEG")
    return data.getvalue()


def test_the_page_has_no_outside_resources_and_repeats_itself():
    page = render_page(values(), rows(), {0: jpeg()})
    assert page == render_page(values(), rows(), {0: jpeg()})
    assert "://" not in page
    assert "<b>" not in page.replace("<b><bdi>", "").replace("<b>gap", "")
    assert page.count("</script>") == 2


def test_a_long_video_keeps_its_page_small():
    assert len(render_page(values(duration=1e6), rows(300_000), {})) < 2_000_000


def test_the_page_in_a_browser(tmp_path, browser):
    path = tmp_path / "timeline.html"
    path.write_text(render_page(values(), rows(), {0: jpeg()}), "utf-8")
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    requests, complaints = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(path.as_uri())

    box = page.locator("#bar").bounding_box()
    parts = page.locator("#bar a")
    widths = [parts.nth(number).bounding_box()["width"] / box["width"] for number in range(4)]
    assert widths == pytest.approx([0.3, 0.15, 0.05, 0.5], abs=0.005)
    assert parts.all_inner_texts() == ["pong", "unknown", "", "</script><b>"]
    colours = [parts.nth(number).evaluate("e => getComputedStyle(e).backgroundColor") for number in range(4)]
    assert colours[1] == "rgb(140, 140, 140)"
    assert len(set(colours)) == 4
    assert page.locator("#games tr").nth(1).inner_text().split("\t")[:3] == ["</script><b>", "0:01:40", "50.00"]

    def point_at(share: float) -> str:
        page.mouse.move(box["x"] + share * box["width"], box["y"] + 10)
        return page.locator("#tip").inner_text()

    assert "70 %pong" in point_at(0.1).replace("\n", "")
    assert "90 %</script><b>" in point_at(0.75).replace("\n", "")
    assert "damaged" in point_at(0.475)
    strip = page.locator("#frames").evaluate(
        """e => {
            const row = e.getContext("2d").getImageData(0, 5, e.width, 1).data;
            return [0.1, 0.75].map(x => row.slice(4 * Math.floor(e.width * x)).slice(0, 4).join());
        }"""
    )
    assert strip[0] != strip[1]
    page.mouse.move(5, 5)
    assert page.locator("#tip").is_hidden()

    parts.nth(3).click()
    assert page.url.endswith("#segment-2")
    assert page.locator("figure").all_inner_texts()[2].startswith("damaged")
    assert page.locator("img").count() == 1
    assert page.locator("img").evaluate("e => e.naturalWidth") == 160
    assert requests == [path.as_uri()]
    assert complaints == []
    page.close()
