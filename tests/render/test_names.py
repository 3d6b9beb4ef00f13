"""Names of objects on a cluster."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kftune.errors import RenderError
from kftune.render.names import checked_name, object_name

DNS_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
ANY_TEXT = st.text(st.characters(), min_size=1, max_size=200)


@given(ANY_TEXT, st.integers(11, 63))
def test_any_text_gives_a_name_that_the_cluster_takes(text, longest):
    name = object_name(text, longest)
    assert DNS_1035.fullmatch(name)
    assert len(name) <= longest
    assert name == object_name(text, longest)
    assert checked_name(name, longest) == name


@given(ANY_TEXT, ANY_TEXT)
def test_different_texts_give_different_names(one, other):
    assume(one != other)
    assert object_name(one) != object_name(other)


@pytest.mark.parametrize("text", ["circuits-lstm", "a", "a1", "x" * 40])
def test_a_text_that_is_such_a_name_stays_as_it_is(text):
    assert object_name(text) == text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Circuits LSTM", "circuits-lstm-40b10598"),
        ("2024 run", "study-2024-run-5995c124"),
        ("損失", "study-a67e8505"),
        ("Modèle à été", "modele-a-ete-920071a2"),
        ("x" * 41, "x" * 31 + "-3164596d"),
    ],
)
def test_another_text_stays_readable_and_gets_a_hash_that_never_changes(text, name):
    assert object_name(text) == name


@pytest.mark.parametrize("name", ["", "Upper", "1a", "a-", "a.b", "a_b", "a\n", "x" * 41])
def test_a_chosen_name_that_the_cluster_refuses_is_refused_with_one_that_works(name):
    with pytest.raises(RenderError, match=r"targets.katib.name must be at most 40") as caught:
        checked_name(name)
    suggested = str(caught.value).rpartition("'")[0].rpartition("'")[2]
    assert checked_name(suggested) == suggested
