"""Lists, shows or checks the hyperparameter classes: registered ones, and those that files below this folder name.

kftune registry list            list all, without importing them
kftune registry show NAME       show one class: its fields, defaults and search domains
kftune registry check           import each class and check it
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kftune.cli.table import table
from kftune.errors import KftuneError, RegistryError, UnknownNameError, UsageError
from kftune.hparams import Hparams
from kftune.hparams.registry import HPARAMS_REGISTRY, load_hparams
from kftune.runs import files_below
from kftune.spec.classes import NamedClass, load_class, named_classes, register_classes
from kftune.spec.kind import PROJECT_FILE


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
    here = _found_here()
    entries: list[dict[str, Any]] = [*map(dict, HPARAMS_REGISTRY.values()), *map(_entry, here)]
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
    hparams = _loaded(name)
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
    here = _found_here()
    outcomes = [_outcome(name, (Path.cwd(),)) for name in HPARAMS_REGISTRY]
    outcomes += [_outcome(found.name, _folders(found)) for found in here]
    if form == "json":
        print(json.dumps(outcomes, indent=2))
    else:
        rows = [[row["name"], "ok" if row["ok"] else "FAILS", row["message"]] for row in outcomes]
        print(table(["class", "check", ""], rows))
    return 0 if all(row["ok"] for row in outcomes) else 1


def _outcome(name: str, folders: Sequence[Path]) -> dict[str, Any]:
    """Returns whether a class can be imported and reads its own command line back."""
    path, loaded = [*sys.path], {*sys.modules}
    try:
        hparams = load_hparams(name, folders)
        if all(leaf.has_default for leaf in hparams.leaves().values()):
            made = hparams()
            if hparams.from_args(made.to_args()) != made:
                raise KftuneError(f"{name}: its command line is not read back as the same values")
        return {"name": name, "ok": True, "message": f"{len(hparams.leaves())} fields"}
    except KftuneError as error:
        return {"name": name, "ok": False, "message": str(error)}
    finally:
        # Two studies may have modules of one name, each in its own folder.
        sys.path[:] = path
        for module in sys.modules.keys() - loaded:
            if _is_in(getattr(sys.modules[module], "__file__", None), folders):
                del sys.modules[module]


def _is_in(file: str | None, folders: Sequence[Path]) -> bool:
    return file is not None and any(Path(file).is_relative_to(folder.resolve()) for folder in folders)


def _found_here() -> list[NamedClass]:
    """Returns the classes that files below this folder name and that are not registered.

    The modules that project files list have registered theirs before.
    """
    here = Path.cwd()
    projects = [path.parent for path in files_below(here, (".yaml",)) if path.name == PROJECT_FILE]
    register_classes([here, *projects])
    known = {f"{entry['module_path']}:{entry['class_name']}" for entry in HPARAMS_REGISTRY.values()}
    return [found for found in named_classes(here) if found.name not in known]


def _folders(found: NamedClass) -> tuple[Path, Path]:
    return found.file.parent, Path.cwd()


def _entry(found: NamedClass) -> dict[str, str]:
    module, _, name = found.name.partition(":")
    about = f"named in {found.file.relative_to(Path.cwd())}"
    return {"class_name": name, "module_path": module, "model_type": "", "description": about}


def _loaded(name: str) -> type[Hparams]:
    """Returns the class with a registry name, ``module:Class``, or the name of one class that a file here names."""
    try:
        return load_class(name, (Path.cwd(),))
    except (UnknownNameError, RegistryError) as error:
        found = _found_here()
        same = [each for each in found if each.name == name or each.name.partition(":")[2] == name]
        if len(same) == 1:
            return load_hparams(same[0].name, _folders(same[0]))
        if ":" in name or not isinstance(error, UnknownNameError):
            raise
        known = [*error.known, *(each.name for each in found)]
        raise UnknownNameError("hyperparameter class", name, known) from error
