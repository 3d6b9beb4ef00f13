"""A rendered pipeline does what its plan says: each pod gets the argv and artifacts that the plan gives its step."""

from __future__ import annotations

import pytest
from argo_examples import EXAMPLES
from argo_twice import compare_pods


def counts_of(name):
    """The numbers of pods in runs with different values."""
    pipeline = EXAMPLES[name]()
    return {compare_pods(pipeline, seed) for seed in range(60)}


_CHANGING = ("choices", "loops", "loop-after-a-choice")


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name not in ("tuned", *_CHANGING)])
def test_pods_get_what_the_plan_gives_their_steps(name):
    assert min(counts_of(name)) > 0


@pytest.mark.parametrize("name", _CHANGING)
def test_the_number_of_pods_follows_from_the_values_of_a_run(name):
    counts = counts_of(name)
    assert min(counts) > 0
    assert len(counts) > 1
