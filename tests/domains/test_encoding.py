"""Encoded values: each text and each value of a domain comes back unchanged, also through a shell."""

from __future__ import annotations

import contextlib
import json
import math
import subprocess
from urllib.parse import quote

import pytest
from domain_examples import DOMAINS
from hypothesis import assume, given
from hypothesis import strategies as st

from kftune.domains import Choice, Conditional, LogUniform, QUniform, Uniform, encoding, same
from kftune.domains.encoding import DomainValue, decode, encode_text, encode_value, is_safe
from kftune.errors import DomainError

# What Katib's substitution, a shell or a YAML reader gives a special meaning.
SIGNIFICANT = "$`\"'\\ \t\n\r{}[]()<>|&;*?!#~=\0\x85\u2028\ufeffé"


def drawn(text: str) -> DomainValue:
    found = decode(text)
    assert isinstance(found, DomainValue)
    return found


@given(st.text())
def test_an_encoded_text_is_safe_but_for_its_prefix_and_comes_back(text):
    encoded = encode_text(text)
    assert decode(encoded) == text
    assert encoded.startswith(encoding.PREFIX)
    assert is_safe(encoded.removeprefix(encoding.PREFIX))


@given(st.text())
def test_a_text_without_the_prefix_decodes_to_itself(text):
    assume(not text.startswith(encoding.PREFIX))
    assert decode(text) == text


@given(st.text(), st.sampled_from(SIGNIFICANT), st.text())
def test_no_text_with_a_significant_character_is_safe(before, character, after):
    assert not is_safe(before + character + after)


def test_safe_texts_are_what_a_shell_passes_on_unquoted():
    safe = [chr(code) for code in range(0x500) if is_safe(chr(code))]
    words = [*safe, *(f"{character}{character}x{character}" for character in safe)]
    shown = subprocess.run(["sh", "-c", f"printf '%s\\n' {' '.join(words)}"], capture_output=True, check=True)
    assert shown.stdout.decode().splitlines() == words
    assert len(safe) > 62


@pytest.mark.parametrize("text", ["0.001", "1e-05", "-3", "adam", "a/b:c@d+e%f^g_h,i-j.k", "true"])
def test_ordinary_values_are_safe(text):
    assert is_safe(text)


@pytest.mark.parametrize("text", ["", "kftune:text:a", "kftune:", "a b", "a=b", "é", "${trialParameters.lr}", "a\n"])
def test_empty_encoded_and_significant_texts_are_not_safe(text):
    assert not is_safe(text)


@given(DOMAINS, st.floats(0, 1))
def test_an_encoded_quantile_decodes_to_the_quantile_of_the_domain(domain, u):
    found = drawn(encode_value("quantile", domain, repr(u)))
    assert found.domain == domain
    assert same(found.value, domain.quantile(u))


@given(DOMAINS, st.integers(0, 999_999))
def test_an_encoded_millionth_decodes_to_the_middle_of_that_millionth(domain, number):
    found = drawn(encode_value("millionth", domain, str(number)))
    assert same(found.value, domain.quantile((number + 0.5) / 1e6))


@given(DOMAINS, st.data())
def test_an_encoded_index_decodes_to_that_point_of_the_grid(domain, data):
    assume(domain.size <= 1000)
    number = data.draw(st.integers(0, domain.size - 1))
    found = drawn(encode_value("index", domain, str(number)))
    assert same(found.value, domain.grid()[number])


@given(DOMAINS, st.sampled_from(["quantile", "millionth", "index"]))
def test_an_encoded_placeholder_is_safe_apart_from_the_placeholder(domain, mode):
    before, placeholder, after = encode_value(mode, domain, "${trialParameters.lr}").partition("${trialParameters.lr}")
    assert is_safe(before.removeprefix(encoding.PREFIX))
    assert placeholder
    assert after == ""


def test_the_domain_travels_readably():
    text = encode_value("quantile", LogUniform(1e-4, 1e-2), "0.5")
    assert text == "kftune:quantile:%7B%22loguniform%22%3A%5B0.0001,0.01%5D%7D:0.5"
    assert drawn(text).value == pytest.approx(1e-3)


