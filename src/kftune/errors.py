"""Every error that kftune raises on purpose, in one tree.

    KftuneError
    ├── DomainError (ValueError)        a domain that cannot be, or a value outside of it
    ├── HparamsError (ValueError)       hyperparameter values, or a class of them, refused
    ├── UnknownNameError (LookupError)  a name nobody registered; lists the near ones
    ├── RegistryError                   a registry entry that cannot be used
    ├── YamlError (ValueError)          text that is not the YAML we read
    ├── StudyError (ValueError)         a study that cannot be, with its place in the file
    ├── PipelineError (ValueError)      a pipeline that cannot be, with its place in the file
    ├── ProjectError (ValueError)       a project that cannot be, with its place in the file
    ├── MetricError (ValueError)        a metric name or value that no collector could read
    ├── RenderError (ValueError)        a study that the target cannot express
    ├── KatibError (ValueError)         where Katib's own code stops too; each part of kftune.katib has its own below it
    ├── StoreError                      results that are locked, damaged or of another study
    ├── RunError                        the local engine cannot go on
    ├── ContainerError                  no container engine answers, it refuses, or an image is missing
    ├── ClusterError                    a cluster that cannot be reached, or that refuses something
    ├── ModelRegistryError              a Model Registry that cannot be reached, or that refuses something
    ├── MissingExtraError (ImportError) an optional dependency is not installed
    └── UsageError                      a wrong command line

A class exists where a caller would act differently. Arguments are positional and reach `Exception.__init__`, so that
each error survives pickling. The text says what must hold, what was given and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable


class KftuneError(Exception):
    """Anything that kftune refuses; the text is meant for the user."""


class DomainError(KftuneError, ValueError):
    """A domain that cannot be, or a value outside of it."""


class HparamsError(KftuneError, ValueError):
    """Hyperparameter values, or a class of them, that cannot be used."""


class UnknownNameError(KftuneError, LookupError):
    """A name that is not among the known ones.

    Args:
        kind: What the name should name, e.g. ``hyperparameter``.
        name: The name given.
        known: The names that would have been right.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind = kind
        self.name = name
        self.known = tuple(known)
        super().__init__(kind, name, self.known)

    def __str__(self) -> str:
        return f"unknown {self.kind} {self.name!r}; {suggestion(self.name, self.known)}"


class RegistryError(KftuneError):
    """A registry entry that is wrong, doubled or cannot be imported."""


class _PlacedError(KftuneError, ValueError):
    """An error in a file, with its place when that is known (1-based line and column)."""

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
    """Text that is not the YAML we read."""


class StudyError(_PlacedError):
    """A study that cannot be, with its place in the study file when it came from one."""


class PipelineError(_PlacedError):
    """A pipeline that cannot be, with its place in the pipeline file when it came from one."""


class ProjectError(_PlacedError):
    """A project that cannot be, with its place in the project file when it came from one."""


class MetricError(KftuneError, ValueError):
    """A metric name or value that no collector could read."""


class RenderError(KftuneError, ValueError):
    """A study that the render target cannot express faithfully."""


class KatibError(KftuneError, ValueError):
    """Where Katib's own code stops too, in its words as far as they do not name Go's types."""


class StoreError(KftuneError):
    """Results on disk that are locked, damaged or belong to another study.

    Args:
        message: What is wrong and what to do.
        path: The file or folder concerned.
    """

    def __init__(self, message: str, path: str) -> None:
        self.message = message
        self.path = path
        super().__init__(message, path)

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class RunError(KftuneError):
    """The local engine cannot start or go on."""


class ContainerError(KftuneError):
    """No container engine answers, it does not do what it was asked to, or an image is missing."""


class ClusterError(KftuneError):
    """A cluster that cannot be reached, or that refuses something."""


class ModelRegistryError(KftuneError):
    """A Model Registry that cannot be reached, that refuses something, or that holds another model of this version."""


class MissingExtraError(KftuneError, ImportError):
    """An optional dependency is not installed.

    Args:
        extra: The kftune extra that brings it.
        package: The package that could not be imported.
    """

    def __init__(self, extra: str, package: str) -> None:
        self.extra = extra
        self.package = package
        super().__init__(extra, package)

    def __str__(self) -> str:
        return f"this needs the package {self.package!r}; install it with: pip install 'kftune[{self.extra}]'"


class UsageError(KftuneError):
    """A wrong command line."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """The remedy for an unknown name: the near ones, else all of them (at most 20)."""
    names = sorted(known)
    near = near_names(name, names)
    if near:
        return near
    if not names:
        return "there are none"
    shown = ", ".join(names[:20])
    return f"known: {shown}{', …' if len(names) > 20 else ''}"


def near_names(name: str, known: Iterable[str]) -> str:
    """A question that offers the names close to an unknown one, or nothing."""
    from difflib import get_close_matches  # noqa: PLC0415 - only a mistake needs it

    near = get_close_matches(name, sorted(known), n=3, cutoff=0.6)
    return f"did you mean {' or '.join(map(repr, near))}?" if near else ""


def near_files(path: str) -> str:
    """A question that offers the files with names close to one that is not there, or nothing; begins with ``; ``."""
    from pathlib import Path  # noqa: PLC0415 - only a mistake needs it

    file = Path(path)
    try:
        near = "" if file.exists() else near_names(file.name, [other.name for other in file.parent.iterdir()])
    except OSError:
        return ""
    return f"; {near}" if near else ""
