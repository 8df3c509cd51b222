"""Tells which game is on a frame of a live stream.

    import game_classifier

    classifier = game_classifier.load("save_pt_pth_file/repvgg_a0_cpp_deploy.pt")
    for answer in classifier.classify_files(["a.jpg", "b.png"]):
        print(answer.class_name, answer.probability)

The names below are the interface that other programs may rely on; docs/python.md describes it.
"""

from typing import Any

__all__ = ["Answer", "Classifier", "InputError", "Predictions", "load", "read_predictions"]


def __getattr__(name: str) -> Any:
    """Import the interface when it is first used: torch takes seconds, and every command imports this package."""
    if name in __all__:
        from game_classifier import interface

        return getattr(interface, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
