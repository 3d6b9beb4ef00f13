"""Which domains go to Katib as they are, which in disguise, and that the trial gets what the domain promises."""

from __future__ import annotations

import json
import math
import random
import re
from bisect import bisect_right
from itertools import product

import pytest
from domain_examples import DOMAINS
from hypothesis import given
from hypothesis import strategies as st
from places import DATA
from render_examples import ALGORITHMS, ENCODINGS, VERSIONS, Loose, container_of, make_study, parameters_of, study_of

from kftune.domains import (
    Choice,
    Conditional,
    Discrete,
    IntUniform,
    LogNormal,
    LogUniform,
    Normal,
    Ordinal,
    QLogNormal,
    QLogUniform,
    QNormal,
    QUniform,
    ReverseLogUniform,
    Uniform,
    same,
)
from kftune.errors import DomainError, RenderError, StudyError
from kftune.katib.engines.faithful import Feasible, engine_of, native, number_text
from kftune.render import render

PLAIN_DECIMAL = re.compile(r"-?\d+(\.\d+)?")

# One domain of every sort that an engine might treat in a way of its own.
EXAMPLES = {
    "uniform": Uniform(-1, 2),
    "uniform 0..1": Uniform(0, 1),
    "loguniform": LogUniform(1e-4, 1e-2),
    "loguniform tiny": LogUniform(1e-12, 1e-2),
    "reverse log": ReverseLogUniform(0.9, 0.999),
    "quniform 11": QUniform(0, 1, 0.1),
    "quniform 41": QUniform(0, 2, 0.05),
    "quniform off": QUniform(0.01, 0.05, 0.02),
    "qloguniform": QLogUniform(1, 100, 1),
    "int 5": IntUniform(1, 5),
    "int 2": IntUniform(0, 1),
    "int 100": IntUniform(1, 100),
    "int step": IntUniform(0, 1000, step=10),
    "int step off": IntUniform(1, 1000, step=10),
    "int log": IntUniform(1, 1000, log=True),
    "int log far": IntUniform(16, 512, log=True),
    "int log step": IntUniform(16, 512, step=8, log=True),
    "int huge": IntUniform(0, 10**17),
    "normal": Normal(0, 1),
    "normal cut": Normal(0, 1, low=-1),
    "lognormal": LogNormal(0, 1),
    "lognormal cut": LogNormal(0, 1, high=2),
    "qnormal": QNormal(0, 1, 0.5, low=-2, high=2),
    "qlognormal": QLogNormal(0, 1, 0.5, high=4),
    "choice": Choice("a", "b b"),
    "weighted": Choice("a", "b", weights=[1, 3]),
    "ordinal": Ordinal("small", "large"),
    "discrete": Discrete(1, 2.5, 8),
    "conditional": Conditional(LogUniform(1e-3, 1), {"optimizer": "sgd"}),
    "conditional choice": Conditional(Choice("a", "b"), {"optimizer": "sgd"}),
    "conditional constant": Conditional(Choice(0.9), {"optimizer": "sgd"}),
}

