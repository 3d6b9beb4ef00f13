"""A bundle of ``kftune export --bundle``, read back: only the JSON in it is read, and nothing is extracted."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

from kftune import json_input
from kftune.errors import StoreError
from kftune.results.sources import own_json
from kftune.results.trials import Trials

RESULTS = "results.json"
"""The file in a bundle that is read back."""

MOST_BYTES = 10**9
"""Bundles that are larger when uncompressed are refused."""


def read(file: Path, place: str) -> Trials:
    """Returns the trials in a bundle.

    Args:
        file: The bundle.
        place: The file, for messages.

    Raises:
        StoreError: It is no bundle, is too large, or is damaged.
        OSError: The file cannot be read.
    """
    try:
        with zipfile.ZipFile(file) as found:
            text = _text(found, place)
        data = json_input.loads(text)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise StoreError(f"this is no bundle, or it is damaged: {error}", place) from error
    except ValueError as error:
        raise StoreError(f"{RESULTS} in this bundle is no JSON: {error}", place) from error
    if not isinstance(data, dict) or "format" not in data:
        raise StoreError(f"{RESULTS} in this bundle is not what kftune results --format json prints", place)
    return own_json.read(data, place)


def _text(found: zipfile.ZipFile, place: str) -> bytes:
    size = sum(each.file_size for each in found.infolist())
    if size > MOST_BYTES:
        raise StoreError(
            f"a bundle has at most {MOST_BYTES:,} bytes when uncompressed, but this one has {size:,}; kftune export "
            f"--bundle writes none that is larger",
            place,
        )
    if RESULTS not in found.namelist():
        raise StoreError(f"a bundle of kftune export --bundle has the file {RESULTS}, but this one has none", place)
    if found.getinfo(RESULTS).compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise StoreError(f"{RESULTS} in this bundle has another compression than deflate; write it anew", place)
    with found.open(RESULTS) as file:
        # The sizes above are what the archive says of itself.
        text = file.read(MOST_BYTES + 1)
    if len(text) > MOST_BYTES:
        raise StoreError(f"{RESULTS} in this bundle is larger than {MOST_BYTES:,} bytes", place)
    return text
