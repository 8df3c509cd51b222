"""Choosing the device, the precision and the number of threads for the machine at hand."""

import os

import torch

from game_classifier.errors import InputError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def choose_device(name: str, number: int = 0) -> torch.device:
    """`cuda` and `auto` choose the GPU of this number; `auto` chooses the CPU if there is no GPU.

    Raises InputError for a device that this machine does not have.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda":
        name = f"cuda:{number}"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise InputError(f"device {name!r}: this machine has no such device; use auto, cpu or cuda") from None
    return device


def choose_precision(name: str, device: torch.device) -> str:
    """`auto` chooses bf16 if the device multiplies in bf16, otherwise fp16 on GPUs and fp32 on CPUs."""
    if name != "auto":
        if name == "fp16" and device.type == "cpu":
            raise InputError("precision 'fp16': a CPU cannot train in it; use auto, bf16 or fp32")
        return name
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    return "bf16" if multiplies_bf16() else "fp32"


def multiplies_bf16() -> bool:
    """Whether this machine's processor has instructions for bf16 products."""
    # Elsewhere bf16 is emulated and slower than fp32. Versions of torch that cannot tell count as without.
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def choose_threads(wanted: int | None, processes: int = 1) -> int:
    """Return `wanted`; for 0 or None, the number of processors for each of `processes` on this machine."""
    if wanted:
        return wanted
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, processors // processes)