# What auto makes of each, without those above that every engine treats alike: n native, l list, s surrogate.
TABLE = """
                 random grid tpe multivariate-tpe bayesianoptimization sobol hyperband pbt
uniform          n      -    n   n                s                    n     n         s
loguniform       n      -    n   n                n                    s     s         s
loguniform_tiny  n      -    n   s                n                    s     s         s
reverse_log      s      -    s   s                s                    s     s         s
quniform_11      l      l    s   n                s                    l     l         s
quniform_41      n      l    n   n                s                    l     l         s
quniform_off     l      l    s   n                s                    l     l         s
qloguniform      s      s    s   s                s                    s     s         s
int_5            l      n    s   n                s                    l     l         s
int_2            n      n    n   n                n                    l     n         s
int_100          n      n    n   n                n                    s     n         s
int_step         n      n    n   n                s                    s     s         s
int_step_off     s      n    s   n                s                    s     s         s
int_log          s      n    s   n                s                    s     s         s
int_log_far      n      n    n   n                s                    s     s         s
int_log_step     s      n    s   s                s                    s     s         s
int_huge         s      -    s   s                s                    s     s         s
normal           n      -    n   s                s                    s     s         s
normal_cut       s      -    s   s                s                    s     s         s
lognormal        n      -    n   s                s                    s     s         s
lognormal_cut    s      -    s   s                s                    s     s         s
qnormal          s      l    s   s                s                    s     s         s
qlognormal       s      l    s   s                s                    s     s         s
choice           n      n    n   n                n                    n     n         n
weighted         s      l    s   s                s                    s     s         s
ordinal          n      n    n   n                n                    n     n         n
discrete         n      n    n   n                n                    n     n         n
conditional      s      -    s   s                s                    s     s         s
conditional_choice s    s    s   s                s                    s     s         s
"""


def table():
    lines = TABLE.strip().splitlines()
    algorithms = lines[0].split()
    for line in lines[1:]:
        name, *forms = line.split()
        yield from (
            (algorithm, name.replace("_", " "), form) for algorithm, form in zip(algorithms, forms, strict=True)
        )


def form_of(experiment, name="x"):
    """How a hyperparameter went out: native, list or surrogate."""
    if f"--{name}=kftune:" in container_of(experiment)["args"][0]:
        return "s"
    listed = "list" in parameters_of(experiment)[name]["feasibleSpace"]
    return "l" if listed else "n"


@pytest.mark.parametrize(("algorithm", "name", "form"), list(table()))
def test_a_domain_goes_out_as_it_is_where_the_engine_is_faithful_and_in_disguise_elsewhere(algorithm, name, form):
    domain = EXAMPLES[name]
    if form == "-":
        with pytest.raises(StudyError, match=r"a grid needs finitely many points|a grid tries every point"):
            study_of({"x": domain}, algorithm)
        return
    rendering = render(study_of({"x": domain}, algorithm))
    expected = "l" if isinstance(domain, (Choice, Ordinal, Discrete)) and form == "n" else form
    assert form_of(rendering.documents[0]) == expected
    about = [note for note in rendering.notes if note.startswith(("x is encoded as a ", "x is rendered as a "))]
    assert len(about) == (form in "sl"), "a note says what is encoded, and why"


@pytest.mark.parametrize(("algorithm", "name", "form"), list(table()))
def test_native_encoding_refuses_exactly_what_would_need_a_disguise(algorithm, name, form):
    if form == "-":
        return
    study = study_of({"x": EXAMPLES[name]}, algorithm, encoding="native")
    if form != "s":
        assert render(study).documents == render(study_of({"x": EXAMPLES[name]}, algorithm)).documents
        return
    with pytest.raises(RenderError) as caught:
        render(study)
    text = str(caught.value)
    assert text.startswith(f"x: {algorithm} of Katib 0.19 cannot take {EXAMPLES[name]!r} as it is: ")
    assert "set targets.katib.encoding to auto" in text
    advised = text.partition("or the algorithm to ")[2]
    if advised:
        assert form_of(render(study_of({"x": EXAMPLES[name]}, advised, encoding="native")).documents[0]) != "s"


def test_katib_main_draws_doubles_of_bayesianoptimization_evenly():
    forms = {
        version: form_of(render(study_of({"x": Uniform(0, 1)}, "bayesianoptimization", version=version)).documents[0])
        for version in VERSIONS
    }
    assert forms == {"0.18": "s", "0.19": "s", "main": "n"}


