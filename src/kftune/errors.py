"""The errors that kftune raises, all below `KftuneError`; subclasses of these are in the modules that raise them.

There is a class where a caller would act differently. Arguments are positional and reach `Exception.__init__`, so that
each error survives pickling. The text says what must hold, what was given and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_MOST_NAMES = 20
_LONGEST_NAME = 60


class KftuneError(Exception):
    """Base of all errors; the text is for the user."""


class DomainError(KftuneError, ValueError):
    """An invalid domain, or a value outside of it."""


class HparamsError(KftuneError, ValueError):
    """Invalid hyperparameter values, or an invalid class of them."""


class UnknownNameError(KftuneError, LookupError):
    """A name that is not among the known ones.

    Args:
        kind: What has such names, e.g. ``hyperparameter``.
        name: The name given.
        known: The valid names.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind = kind
        self.name = name
        self.known = tuple(known)
        super().__init__(kind, name, self.known)

    def __str__(self) -> str:
        return f"unknown {self.kind} {self.name!r}; {suggestion(self.name, self.known)}"


class ModelCreationError(HparamsError):
    """A model that cannot be made from its hyperparameters and its file of sizes."""


class DataLoaderError(HparamsError):
    """A data set that is missing, damaged, or does not fit the model."""


class RegistryError(KftuneError):
    """A registry entry that is invalid, given twice or cannot be imported."""


class NotImportedError(RegistryError):
    """A module that must not be imported, and whose source does not show the class either.

    Args:
        module: Its dotted name.
        why: What its source does not show; empty if that was not read.
    """

    def __init__(self, module: str, why: str = "") -> None:
        self.module = module
        self.why = why
        super().__init__(module, why)

    def __str__(self) -> str:
        more = f", and its source does not show the class: {self.why}" if self.why else ""
        return f"module {self.module} must not be imported{more}"


class _PlacedError(KftuneError, ValueError):
    """An error in a file, with its place if known (line and column, from 1)."""

    def __init__(
        self, message: str, file: str | None = None, line: int | None = None, column: int | None = None
    ) -> None:
        self.message = message
        self.file = file
        self.line = line
        self.column = column
        super().__init__(message, file, line, column)

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        return f"{place}: {self.message}" if place else self.message


class YamlError(_PlacedError):
    """Text that is not YAML as kftune reads it."""


class StudyError(_PlacedError):
    """An invalid study, with its place in the file if it comes from one."""


class PipelineError(_PlacedError):
    """An invalid pipeline, with its place in the file if it comes from one."""


class ProjectError(_PlacedError):
    """An invalid project, with its place in the file if it comes from one."""


class ConfigurationError(_PlacedError):
    """An invalid experiment list, with its place in the file if it comes from one."""


class ForeignFileError(_PlacedError):
    """A file of another system that cannot be imported, with its place in the file if it has one."""


class MetricError(KftuneError, ValueError):
    """A metric name or value that no collector can read."""


class RenderError(KftuneError, ValueError):
    """A study or pipeline that the render target cannot express faithfully.

    Args:
        message: What must hold, what is given, what works.
        places: The keys that lead to the values in question, in its file; none where no single value is meant.
    """

    def __init__(self, message: str, *places: tuple[str | int, ...]) -> None:
        super().__init__(message)
        self.places = places


class KatibError(KftuneError, ValueError):
    """An error that Katib's own code has too, in its words where these do not name Go types."""


class ExpressionError(KftuneError, ValueError):
    """A constraint that is no expression of its language, or has no value at a point."""


class SettingError(KftuneError, ValueError):
    """Settings of early stopping in an Experiment that its service refuses.

    Args:
        message: What must hold, what was given, what to do.
        setting: The index of the setting; None if no single one is wrong.
        at_name: Whether its name is wrong; otherwise its value is.
    """

    def __init__(self, message: str, setting: int | None = None, at_name: bool = False) -> None:
        self.message = message
        self.setting = setting
        self.at_name = at_name
        super().__init__(message, setting, at_name)

    def __str__(self) -> str:
        return self.message