def test_a_condition_travels_with_its_domain():
    domain = Conditional(Uniform(0, 1), {"optimizer": "sgd"})
    assert decode(encode_value("quantile", domain, "0.25")) == DomainValue(domain, 0.25)


UNIFORM = quote(json.dumps({"uniform": [0, 1]}))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("kftune:", "an encoded value is kftune:text|quantile|millionth|index:…, but got 'kftune:'"),
        ("kftune:txt:a", "an encoded value is"),
        ("kftune:quantile", "an encoded value is"),
        ("kftune:quantile:0.5", "an encoded value is"),
        (f"kftune:quantile:{UNIFORM}", "an encoded value is"),
        (f"kftune:quantile:{UNIFORM}:", "an encoded value is"),
        (f"kftune:Quantile:{UNIFORM}:0.5", "an encoded value is"),
        (f"kftune:quantile:{UNIFORM}:x", "cannot decode"),
        (f"kftune:quantile:{UNIFORM}:1.5", "a quantile must be from 0 to 1, but got 1.5"),
        (f"kftune:quantile:{UNIFORM}:-0.1", "a quantile must be from 0 to 1, but got -0.1"),
        (f"kftune:quantile:{UNIFORM}:nan", "a quantile must be from 0 to 1, but got nan"),
        (f"kftune:quantile:{UNIFORM}:inf", "a quantile must be from 0 to 1, but got inf"),
        (f"kftune:millionth:{UNIFORM}:1000000", "a millionth must be from 0 to 999999, but got 1000000"),
        (f"kftune:millionth:{UNIFORM}:-1", "a millionth must be from 0 to 999999, but got -1"),
        (f"kftune:millionth:{UNIFORM}:0.5", "cannot decode"),
        (f"kftune:index:{UNIFORM}:0", "a grid needs a domain with a finite number of points"),
        ("kftune:index:%7B%22choice%22:[1]%7D:1", "cannot decode"),
        ("kftune:quantile:%7B%22unifrm%22%3A[0,1]%7D:0.5", "unknown domain 'unifrm'; did you mean 'uniform'"),
        ("kftune:quantile:%7B%22uniform%22%3A[1,0]%7D:0.5", "low < high must hold"),
        ("kftune:quantile:%FF:0.5", "cannot decode"),
        ("kftune:quantile:[]:0.5", "a domain is written as one key"),
        ("kftune:quantile:${trialParameters.lr}:0.5", "cannot decode"),
        ("kftune:text:%FF", "cannot decode 'kftune:text:%FF'"),
    ],
)
def test_a_value_that_cannot_be_decoded_is_refused_with_its_text(text, problem):
    with pytest.raises(DomainError) as caught:
        decode(text)
    assert problem in str(caught.value)
    assert text in str(caught.value)


@pytest.mark.parametrize("number", ["2", "-1", "7"])
def test_an_index_outside_the_grid_is_refused(number):
    with pytest.raises(DomainError, match=f"index must be from 0 to 1, but got {number}"):
        decode(encode_value("index", Choice("a", "b"), number))


@given(st.text(), st.sampled_from(["", "text:", "quantile:", "millionth:", "index:", f"quantile:{UNIFORM}:"]))
def test_any_text_with_the_prefix_is_decoded_or_refused_by_an_error_of_kftune(text, mode):
    with contextlib.suppress(DomainError):
        decode(encoding.PREFIX + mode + text)


def test_millionths_of_a_lattice_are_distributed_evenly():
    domain = QUniform(0.1, 0.7, 0.1)
    values = [drawn(encode_value("millionth", domain, str(number))).value for number in range(500, 1_000_000, 1000)]
    assert sorted(set(values)) == list(domain.grid())
    assert max(values.count(point) for point in domain.grid()) - min(values.count(p) for p in domain.grid()) <= 1


def test_the_middle_of_a_millionth_is_never_an_end():
    unbounded = LogUniform(1e-4, 1e-2)
    ends = [drawn(encode_value("millionth", unbounded, number)).value for number in ("0", "999999")]
    assert unbounded.low < ends[0] < ends[1] < unbounded.high
    assert math.isclose(ends[0], 1e-4, rel_tol=1e-5)