def test_cmaes_takes_numbers_as_they_are_only_where_all_ranges_are_equally_wide():
    def forms(**domains):
        experiment = render(study_of(domains, "cmaes")).documents[0]
        return [form_of(experiment, name) for name in domains]

    assert forms(x=Uniform(0, 1), y=Uniform(1, 2)) == ["n", "n"]
    assert forms(x=Uniform(0, 0.1), y=Uniform(0.2, 0.3), z=Choice("a", "b")) == ["n", "n", "l"]
    assert forms(x=Uniform(0, 1), y=Uniform(0, 20)) == ["s", "s"]
    assert forms(x=Uniform(0, 1), y=LogUniform(0.1, 1)) == ["s", "s"]
    assert forms(x=IntUniform(0, 50), y=Uniform(0, 50)) == ["n", "n"]
    assert forms(x=IntUniform(1, 3), y=Uniform(0, 2)) == ["s", "s"]


def test_cmaes_with_native_encoding_refuses_ranges_of_different_width():
    with pytest.raises(
        RenderError, match=r"x: cmaes of Katib 0.19 cannot take Uniform.* one spread.*algorithm to random"
    ):
        render(study_of({"x": Uniform(0, 1), "y": Uniform(0, 20)}, "cmaes", encoding="native"))


def test_cmaes_needs_two_numbers():
    with pytest.raises(
        RenderError, match=r"cmaes of Katib 0.19 searches two or more numbers.* are numbers: y;.*multivar"
    ):
        render(study_of({"x": Choice("a", "b"), "y": Uniform(0, 1)}, "cmaes"))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_one_value_is_no_parameter_but_an_argument(algorithm):
    domains = {"x": Choice("only $one"), "y": IntUniform(0, 2), "z": IntUniform(1, 30)}
    experiment = render(study_of(domains, algorithm)).documents[0]
    assert "x" not in parameters_of(experiment)
    assert "'--x=\"only $$one\"'" in container_of(experiment)["args"][0]


def test_one_value_under_a_condition_is_decided_in_the_trial():
    study = study_of({"x": EXAMPLES["conditional constant"], "y": Uniform(0, 1)})
    experiment = render(study).documents[0]
    assert list(parameters_of(experiment)) == ["y"]
    token = next(part for part in container_of(experiment)["args"][0].split() if part.startswith("--x="))
    assert Loose.from_args([token, "--optimizer=sgd"]).x == 0.9
    assert Loose.from_args([token, "--optimizer=adam"]).x is None


def test_nothing_but_single_values_is_refused():
    with pytest.raises(RenderError, match="Katib needs something to search, but x, y can take one value only"):
        render(study_of({"x": Choice(1), "y": IntUniform(3, 3)}))


# -- every combination -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_combination_renders_or_names_what_does_not_work(algorithm):
    rendered = 0
    for (name, domain), version, encoding in product(EXAMPLES.items(), VERSIONS, ENCODINGS):
        domains = {"x": domain, **({"y": Uniform(0, 1)} if algorithm == "cmaes" else {})}
        try:
            study = study_of(domains, algorithm, version=version, encoding=encoding)
        except StudyError:
            assert algorithm == "grid"
            assert domain.size > 10**9, name
            continue
        found = rendered_or_refused(study)
        if isinstance(found, RenderError):
            assert re.search(r"\b[xy]\b", str(found))
            assert f"{algorithm} of Katib {version}" in str(found) or "needs something to search" in str(found)
            continue
        rendered += 1
        check_texts(found)
    assert rendered > 80


def rendered_or_refused(study):
    try:
        return render(study).documents[0]
    except RenderError as error:
        return error


def check_texts(experiment):
    """Katib decodes all of these as strings; a number in one of them is an error of the API server."""
    for setting in experiment["spec"]["algorithm"].get("algorithmSettings", []):
        assert [type(text) for text in setting.values()] == [str, str]
    for parameter in experiment["spec"]["parameters"]:
        space = parameter["feasibleSpace"]
        assert parameter["parameterType"] in ("double", "int", "discrete", "categorical")
        assert set(space) <= {"min", "max", "step", "list", "distribution"}
        for text in space.get("list", []):
            # A "~" within a word, as percent-encoding leaves it, means nothing to a shell.
            assert isinstance(text, str)
            assert re.fullmatch(r"[A-Za-z0-9_.,:+/@%^~-]+", text)
        for key in ("min", "max", "step"):
            if key in space:
                assert PLAIN_DECIMAL.fullmatch(space[key])
                assert parameter["parameterType"] == "double" or "." not in space[key]
        if "min" in space:
            assert float(space["min"]) < float(space["max"])
            width = float(space["max"]) - float(space["min"])
            assert 0 < float(space.get("step", width)) <= width * (1 + 1e-9)


