"""Grey pictures as PGM files: a line of text and one byte per pixel, which every viewer opens and torch reads at once.

Source: Netpbm, ``P5``: magic number, width, height, largest value, then the rows.
"""

from __future__ import annotations

import ctypes
import re

import torch
from torch import Tensor

from kftune.errors import HparamsError

_HEADER = re.compile(rb"P5\s+(?:#[^\n]*\n\s*)*(\d{1,9})\s+(\d{1,9})\s+(\d{1,9})\s")


def parse_pgm(data: bytes, source: str) -> Tensor:
    """Returns a picture as uint8, height x width.

    Args:
        data: The bytes of the file.
        source: Its name, for messages.

    Raises:
        HparamsError: They are no such picture.
    """
    header = _HEADER.match(data)
    if header is None or int(header[3]) != 255:
        raise HparamsError(f"{source} must be a binary PGM file with values up to 255, but begins with {data[:15]!r}")
    width, height = int(header[1]), int(header[2])
    pixels = bytearray(memoryview(data)[header.end() :])
    if len(pixels) != width * height or not pixels:
        raise HparamsError(f"{source} must have {width} x {height} pixels, but has {len(pixels)}")
    return torch.frombuffer(pixels, dtype=torch.uint8).view(height, width)


def to_pgm(picture_HW: Tensor) -> bytes:
    """Returns a picture as a file.

    Args:
        picture_HW: uint8.
    """
    height, width = picture_HW.shape
    pixels_HW = picture_HW.contiguous()
    # Without numpy, torch has no other way to bytes that does not pass each pixel through Python.
    return f"P5 {width} {height} 255\n".encode() + ctypes.string_at(pixels_HW.data_ptr(), pixels_HW.numel())
