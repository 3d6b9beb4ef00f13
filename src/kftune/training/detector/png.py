"""Writes PNG files, which every viewer and every training opens, without a library for pictures.

Source: PNG (ISO/IEC 15948): signature, then chunks of length, name, content and checksum.
"""

from __future__ import annotations

import ctypes
import struct
import zlib

import torch
from torch import Tensor

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _COLOUR = 0, 2


def to_png(picture: Tensor) -> bytes:
    """Returns a picture as a file.

    Args:
        picture: uint8: height x width of grey, or height x width x 3 of red, green and blue.
    """
    height, width = picture.shape[:2]
    kind = _GREY if picture.ndim == 2 else _COLOUR
    # Each row begins with the number of its filter; 0 means none.
    rows = torch.cat([picture.new_zeros(height, 1), picture.reshape(height, -1)], dim=1).contiguous()
    # Without numpy, torch has no other way to bytes that does not pass each pixel through Python.
    raw = ctypes.string_at(rows.data_ptr(), rows.numel())
    header = struct.pack(">II5B", *(width, height), *(8, kind, 0, 0, 0))
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(raw)) + _chunk(b"IEND", b"")


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
