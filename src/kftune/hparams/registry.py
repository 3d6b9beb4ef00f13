"""Hyperparameter classes by name: a table of their modules; looking one up imports that module only.

Built-in classes are in `BUILT_IN`. A project's own class needs no registration: ``module:Class`` names it. A plug-in
package declares an entry point in the group ``kftune.hparams``: ``model_type = "package.module:Class"``, and one of the
same name in the group ``kftune.trainers`` if the function that trains with it is in another module.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NotRequired, TypedDict

from kftune.errors import KftuneError, NotImportedError, RegistryError, UnknownNameError
from kftune.hparams import Hparams
from kftune.hparams.homes import home_of
from kftune.hparams.imports import Imports, import_from, watching


class RegistryEntry(TypedDict):
    """The place of a hyperparameter class, and of the function that trains with it if that is in another module."""

    class_name: str
    module_path: str
    model_type: str
    description: str
    trainer: NotRequired[str]


BUILT_IN: tuple[RegistryEntry, ...] = (
    RegistryEntry(
        class_name="LstmHparams",
        module_path="kftune.hparams.models.lstm",
        model_type="lstm",
        description="LSTM that predicts the next readings of a sensor circuit",
    ),
    RegistryEntry(
        class_name="OcrHparams",
        module_path="kftune.hparams.models.ocr",
        model_type="ocr",
        description="encoder and decoder that read numbers in Khmer digits from pictures",
    ),
    RegistryEntry(
        class_name="DetectorHparams",
        module_path="kftune.hparams.models.detector",
        model_type="detector",
        description="small detector that finds handwritten digits on canvases",
    ),
    RegistryEntry(
        class_name="YoloHparams",
        module_path="kftune.hparams.models.yolo",
        model_type="yolo",
        description="detector that the program yolo of ultralytics trains",
    ),
)

_MODULE = re.compile(r"(?!.*\.py$)[^\W\d]\w*(\.[^\W\d]\w*)*")
# What pydantic adds to its errors: a line with an address.
_FURTHER = "\n\nFor further information"

ENTRY_POINT_GROUP = "kftune.hparams"
TRAINER_GROUP = "kftune.trainers"
_OWN_CLASSES, _OWN_TRAINERS = "kftune.hparams.models", "kftune.training"


class HparamsRegistry(Mapping[str, RegistryEntry]):
    """Class name -> entry. Plug-ins are searched once, when a name is not found without them or all are listed."""

    def __init__(self, entries: Sequence[RegistryEntry] = ()) -> None:
        self._entries: dict[str, RegistryEntry] = {}
        self._plugins_read = False
        for entry in entries:
            self.register(**entry)

    def register(
        self, class_name: str, module_path: str, model_type: str, description: str = "", trainer: str | None = None
    ) -> None:
        """Adds a class. Adding the same entry again changes nothing.

        Args:
            class_name: The name of the class.
            module_path: The module to import it from.
            model_type: A short name for the model.
            description: One line for lists.
            trainer: The function that trains with it, ``module:function``; None for ``train`` in the class's module.

        Raises:
            RegistryError: Another entry has that class name or model type, or the trainer is not of that form.
        """
        entry = RegistryEntry(
            class_name=class_name, module_path=module_path, model_type=model_type, description=description
        )
        if trainer is not None:
            module, _, function = str(trainer).partition(":")
            if not (_MODULE.fullmatch(module) and function.isidentifier()):
                raise RegistryError(
                    f"{class_name}: a trainer is module:function, for example net:train, but got {trainer!r}"
                )
            entry["trainer"] = trainer
        for other in self._entries.values():
            if other == entry:
                return
            for key, given in (("class_name", class_name), ("model_type", model_type)):
                if other[key] == given:  # type: ignore[literal-required]
                    raise RegistryError(
                        f"each {key} must belong to one class, but {given!r} of {module_path}:{class_name} "
                        f"is already that of {other['module_path']}:{other['class_name']}; choose another {key}"
                    )
        self._entries[class_name] = entry

    def find(self, name: str) -> RegistryEntry:
        """Returns the entry with this class name or model type.

        Raises:
            UnknownNameError: No entry has that name.
        """
        entry = self._find(name)
        if entry is None:
            self._read_plugins()
            entry = self._find(name)
        if entry is not None:
            return entry
        known = [*self._entries, *(entry["model_type"] for entry in self._entries.values())]
        raise UnknownNameError("hyperparameter class", name, known)

    def _find(self, name: str) -> RegistryEntry | None:
        by_type = (entry for entry in self._entries.values() if entry["model_type"] == name)
        return self._entries.get(name) or next(by_type, None)

    def _read_plugins(self) -> None:
        if self._plugins_read:
            return
        self._plugins_read = True
        from importlib.metadata import entry_points  # noqa: PLC0415  # costs as much as half of a start-up

        trainers = {point.name: point.value for point in entry_points(group=TRAINER_GROUP)}
        for point in entry_points(group=ENTRY_POINT_GROUP):
            package = point.dist.name if point.dist else "a plug-in"
            self.register(point.attr, point.module, point.name, f"from {package}", trainers.get(point.name))

    def __getitem__(self, class_name: str) -> RegistryEntry:
        if class_name not in self._entries:
            self._read_plugins()
        return self._entries[class_name]

    def __setitem__(self, class_name: str, entry: Mapping[str, str]) -> None:
        """Adds a class, as `register` does.

        Args:
            class_name: The name of the class.
            entry: module_path, model_type, and if wanted class_name, description and trainer.
        """
        if not isinstance(entry, Mapping):
            raise RegistryError(f"{class_name}: an entry is a dict with module_path and model_type, but got {entry!r}")
        values = {"class_name": class_name, **entry}
        if values["class_name"] != class_name:
            raise RegistryError(f"the key must be the class_name, but got {class_name!r} and {values['class_name']!r}")
        needed = {"module_path", "model_type"}
        if not needed <= values.keys() <= RegistryEntry.__annotations__.keys():
            known = ", ".join(RegistryEntry.__annotations__)
            given = ", ".join(entry) or "none of them"
            raise RegistryError(f"{class_name}: an entry has {known}, but got {given}")
        for key, value in values.items():
            if not isinstance(value, str):  # a user's dict may hold anything
                raise RegistryError(f"{class_name}: the values of an entry are texts, but {key} is {value!r}")
        self.register(**values)

    def __iter__(self) -> Iterator[str]:
        self._read_plugins()
        return iter(self._entries)

    def __len__(self) -> int:
        self._read_plugins()
        return len(self._entries)


HPARAMS_REGISTRY = HparamsRegistry(BUILT_IN)
register = HPARAMS_REGISTRY.register


def load_hparams(name: str, folders: Sequence[Path] = ()) -> type[Hparams]:
    """Returns the hyperparameter class that a study names.

    Args:
        name: A class name or model type of the registry, or ``module:Class``.
        folders: Folders to search for modules before the installed ones.

    Raises:
        UnknownNameError: The module has no such class.
        RegistryError: No such registry name, the module cannot be imported, or the name is not that of an `Hparams`
            class.
    """
    module_path, colon, class_name = name.partition(":")
    if not colon:
        module_path, class_name = _registered(name, folders)
    if not _MODULE.fullmatch(module_path):
        raise RegistryError(f"{module_path!r} is not the name of a module; {_hint(name, folders)}")
    watch = watching()
    if watch is not None and watch.forbids(module_path):
        return _read_class(watch, module_path, class_name, folders)
    module = import_module(module_path, folders, class_name)
    found = _attribute(module, class_name)
    if found is None:
        values = {key: value for key, value in vars(module).items() if isinstance(value, type) and value is not Hparams}
        classes = [key for key, value in values.items() if issubclass(value, Hparams)]
        raise UnknownNameError(f"class in module {module_path}", class_name, classes)
    if not (isinstance(found, type) and issubclass(found, Hparams)):
        raise RegistryError(f"{module_path}:{class_name} must be a subclass of kftune.Hparams, but is {found!r}")
    return found


def _read_class(watch: Imports, module_path: str, class_name: str, folders: Sequence[Path]) -> type[Hparams]:
    """Returns a class as its source shows it, without importing the module."""
    from kftune.hparams.unimported import read_class  # noqa: PLC0415  # nearly no command needs it

    try:
        found = read_class(module_path, class_name, folders)
    except NotImportedError as error:
        watch.unread.append(str(error))
        raise
    watch.read.append(f"{module_path}:{class_name}")
    return found


def _registered(name: str, folders: Sequence[Path]) -> tuple[str, str]:
    try:
        entry = HPARAMS_REGISTRY.find(name)
    except UnknownNameError as error:
        raise RegistryError(f"unknown hyperparameter class {name!r}; {_hint(name, folders)}") from error
    return entry["module_path"], entry["class_name"]


def _hint(name: str, folders: Sequence[Path]) -> str:
    from kftune.hparams.nearby import class_hint  # noqa: PLC0415 - only a mistake needs it

    registered = [word for entry in HPARAMS_REGISTRY.values() for word in (entry["class_name"], entry["model_type"])]
    return class_hint(name, registered, folders)


def _attribute(module: object, dotted: str) -> object:
    """Returns the attribute of a module with a dotted name; None if there is none."""
    found = module
    for part in dotted.split("."):
        found = getattr(found, part, None)
    return found


def name_of(hparams: type[Hparams]) -> str:
    """Returns the name that `load_hparams` finds a class by: its registry name if any, otherwise ``module:Class``."""
    entry = HPARAMS_REGISTRY._find(hparams.__name__)
    if entry is not None and entry["module_path"] == hparams.__module__:
        return entry["class_name"]
    return home_of(hparams)


def trainer_of(hparams: type[Hparams]) -> str:
    """Returns the function that trains with a class, as ``module:function``: a registered one, or ``train`` beside it.

    Args:
        hparams: The class.
    """
    module = hparams.__module__
    entry = HPARAMS_REGISTRY._find(hparams.__name__)
    if entry is None or entry["module_path"] != module:
        return f"{module}:train"
    own = f"{_OWN_TRAINERS}.{entry['model_type']}" if module.startswith(f"{_OWN_CLASSES}.") else module
    return entry.get("trainer", f"{own}:train")


def import_module(module_path: str, folders: Sequence[Path], class_name: str = "", hint: str | None = None) -> object:
    """Returns a module.

    Args:
        module_path: Its dotted name.
        folders: Folders to search before the installed packages.
        class_name: The class of hyperparameters that is wanted of it, for the error.
        hint: What to do if there is no such module; None for what helps with a class of hyperparameters.

    Raises:
        RegistryError: It cannot be imported.
    """
    watch = watching()
    if watch is not None and watch.forbids(module_path):
        error = NotImportedError(module_path)
        watch.unread.append(str(error))
        raise error
    folder = _folder_of(folders, module_path)
    try:
        found = importlib.import_module(module_path) if folder is None else import_from(folder, module_path)
    except KftuneError as error:  # a class in it is invalid: its message says why, this adds the place
        raise RegistryError(f"{_place(error, module_path)}: {error}") from error
    except ModuleNotFoundError as error:
        if error.name and f"{module_path}.".startswith(f"{error.name}."):
            looked = ", ".join(map(str, folders)) or "the installed packages"
            near = _hint(f"{module_path}:{class_name}", folders) if hint is None else hint
            raise RegistryError(f"no module {module_path!r} in {looked}; {near}") from error
        place = _place(error, module_path)
        raise RegistryError(f"{place}: module {module_path!r} needs {error.name!r}, which is not installed") from error
    except (Exception, SystemExit) as error:  # a user's module may run any code; its error is shown
        raise RegistryError(
            f"{_place(error, module_path)}: module {module_path!r} must import without an error, but raised "
            f"{type(error).__name__}: {str(error).partition(_FURTHER)[0]}"
        ) from error
    if watch is not None:
        watch.note(found)
    return found


def _place(error: BaseException, module_path: str) -> str:
    """Returns file and line of the statement that raised `error` during the import of a module."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    step, place = error.__traceback__, module_path
    while step is not None:
        if step.tb_frame.f_globals.get("__name__") == module_path:
            place = f"{step.tb_frame.f_code.co_filename}:{step.tb_lineno}"
        step = step.tb_next
    return place


def _folder_of(folders: Sequence[Path], module_path: str) -> Path | None:
    """Returns the first folder that has the module; None if none has it.

    Raises:
        RegistryError: Another module of that name is loaded.
    """
    top = module_path.partition(".")[0]
    places = ((folder, place) for folder in folders for place in (folder / f"{top}.py", folder / top) if place.exists())
    folder, here = next(places, (None, None))
    if folder is None or here is None:
        return None
    loaded = getattr(sys.modules.get(top), "__file__", None)
    if loaded and not Path(loaded).resolve().is_relative_to(here.resolve()):
        raise RegistryError(
            f"two modules cannot share a name in one process, but {top!r} of {folder} is loaded from {loaded}; "
            f"rename one"
        )
    return folder