@given(DOMAINS, st.sampled_from(ALGORITHMS), st.sampled_from(VERSIONS), st.sampled_from(ENCODINGS))
def test_any_domain_renders_or_is_refused(domain, algorithm, version, encoding):
    if isinstance(domain, Conditional):
        domain = Conditional(domain.domain, {"optimizer": ("a", "b")})
    domains = {"x": domain, "y": Uniform(0, 1), "z": IntUniform(0, 100)}
    if algorithm == "grid":
        del domains["y"]
    try:
        study = study_of(domains, algorithm, version=version, encoding=encoding)
    except StudyError:
        return
    found = rendered_or_refused(study)
    if not isinstance(found, RenderError):
        check_texts(found)
        assert found == render(study).documents[0]


# -- what Katib's engines did ------------------------------------------------------------------------------------------


def recorded():
    for line in (DATA / "katib_engine_ranges.jsonl").read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def domain_of(kind, distribution, low, high, step):
    """The domain that a feasibleSpace looks like."""
    if kind == "int":
        return IntUniform(int(low), int(high), int(step or 1), log=distribution == "logUniform")
    bounds = (float(low), float(high))
    if distribution == "logUniform":
        return LogUniform(*bounds) if step is None else QLogUniform(*bounds, float(step))
    return Uniform(*bounds) if step is None else QUniform(*bounds, float(step))


def test_no_range_that_goes_out_as_it_is_was_seen_to_hang_or_to_be_drawn_wrongly():
    outcomes = []
    for algorithm, kind, distribution, low, high, step, outcome in recorded():
        if isinstance(low, list):
            continue
        try:
            domain = domain_of(kind, distribution, low, high, step)
        except (DomainError, ValueError):
            continue
        found = native(domain, engine_of(algorithm, "0.19"))
        if isinstance(found, Feasible):
            outcomes.append((outcome, algorithm, domain))
    assert len(outcomes) > 140
    assert [case for case in outcomes if case[0] != "ok"] == []


def test_no_list_that_goes_out_was_seen_to_hang_or_to_be_drawn_wrongly():
    checked = 0
    for algorithm, kind, _, options, _, _, outcome in recorded():
        if isinstance(options, list) and not (algorithm == "hyperband" and kind == "discrete"):
            assert outcome == "ok"
            checked += 1
    assert checked > 200
    experiment = render(study_of({"x": Discrete(0.1, 0.2)}, "hyperband")).documents[0]
    assert parameters_of(experiment)["x"]["parameterType"] == "categorical"


# -- equal distributions -----------------------------------------------------------------------------------------------

SURROGATES = {algorithm: engine_of(algorithm, "0.19") for algorithm in ALGORITHMS}


def engine_draws(parameter, count, rng):
    """Texts as an engine that draws the surrogate evenly sends them."""
    space = parameter["feasibleSpace"]
    if parameter["parameterType"] == "int":
        return [str(rng.randint(int(space["min"]), int(space["max"]))) for _ in range(count)]
    if "step" in space:
        return [repr(rng.randint(0, 10000) * float(space["step"])) for _ in range(count)]
    return [repr(rng.random()) for _ in range(count)]


