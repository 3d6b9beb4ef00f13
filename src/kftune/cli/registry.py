"""Lists, shows or checks the registered hyperparameter classes.

kftune registry list            list all, without importing them
kftune registry show NAME       show one class: its fields, defaults and search domains
kftune registry check           import each class and check it
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from kftune.cli.table import table
from kftune.errors import KftuneError, UsageError
from kftune.hparams import Hparams
from kftune.hparams.registry import HPARAMS_REGISTRY, load_hparams


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("action", choices=["list", "show", "check"])
    parser.add_argument("name", nargs="?", help="class name, model type or module:Class (show)")
    parser.add_argument("--format", choices=["text", "json"], default="text")


def run(arguments: argparse.Namespace) -> int:
    """Lists, shows or checks."""
    if arguments.action == "show":
        return _show(arguments.name, arguments.format)
    return _list(arguments.format) if arguments.action == "list" else _check(arguments.format)


def _list(form: str) -> int:
    entries = [dict(entry) for entry in HPARAMS_REGISTRY.values()]
    if form == "json":
        print(json.dumps(entries, indent=2))
    else:
        columns = {
            "class_name": "class",
            "model_type": "model type",
            "module_path": "module",
            "description": "description",
        }
        print(table([*columns.values()], [[entry[key] for key in columns] for entry in entries]))
    return 0


def _show(name: str | None, form: str) -> int:
    if name is None:
        raise UsageError("kftune registry show needs a name; kftune registry list shows all")
    hparams = load_hparams(name, (Path.cwd(),))
    fields = [_field(hparams, field) for field in hparams.leaves()]
    if form == "json":
        print(json.dumps({"name": hparams.__name__, "module": hparams.__module__, "fields": fields}, indent=2))
        return 0
    print(f"{hparams.__module__}:{hparams.__name__}\n{(hparams.__doc__ or '').strip()}\n")
    rows = [
        [
            field["name"],
            field["type"],
            field["default_text"],
            json.dumps(field["search"]) if field["search"] else "",
            field["description"],
        ]
        for field in fields
    ]
    print(table(["field", "type", "default", "search", "description"], rows))
    return 0


def _field(hparams: type[Hparams], name: str) -> dict[str, Any]:
    leaf = hparams.leaf(name)
    return {
        "name": name,
        "type": leaf.type_name,
        "default": leaf.default,
        "default_text": leaf.encode(leaf.default) if leaf.has_default else "required",
        "search": leaf.domain.to_spec() if leaf.domain else None,
        "description": leaf.description,
    }


def _check(form: str) -> int:
    outcomes: list[dict[str, Any]] = []
    for name in HPARAMS_REGISTRY:
        try:
            hparams = load_hparams(name)
            if all(leaf.has_default for leaf in hparams.leaves().values()):
                made = hparams()
                if hparams.from_args(made.to_args()) != made:
                    raise KftuneError(f"{name}: its command line is not read back as the same values")
            outcomes.append({"name": name, "ok": True, "message": f"{len(hparams.leaves())} fields"})
        except KftuneError as error:
            outcomes.append({"name": name, "ok": False, "message": str(error)})
    if form == "json":
        print(json.dumps(outcomes, indent=2))
    else:
        rows = [[row["name"], "ok" if row["ok"] else "FAILS", row["message"]] for row in outcomes]
        print(table(["class", "check", ""], rows))
    return 0 if all(row["ok"] for row in outcomes) else 1
