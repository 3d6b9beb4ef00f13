"""The sizes of the models: those of kftune, and those of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from kftune import yaml_text
from kftune.errors import HparamsError, UnknownNameError
from kftune.hparams.models.ocr import OcrHparams


@dataclass(frozen=True)
class Size:
    """The size of a model.

    Attributes:
        channels: Channels of the three convolutions.
        hidden: Features of a column, and units of the decoder.
        dropout: Share of the columns' features that is left out while training.
    """

    channels: tuple[int, int, int]
    hidden: int
    dropout: float = 0.1


SIZES = {
    "small": Size((24, 48, 64), 96),
    "medium": Size((32, 64, 128), 160),
    "large": Size((48, 96, 192), 256),
    "ctc": Size((32, 64, 128), 160),
}


def size_of(hparams: OcrHparams) -> Size:
    """Returns the size of the model, from the file of sizes if there is one.

    Raises:
        HparamsError: There is no file at a place that was given, or a size in it is invalid.
        UnknownNameError: The file has an unknown model or key.
        YamlError: The file cannot be read.
    """
    path, size = Path(hparams.model_config_path), SIZES[hparams.model_name]
    if not path.exists() and hparams.model_config_path == OcrHparams.model_fields["model_config_path"].default:
        return size
    found = yaml_text.load_file(path)
    models = found.get("models") if isinstance(found, dict) else None
    if not isinstance(models, dict):
        raise HparamsError(f"{path} must have the sizes of models under the key models, but does not")
    unknown = next((name for name in models if name not in SIZES), None)
    if unknown is not None:
        raise UnknownNameError(f"model in {path}", str(unknown), list(SIZES))
    return _changed(size, models.get(hparams.model_name) or {}, f"{path}: models.{hparams.model_name}")


def _changed(size: Size, given: Mapping[str, Any], place: str) -> Size:
    if not isinstance(given, Mapping):
        raise HparamsError(f"{place} must be a mapping, but is {given!r}")
    known = [field.name for field in fields(Size)]
    unknown = next((key for key in given if key not in known), None)
    if unknown is not None:
        raise UnknownNameError(f"key of {place}", str(unknown), known)
    values = dict(given)
    if "channels" in values:
        values["channels"] = tuple(values["channels"]) if isinstance(values["channels"], list) else ()
    changed = replace(size, **values)
    counts: list[object] = [*changed.channels, changed.hidden]
    is_right = len(counts) == 4 and all(type(count) is int and count > 0 for count in counts)
    if not (is_right and type(changed.dropout) in (int, float) and 0 <= changed.dropout < 1):
        raise HparamsError(
            f"{place} must have three channels, hidden above 0 and dropout from 0 to below 1, but is {dict(given)!r}"
        )
    return changed
