"""The settings of a rule as texts, as Katib has them."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stopping_examples import TRIAL_RULES, trial_rule

from kftune.earlystopping.names import ALGORITHMS, KINDS
from kftune.earlystopping.settings import rule_of, settings_of
from kftune.errors import SettingError

TEXTS = st.text(max_size=30) | st.sampled_from(
    ["1e999", "-1", "0", "nan", "[]", "{}", "null", "1_0", "٣", "true", '"1"']
)
NAMES = st.sampled_from(["interval", "slack_factor", "slack_amount", "delay", "keep", "min_resource", "above"])


@pytest.mark.parametrize("name", [name for name in TRIAL_RULES if name.split(" ")[0] in KINDS])
def test_what_is_written_as_texts_is_read_back(name):
    rule = trial_rule(name)
    spec = settings_of(rule)
    settings = [(each["name"], each["value"]) for each in spec.get("algorithmSettings", ())]
    assert all(type(value) is str for _, value in settings)
    assert rule_of(spec["algorithmName"], settings) == rule


@given(st.sampled_from(ALGORITHMS) | TEXTS, st.lists(st.tuples(NAMES | TEXTS, TEXTS), max_size=4))
def test_any_settings_give_a_rule_or_one_kind_of_error(algorithm, settings):
    with suppress(SettingError):
        assert rule_of(algorithm, settings).kind in KINDS


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ([("delay", "2"), ("slack_factor", "low")], (1, False)),
        ([("delay", "2"), ("slak", "1")], (1, True)),
        ([("delay", "2"), ("delay", "2")], (1, True)),
        ([], (None, False)),
    ],
)
def test_an_error_says_which_setting_is_wrong(settings, place):
    with pytest.raises(SettingError) as caught:
        rule_of("kftune-bandit", settings)
    assert (caught.value.setting, caught.value.at_name) == place
