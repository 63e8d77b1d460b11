"""What a run needs and what a worker has, as classes of resources: `cpu`, `gpu-24` (a GPU with 24 GB or more).

A class is a lane of the queue in Postgres and, as `evaluation.gpu-24`, a doorbell's queue in the broker, so that hosts
with any mix of devices listen to what they can do and to nothing else.
"""

from __future__ import annotations

from django.conf import settings

from evaluation.schemes import REFERENCE, SCHEMES, SchemeInfo
from webapp.catalog.models import Contender, Source
from webapp.errors import Unprocessable

CPU = "cpu"
GIGABYTE = 10**9
# GB of memory of the cards that are about: each class is served by a card that has at least so much.
GPU_SIZES = (8, 16, 24, 40, 48, 80, 141, 192)
RESOURCES = (CPU, *(f"gpu-{size}" for size in GPU_SIZES))
AUTOMATIC = ""
# Beside the weights: activations, the cache of keys and values, the libraries of the device.
SHARE_BESIDE, FIXED_BESIDE = 0.2, GIGABYTE
FULL, HALF = 32, 16  # bits of a weight


def served_by(device: str, memory: int | None) -> list[str]:
    """Classes that a device ("cpu", "cuda:0") of so many bytes can serve; a GPU also does what needs none. One that
    does not say how large it is has what its operator says: by default little, for what does not fit fails there."""
    if not device.startswith("cuda"):
        return [CPU]
    room = settings.GPU_BYTES if memory is None else memory
    return [CPU, *(f"gpu-{size}" for size in GPU_SIZES if size * GIGABYTE <= room)]


def resource_of(contender: Contender, chosen: str = AUTOMATIC) -> str:
    """The class that a run needs: as chosen by a person, else from its weights. Raises Unprocessable."""
    if chosen != AUTOMATIC:
        return _checked(contender, chosen)
    needed, needs_gpu = bytes_needed(contender), _needs_gpu(contender)
    if needed is None:
        return f"gpu-{GPU_SIZES[0]}" if needs_gpu else CPU
    if needed <= settings.CPU_BYTES and not needs_gpu:
        return CPU
    fitting = [size for size in GPU_SIZES if needed <= size * GIGABYTE]
    return f"gpu-{fitting[0] if fitting else GPU_SIZES[-1]}"


def bytes_needed(contender: Contender) -> int | None:
    """Memory on the device: the weights in the type in which they are loaded, and what stands beside them. None: not
    known, or none at all (an endpoint)."""
    version = contender.version
    if version.source == Source.ENDPOINT or not version.parameters:
        return None
    info = SCHEMES.get(contender.scheme)
    weights = version.parameters * _loaded_bits(info) // 8 if info and info.bits else version.size_bytes or 0
    return int(weights * (1 + SHARE_BESIDE)) + FIXED_BESIDE


def _loaded_bits(info: SchemeInfo) -> float:
    """Weights are changed on the device, so it first holds them whole: in 16 bits, or in 32 where the format is only
    imitated."""
    if info.family == REFERENCE:
        return info.bits
    return FULL if info.emulated else HALF


def _needs_gpu(contender: Contender) -> bool:
    info = SCHEMES.get(contender.scheme)
    return info is not None and CPU not in info.devices


def _checked(contender: Contender, chosen: str) -> str:
    if chosen not in RESOURCES:
        raise Unprocessable(
            f"{chosen} is not a class of resources.", field="resource", remedy=f"Use one of {', '.join(RESOURCES)}."
        )
    if chosen == CPU and _needs_gpu(contender):
        raise Unprocessable(
            f"The scheme {contender.scheme} runs on a GPU only.", field="resource", remedy="Choose a GPU class."
        )
    return chosen


def in_words(resource: str) -> str:
    """gpu-24 -> "a GPU with 24 GB"; what people read."""
    return "any device" if resource == CPU else f"a GPU with {resource.partition('-')[2]} GB"


def doorbell(resource: str) -> str:
    """The broker's queue at which workers that serve this class listen."""
    return f"evaluation.{resource}"