@pytest.mark.parametrize("algorithm", ["random", "grid", "bayesianoptimization", "pbt"])
@pytest.mark.parametrize("name", [name for name in EXAMPLES if name != "conditional constant"])
def test_values_out_of_surrogates_are_distributed_as_the_domain_says(algorithm, name):
    domain = EXAMPLES[name]
    if algorithm == "grid" and (math.isinf(domain.size) or domain.size > 1000):
        return
    experiment = render(study_of({"x": domain, "y": Choice("a", "b")}, algorithm, encoding="surrogate")).documents[0]
    if form_of(experiment) != "s":
        assert isinstance(domain, (Choice, Ordinal, Discrete)) or algorithm == "grid"
        return
    token = next(part for part in container_of(experiment)["args"][0].split() if part.startswith("--x="))
    rng = random.Random(20)
    if algorithm == "grid":
        texts = [str(index) for index in range(int(domain.size))]
    else:
        texts = engine_draws(parameters_of(experiment)["x"], 1500, rng)
    received = [Loose.from_args([token.replace("${trialParameters.x}", text), "--optimizer=sgd"]).x for text in texts]
    assert all(domain.contains(value) for value in received)
    if algorithm == "grid":
        assert received == list(domain.grid())
        return
    points = [domain.sample(rng) for _ in range(20_000)]
    if isinstance(points[0], str):
        points, received = ([list("ab").index(value) for value in values] for values in (points, received))
    step = 1e-4 if algorithm == "pbt" else 0
    assert largest_gap(received, points) < 1.95 / math.sqrt(1500) + step


def largest_gap(some, others):
    """Kolmogorov-Smirnov's distance: how far the two empirical distribution functions are apart."""
    some, others = sorted(some), sorted(others)
    return max(
        abs(bisect_right(some, value) / len(some) - bisect_right(others, value) / len(others))
        for value in (*some, *others)
    )


def test_a_normal_domain_keeps_mean_and_deviation_as_hyperopt_computes_them():
    for domain in (Normal(0.3, 0.07), Normal(-1e6, 1e-3), LogNormal(-7.5, 0.8)):
        found = native(domain, engine_of("random", "0.19"))
        assert isinstance(found, Feasible)
        low, high = float(found.space["min"]), float(found.space["max"])
        if isinstance(domain, LogNormal):
            low, high = math.log(low), math.log(high)
        assert math.isclose((low + high) / 2, domain.mean, rel_tol=1e-12)
        assert math.isclose((high - low) / 6, domain.std, rel_tol=1e-6)


@given(st.integers(-(10**6), 10**6), st.integers(3, 400), st.integers(1, 50))
def test_an_integer_range_goes_out_as_it_is_only_if_no_value_is_far_off(low, size, step):
    domain = IntUniform(low * step, low * step + (size - 1) * step, step)
    found = native(domain, engine_of("random", "0.19"))
    off = 1 / size - 1 / (2 * (size - 1))
    assert isinstance(found, Feasible) == (off <= 0.025)
    if isinstance(found, Feasible):
        assert int(found.space["max"]) == domain.quantile(1.0)


# -- numbers -----------------------------------------------------------------------------------------------------------


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_of_a_number_is_a_plain_decimal_that_reads_back(number):
    text = number_text(number)
    assert PLAIN_DECIMAL.fullmatch(text)
    assert same(float(text), number + 0.0)


@pytest.mark.parametrize(
    ("number", "text"), [(1e-5, "0.00001"), (10.0, "10"), (1e22, "1" + "0" * 22), (-0.0, "0"), (0.1, "0.1")]
)
def test_numbers_read_as_people_write_them(number, text):
    assert number_text(number) == text


def test_a_study_of_each_encoding_runs_the_same_command_apart_from_the_disguise():
    commands = {
        encoding: container_of(render(make_study(katib={"encoding": encoding})).documents[0])["args"][0]
        for encoding in ENCODINGS
    }
    assert (
        commands["auto"]
        == commands["native"]
        == ("train --lr=${trialParameters.lr} --units=${trialParameters.units} --dropout=${trialParameters.dropout}")
    )
    assert re.sub(r"kftune:quantile:[^:]+:", "", commands["surrogate"]) == commands["auto"]
