"""`budget.retries`: its forms, and what they mean together with the rest of the study."""

from __future__ import annotations

from typing import Any

import pytest

from kftune import Choice, Hparam, Hparams, IntUniform
from kftune.errors import StudyError
from kftune.study import OutOfMemory, RetryBudget, Study, study_from_dict


class Loader(Hparams):
    """A group."""

    batch_size: int = Hparam(32, search=Choice(16, 32, 64))
    """Samples at once."""


class One(Hparams):
    """One batch size, in a group."""

    loader: Loader = Loader()
    width: int = Hparam(8, search=IntUniform(4, 64))
    """Width."""


class Two(Hparams):
    """Two batch sizes."""

    train: Loader = Loader()
    test: Loader = Loader()


def study(retries: Any = None, hparams: type[Hparams] = One, **parts: Any) -> Study:
    data: dict[str, Any] = {
        "name": "r",
        "hparams": hparams,
        "objective": {"metric": "loss", "direction": "minimize"},
        "step": {"command": ["train"], **parts.pop("step", {})},
        "budget": {} if retries is None else {"retries": retries},
        **parts,
    }
    return Study(**data)


def test_null_switches_them_off_as_if_none_were_written():
    written = study({"failed": 2})
    off = Study(**{**written.model_dump(exclude_unset=True), "hparams": One, "budget": {"retries": None}})
    assert (off.retry_limits, off.budget) == ((0, 0, 0, ""), study().budget)
    assert off.identity() == study().identity()


@pytest.mark.parametrize(
    ("retries", "limits"),
    [
        (None, (0, 0, 0, "")),
        ({}, (0, 0, 0, "")),
        ({"failed": 1, "lost": 2, "out_of_memory": 3}, (1, 2, 3, "")),
        ({"out_of_memory": {"retries": 2}}, (0, 0, 2, "")),
        ({"out_of_memory": "smaller"}, (0, 0, 3, "loader.batch_size")),
        ({"out_of_memory": {"halve": "loader.batch_size"}}, (0, 0, 3, "loader.batch_size")),
        ({"out_of_memory": {"halve": "width", "retries": 9}}, (0, 0, 9, "width")),
        (RetryBudget(out_of_memory=OutOfMemory(halve="width")), (0, 0, 3, "width")),
    ],
)
def test_each_form_sets_the_limits_that_it_says(retries: Any, limits: tuple[object, ...]):
    assert study(retries).retry_limits == limits


@pytest.mark.parametrize(
    ("retries", "preemption", "lost"),
    [
        (None, {"retries": 3}, 3),
        ({"failed": 1}, {"retries": 3}, 3),
        ({"lost": 2}, {}, 2),
        ({"lost": 2}, {"spot": True}, 2),
        ({"lost": 2}, {"retries": 2}, 2),
        ({"lost": 0}, {"retries": 0}, 0),
    ],
)
def test_either_key_says_how_often_lost_trials_run_again(retries: Any, preemption: dict[str, Any], lost: int):
    assert study(retries, step={"preemption": preemption}).retry_limits.lost == lost


@pytest.mark.parametrize("retries", [{"lost": 1}, {"lost": 0}])
def test_two_keys_that_differ_are_refused(retries: Any):
    with pytest.raises(StudyError, match=r"mean the same, but are [01] and 2; remove one of them"):
        study(retries, step={"preemption": {"retries": 2}})


def test_a_name_that_two_groups_have_is_refused_with_both():
    with pytest.raises(StudyError, match=r"may be train.batch_size or test.batch_size; write halve: train.batch_size"):
        study({"out_of_memory": "smaller"}, Two)


@pytest.mark.parametrize("retries", [{"failed": 1}, {"out_of_memory": {"halve": "loader.batch_size"}}, None])
def test_a_study_that_is_written_and_read_again_has_the_same_limits(retries: Any):
    first = study(retries)
    again = study_from_dict({**first.to_dict(), "hparams": One})
    assert again.retry_limits == first.retry_limits
    assert again.identity() == first.identity() == study().identity()
