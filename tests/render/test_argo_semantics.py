"""A rendered pipeline does what its plan says: each pod gets the argv and artifacts that the plan gives its step."""

from __future__ import annotations

import pytest
from argo_examples import EXAMPLES
from argo_twice import compare_pods


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name != "tuned"])
def test_pods_get_what_the_plan_gives_their_steps(name):
    pipeline = EXAMPLES[name]()
    counts = {compare_pods(pipeline, seed) for seed in range(60)}
    assert min(counts) > 0
    if name in ("choices", "loops", "loop-after-a-choice"):
        assert len(counts) > 1
