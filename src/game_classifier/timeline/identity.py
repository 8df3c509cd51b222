"""What a timeline was made from: enough to tell whether a video was replaced, without reading gigabytes."""

import hashlib
from pathlib import Path
from typing import Any

import av

from game_classifier.timeline.source import Source, require_readable

ENDS = 2**20  # bytes at each end that are hashed


def identify(source: Source) -> dict[str, Any]:
    """Path, size in bytes, and the hash of the size, the first and the last MiB; of a URL only its name."""
    if source.is_url:
        return {"path": source.name}
    path = Path(source.name)
    require_readable(path)
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        digest.update(file.read(ENDS))
        file.seek(max(0, size - ENDS))
        digest.update(file.read(ENDS))
    return {"path": str(path), "bytes": size, "ends_sha256": digest.hexdigest()}


def describe(container: av.container.InputContainer, stream: av.VideoStream) -> dict[str, Any]:
    """The container and the picture, as they were stored."""
    return {
        "container": container.format.name,
        "codec": stream.codec_context.codec.canonical_name,
        "width": stream.codec_context.width,
        "height": stream.codec_context.height,
        "frame_rate": round(frame_rate(stream), 3),
    }


def frame_rate(stream: av.VideoStream) -> float:
    """Frames a second on average, or as well as the container tells; 25 where it does not."""
    return float(stream.average_rate or stream.guessed_rate or stream.base_rate or 25)
