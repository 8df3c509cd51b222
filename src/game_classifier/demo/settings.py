"""The settings of a recording, kept beside its frames."""

import json
from pathlib import Path
from typing import Any

from game_classifier.errors import InputError
from game_classifier.storage import write_json

MANIFEST = "recording.json"


def keep_settings(out: Path, settings: dict[str, Any]) -> None:
    """Write `settings` into `out`, or raise InputError when `out` holds a recording made with others."""
    manifest = out / MANIFEST
    if not manifest.exists():
        write_json(manifest, settings)
    elif json.loads(manifest.read_text(encoding="utf-8")) != settings:
        raise InputError(f"{manifest}: recorded with other settings; choose another --out, or delete {out}")
