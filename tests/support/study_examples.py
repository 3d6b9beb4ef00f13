"""A class with every kind of hyperparameter that a study can search, and a study of it."""

from __future__ import annotations

from typing import Any, Literal

from kftune import Choice, Conditional, Hparam, Hparams, IntUniform, LogUniform, Study, Uniform, study


class Optimizer(Hparams):
    lr: float = Hparam(0.1, gt=0, search=LogUniform(1e-3, 1))
    momentum: float = Hparam(0.9, ge=0, lt=1)


class Warmup(Hparams):
    steps: int = Hparam(10, ge=0, search=IntUniform(0, 100))
    needed: str


class Toy(Hparams):
    kind: Literal["adam", "sgd"] = Hparam("adam", search=Choice("adam", "sgd"))
    momentum: float | None = Hparam(None, ge=0, lt=1, search=Conditional(Uniform(0, 0.99), {"kind": "sgd"}))
    optimizer: Optimizer = Optimizer()
    warmup: Warmup | None = None
    units: int = Hparam(64, ge=1)
    note: str = ""
    tags: list[str] = Hparam(default_factory=list)
    table: dict[str, Any] = Hparam(default_factory=dict)


def data(**changes: Any) -> dict[str, Any]:
    """Returns a study in the form of a study file, with changed sections; a section that is None is omitted."""
    whole = {
        "name": "toy",
        "hparams": "study_examples:Toy",
        "objective": {"metric": "val_loss", "direction": "minimize"},
        "step": {"command": ["python", "train.py"], "image": "registry.example/toy:1"},
        **changes,
    }
    return {key: value for key, value in whole.items() if value is not None}


def toy(**changes: Any) -> Study:
    return study.study_from_dict(data(**changes))