class StoreError(KftuneError):
    """Results on disk that are locked, damaged or belong to another study.

    Args:
        message: What is wrong and what to do.
        path: The file or folder.
    """

    def __init__(self, message: str, path: str) -> None:
        self.message = message
        self.path = path
        super().__init__(message, path)

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class LostEndError(StoreError):
    """Results on disk that have lost the end of a trial, which their second copy has. The next run takes it over."""


class CommitError(KftuneError):
    """Git refuses, or the file is in no state to be committed."""


class ConfinedError(KftuneError, OSError):
    """A path, or a file that another program has written, that leads out of its folder or cannot be read safely."""


class ReadingStoppedError(ConfinedError):
    """A file was not read to its end, since the user asked for the end of the run."""


class RunError(KftuneError):
    """The local run cannot start or continue."""


class OutputError(KftuneError):
    """Standard output cannot be written, so a run has stopped before its end."""


class ExperimentFailedError(RunError):
    """An experiment of a list has failed."""


class ContainerError(KftuneError):
    """No container engine answers, it refuses, or an image is missing."""


class ClusterError(KftuneError):
    """A cluster that cannot be reached, or that refuses something."""


class StudyFailedError(ClusterError):
    """A study that has failed on a cluster, or has found no best trial: to wait or to ask again changes nothing."""


class ModelRegistryError(KftuneError):
    """A Model Registry that cannot be reached, that refuses something, or that holds another model of this version."""


class MissingExtraError(KftuneError, ImportError):
    """An optional dependency is not installed.

    Args:
        extra: The kftune extra that installs it.
        package: The package that could not be imported.
        instead: What to do without it, if anything.
    """

    def __init__(self, extra: str, package: str, instead: str = "") -> None:
        self.extra = extra
        self.package = package
        self.instead = instead
        super().__init__(extra, package, instead)

    def __str__(self) -> str:
        remedy = f"install it with: pip install 'kftune[{self.extra}]'"
        return f"this needs the package {self.package!r}; {', or '.join(filter(None, (remedy, self.instead)))}"


class UsageError(KftuneError):
    """A wrong command line."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """Returns a hint for an unknown name: the near names, or if there are none, all of them (at most 20).

    Args:
        name: The unknown name.
        known: The valid names.
    """
    names = sorted(known)
    near = near_names(name, names)
    if near:
        return near
    if not names:
        return "there are none"
    return f"known: {listed(names)}"


def listed(names: Sequence[str]) -> str:
    """Returns names for a message: at most 20, and of a long one the beginning."""
    shown = ", ".join(
        name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…" for name in names[:_MOST_NAMES]
    )
    return f"{shown}{', …' if len(names) > _MOST_NAMES else ''}"


def near_names(name: str, known: Iterable[str], *, keys: bool = False) -> str:
    """Returns a question that offers the names close to an unknown one, or an empty text.

    Args:
        name: The unknown name.
        known: The valid names.
        keys: Whether they are keys of a file, such as ``budget.max_trials``.
    """
    from kftune.near import meant  # noqa: PLC0415 - only a mistake needs it

    near = meant(name, known, keys=keys)
    return f"did you mean {' or '.join(map(repr, near))}?" if near else ""


def near_files(path: str) -> str:
    """Returns ``; `` and a question that offers paths close to one that does not exist, or an empty text."""
    near = [each for each in near_paths(path) if each != path]
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""


def no_such_file(path: object) -> UsageError:
    """Returns the error about a file that is not there.

    Args:
        path: Its path.
    """
    return UsageError(f"there is no file {path}{near_files(str(path))}")


def near_paths(path: str) -> list[str]:
    """Returns files and folders whose paths are close to a path; each of its names may be misspelt."""
    from pathlib import Path  # noqa: PLC0415 - only a mistake needs it

    from kftune.near import meant  # noqa: PLC0415

    given = Path(path)
    found = [Path(given.anchor)]
    try:
        for name in given.relative_to(given.anchor).parts:
            found = [
                folder / near
                for folder in found
                if folder.is_dir()
                for near in (
                    [name] if (folder / name).exists() else meant(name, [each.name for each in folder.iterdir()])
                )
            ]
    except OSError:
        return []
    return [str(each) for each in found[:3]]
