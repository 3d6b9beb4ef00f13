"""Reads configs of OmegaConf, which only their callers have installed."""

from __future__ import annotations

from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from kftune.errors import HparamsError


def plain(config: Any) -> Any:
    """Returns a config of OmegaConf as dicts and lists, with interpolations resolved.

    Raises:
        HparamsError: A value is missing (``???``), or an interpolation cannot be resolved.
    """
    try:
        missing = sorted(OmegaConf.missing_keys(config))
        if missing:
            raise HparamsError(f"{', '.join(missing)}: a value must be given, but the config has ??? there")
        return OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        problem = str(error).strip().splitlines()[0]
        where = f"{error.full_key}: " if error.full_key else ""
        raise HparamsError(f"{where}the config cannot be read: {problem}") from error
