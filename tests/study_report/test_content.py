"""What a report knows of a study."""

from __future__ import annotations

import pytest
from report_studies import recorded

from kftune.study_report.content import lanes
from kftune.study_report.parameters import parameters


@pytest.mark.parametrize(
    ("spec", "values", "is_log"),
    [
        ({"loguniform": [1, 2]}, [1.0, 2.0], True),
        ({"int": [1, 1000], "log": True}, [1, 2], True),
        ({"uniform": [0, 1]}, [1e-9, 1.0], False),
        ({"int": [1, 1000]}, [1, 1000], False),
        ({"loguniform": [1e-5, 1e-1], "when": {"a": [1]}}, [1e-5, 1e-1], True),
        ({}, [1e-9, 1.0], True),
        ({}, [1.0, 2.0], False),
        ({"domain_of_a_plug_in": 3}, [1e-9, 1.0], True),
    ],
)
def test_the_scale_is_that_of_the_domain_or_of_the_values_where_none_is_known(spec, values, is_log):
    results = recorded([{"x": value} for value in values], [1.0] * 2, space={"x": spec})
    (found,) = parameters(results.meta, results.trials())
    assert (found.is_number, found.is_log) == (True, is_log)


def test_a_hyperparameter_with_a_text_among_its_values_is_a_category():
    results = recorded([{"x": 1}, {"x": "auto"}, {"x": True}, {}], [1.0] * 4)
    (found,) = parameters(results.meta, results.trials())
    assert (found.categories, found.values) == (["1", "auto", "true"], ["1", "auto", "true", None])


def test_a_trial_is_in_the_lowest_lane_that_is_free():
    spans = [(0.0, 5.0), (1.0, 2.0), (None, None), (2.0, 9.0), (3.0, None), (6.0, 7.0)]
    assert lanes(spans) == [0, 1, None, 1, 2, 0]
