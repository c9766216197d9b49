"""Pictures of noise: many, different from each other, and nearly free."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy
    from PIL.Image import Image


def picture(index: int, size: tuple[int, int], mode: str = "RGB", values: int = 256) -> Image:
    """A picture of `size` (width, height), pixels below `values`; its content depends on `index` alone."""
    import numpy
    from PIL import Image

    width, height = size
    shape = (height, width, 3) if mode == "RGB" else (height, width)
    pixels = numpy.random.default_rng(index).integers(0, values, shape, dtype=numpy.uint8)
    return Image.fromarray(pixels).convert(mode)


def pictures(count: int, shape: tuple[int, ...], seed: int) -> numpy.ndarray[Any, Any]:
    """`count` different pictures as one array, which takes hardly more memory than one: each begins a few
    bytes after the last.
    """
    import numpy

    step = 7
    item = int(numpy.prod(shape))
    noise = numpy.random.default_rng(seed).integers(0, 256, item + step * count, dtype=numpy.uint8)
    strides = [int(numpy.prod(shape[axis + 1 :])) for axis in range(len(shape))]
    return numpy.lib.stride_tricks.as_strided(noise, (count, *shape), (step, *strides), writeable=False)


def labels(count: int, classes: int, seed: int) -> list[int]:
    """A class for each of `count` items, all classes equally often, in random order."""
    import numpy

    drawn: list[int] = numpy.random.default_rng(seed).permutation(numpy.arange(count) % classes).tolist()
    return drawn
