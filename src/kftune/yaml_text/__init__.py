"""YAML text: writes it so that every reader agrees, reads what people write, and finds places in it.

Each part is imported when it is first used: writing needs no PyYAML, and lint needs no writer.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kftune.yaml_text.emitter import dump, dump_all, inline, write_all
    from kftune.yaml_text.places import locate, locate_all
    from kftune.yaml_text.reader import load, load_all, load_file

__all__ = ["dump", "dump_all", "inline", "load", "load_all", "load_file", "locate", "locate_all", "write_all"]

_HOMES = {
    **dict.fromkeys(("dump", "dump_all", "inline", "write_all"), "emitter"),
    **dict.fromkeys(("load", "load_all", "load_file"), "reader"),
    **dict.fromkeys(("locate", "locate_all"), "places"),
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
