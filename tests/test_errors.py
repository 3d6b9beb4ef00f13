"""Errors: one tree, texts that say what to do, and nothing lost between processes."""

from __future__ import annotations

import copy
import pickle
import re

import pytest
from places import ROOT

from kftune import errors
from kftune.errors import (
    ClusterError,
    CommitError,
    ConfigurationError,
    ConfinedError,
    ContainerError,
    DataLoaderError,
    DomainError,
    ExperimentFailedError,
    ExpressionError,
    ForeignFileError,
    HparamsError,
    KatibError,
    KftuneError,
    LostEndError,
    MetricError,
    MissingExtraError,
    ModelCreationError,
    ModelRegistryError,
    NotImportedError,
    OutputError,
    PipelineError,
    ProjectError,
    ReadingStoppedError,
    RegistryError,
    RenderError,
    RunError,
    SettingError,
    StoreError,
    StudyError,
    StudyFailedError,
    UnknownNameError,
    UsageError,
    YamlError,
)
from kftune.spec.part import PartError

SOURCE = ROOT / "src" / "kftune"

MADE = [
    DomainError("low < high"),
    HparamsError("lr: must be above 0"),
    UnknownNameError("domain", "unifrm", ("uniform", "normal")),
    RegistryError("no such module"),
    NotImportedError("net", "no literal"),
    OutputError("the pipe is closed"),
    LostEndError("the end of a trial is lost", "runs/net"),
    YamlError("no key", "study.yaml", 3, 7),
    StudyError("no name", "study.yaml", 1, 1),
    StudyError("no name"),
    ForeignFileError("no sweep", "sweep.yaml", 3),
    PipelineError("no steps", "pipeline.yaml", 1, 1),
    ProjectError("no studies", "project.yaml", 1, 1),
    PartError("no name", ("step", "name")),
    PartError("no key", ("step", "nam"), at_key=True),
    MetricError("no space"),
    RenderError("no such kind"),
    KatibError("Katib stops here"),
    ExpressionError("no comparison"),
    SettingError("no number", 2, at_name=True),
    StoreError("locked", "/runs/x"),
    CommitError("the branch exists"),
    ConfinedError("the path leads out"),
    ReadingStoppedError("the user wants an end"),
    RunError("no GPU"),
    ConfigurationError("no experiments", "list.yaml", 1, 1),
    ExperimentFailedError("one of three"),
    ModelCreationError("no such size"),
    DataLoaderError("no such split"),
    ContainerError("no engine answers"),
    ClusterError("the cluster says no", 403),
    StudyFailedError("the Experiment has failed"),
    ModelRegistryError("no such server"),
    MissingExtraError("local", "optuna"),
    UsageError("no such command"),
]


def pickled(error):
    return pickle.loads(pickle.dumps(error))  # noqa: S301  # our own bytes


@pytest.mark.parametrize("copied", [copy.copy, pickled])
@pytest.mark.parametrize("error", MADE, ids=repr)
def test_every_error_is_a_kftune_error_and_survives_pickling_and_copying(error, copied):
    assert isinstance(error, KftuneError)
    twin = copied(error)
    assert type(twin) is type(error)
    assert str(twin) == str(error)
    assert vars(twin) == vars(error)


def test_every_public_error_is_tested_here():
    public = {value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, KftuneError)}
    tried = {parent for error in MADE for parent in type(error).__mro__ if issubclass(parent, KftuneError)}
    assert {error for error in public if not error.__name__.startswith("_")} <= tried


@pytest.mark.parametrize(
    ("error", "also"),
    [
        (DomainError, ValueError),
        (HparamsError, ValueError),
        (UnknownNameError, LookupError),
        (YamlError, ValueError),
        (StudyError, ValueError),
        (ForeignFileError, ValueError),
        (PipelineError, ValueError),
        (ProjectError, ValueError),
        (MetricError, ValueError),
        (RenderError, ValueError),
        (KatibError, ValueError),
        (ExpressionError, ValueError),
        (SettingError, ValueError),
        (MissingExtraError, ImportError),
    ],
)
def test_errors_are_also_what_python_would_raise(error, also):
    assert issubclass(error, also)


def test_an_unknown_name_offers_the_near_ones():
    near = UnknownNameError("domain", "unifrm", ("uniform", "normal", "quniform"))
    assert str(near) == "unknown domain 'unifrm'; did you mean 'uniform' or 'quniform'?"


def test_an_unknown_name_without_near_ones_lists_the_known():
    assert str(UnknownNameError("class", "x", ("b", "a"))) == "unknown class 'x'; known: a, b"
    assert str(UnknownNameError("class", "x", ())) == "unknown class 'x'; there are none"


def test_a_long_list_of_known_names_is_cut():
    text = str(UnknownNameError("class", "x", [f"name{number:02}" for number in range(30)]))
    assert text.endswith("name18, name19, …")
    assert "name20" not in text


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (("study.yaml", 3, 7), "study.yaml:3:7: no key"),
        (("study.yaml", 3), "study.yaml:3: no key"),
        (("study.yaml",), "study.yaml: no key"),
        ((), "no key"),
    ],
)
def test_a_placed_error_starts_with_its_place_as_editors_read_it(place, text):
    assert str(YamlError("no key", *place)) == str(StudyError("no key", *place)) == text


def test_a_store_error_names_the_path():
    assert str(StoreError("locked by process 5", "/runs/x")) == "/runs/x: locked by process 5"


def test_a_missing_extra_says_how_to_install_it():
    assert str(MissingExtraError("local", "optuna")) == (
        "this needs the package 'optuna'; install it with: pip install 'kftune[local]'"
    )


def test_only_the_module_of_errors_has_direct_subclasses_of_the_root():
    declared = [
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if re.search(r"^ *class \w+\((?:\w+, *)*KftuneError\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert declared == ["errors.py"]
