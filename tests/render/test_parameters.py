"""Which domains go to Katib natively, which encoded, and that the trial gets what the domain promises."""

from __future__ import annotations

import math
import random
import re
from bisect import bisect_right
from itertools import product

import pytest
from domain_examples import DOMAINS
from hypothesis import given
from hypothesis import strategies as st
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
)
from kftune.errors import HparamsError, RenderError, StudyError
from kftune.hparams import Hparam, Hparams
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

# The form of each with encoding auto: n native, v a list as the domain is one, l a list of a
# range's values, e encoded; - a study refuses it.
TABLE = """
                 random grid tpe multivariate-tpe bayesianoptimization sobol hyperband pbt
uniform          n      -    n   n                e                    n     n         e
loguniform       n      -    n   n                n                    e     e         e
loguniform_tiny  n      -    n   e                n                    e     e         e
reverse_log      e      -    e   e                e                    e     e         e
quniform_11      l      n    e   n                e                    n     l         e
quniform_41      n      n    n   n                e                    n     l         e
quniform_off     l      n    e   n                e                    n     l         e
qloguniform      e      e    e   e                e                    e     e         e
int_5            l      n    e   n                e                    l     l         e
int_2            n      n    n   n                n                    l     n         e
int_100          n      n    n   n                n                    e     n         e
int_step         n      n    n   n                e                    e     e         e
int_step_off     e      n    e   n                e                    e     e         e
int_log          e      n    e   n                e                    e     e         e
int_log_far      n      n    n   n                e                    e     e         e
int_log_step     n      n    n   e                e                    e     e         e
int_huge         e      -    e   e                e                    e     e         e
normal           n      -    n   e                e                    e     e         e
normal_cut       e      -    e   e                e                    e     e         e
lognormal        n      -    n   e                e                    e     e         e
lognormal_cut    e      -    e   e                e                    e     e         e
qnormal          e      l    e   e                e                    e     e         e
qlognormal       e      l    e   e                e                    e     e         e
choice           v      v    v   v                v                    v     v         v
weighted         e      l    e   e                e                    e     e         e
ordinal          v      v    v   v                v                    v     v         v
discrete         v      v    v   v                v                    v     v         v
conditional      e      -    e   e                e                    e     e         e
conditional_choice e    e    e   e                e                    e     e         e
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
    """How a hyperparameter was rendered: native, as a list, or encoded."""
    if f"--{name}=kftune:" in container_of(experiment)["args"][0]:
        return "e"
    listed = "list" in parameters_of(experiment)[name]["feasibleSpace"]
    return "l" if listed else "n"


FORMS = list(table())
LEFT_OUT = [(algorithm, name) for algorithm, name, form in FORMS if form == "-"]
ENCODED = [(algorithm, name) for algorithm, name, form in FORMS if form == "e"]
NOT_ENCODED = [(algorithm, name) for algorithm, name, form in FORMS if form in "nvl"]
OF_TOKENS = ("choice", "ordinal", "weighted")  # lists of texts, which are tokens on a field of any type


@pytest.mark.parametrize(("algorithm", "name", "form"), [row for row in FORMS if row[2] != "-"])
def test_a_domain_is_native_if_the_engine_draws_it_correctly(algorithm, name, form):
    rendering = render(study_of({"x": EXAMPLES[name]}, algorithm))
    assert form_of(rendering.documents[0]) == {"v": "l"}.get(form, form)
    about = [note for note in rendering.notes if note.startswith(("x is encoded as a ", "x is rendered as a "))]
    assert len(about) == (form in "le"), "a note says which other form it has, and why"


@pytest.mark.parametrize(("algorithm", "name"), LEFT_OUT)
def test_a_study_refuses_an_endless_grid(algorithm, name):
    with pytest.raises(StudyError, match=r"a grid needs a finite number of points|a grid tries every point"):
        study_of({"x": EXAMPLES[name]}, algorithm)


@pytest.mark.parametrize(("algorithm", "name"), [each for each in NOT_ENCODED if each[1] not in OF_TOKENS])
def test_native_encoding_changes_nothing_where_no_domain_is_encoded(algorithm, name):
    documents = [
        render(study_of({"x": EXAMPLES[name]}, algorithm, encoding=encoding)).documents
        for encoding in ("auto", "native")
    ]
    assert documents[0] == documents[1]


@pytest.mark.parametrize(("algorithm", "name"), [each for each in NOT_ENCODED if each[1] in OF_TOKENS])
def test_native_encoding_refuses_values_that_only_a_token_carries(algorithm, name):
    with pytest.raises(RenderError, match=rf"^x: {algorithm} of Katib 0.19 cannot pass '\"\w+\"' as it is"):
        render(study_of({"x": EXAMPLES[name]}, algorithm, encoding="native"))


class Named(Hparams):
    """Texts and lists of their own types."""

    how: str = Hparam("sgd", search=Choice("sgd", "adam"))
    sizes: list[int] = Hparam([1])


@pytest.mark.parametrize("domain", [Choice("a b", "c"), Choice("", "c"), Choice("ä", "c"), Choice("a$b", "c")])
def test_native_encoding_takes_plain_texts_and_refuses_others(domain):
    study = make_study(hparams=Named, katib={"encoding": "native"}, algorithm={"name": "random"})
    assert parameters_of(render(study).documents[0])["how"]["feasibleSpace"]["list"] == ["sgd", "adam"]
    with pytest.raises(RenderError, match=r"how: random of Katib 0.19 cannot pass"):
        render(study.replace(search={"how": domain}))
    with pytest.raises(RenderError, match=re.escape("sizes: random of Katib 0.19 cannot pass '[1, 2]' as it is")):
        render(study.replace(search={"sizes": Choice([1, 2], [3])}))


@pytest.mark.parametrize(("algorithm", "name"), ENCODED)
def test_native_encoding_refuses_exactly_what_is_encoded(algorithm, name):
    with pytest.raises(RenderError) as caught:
        render(study_of({"x": EXAMPLES[name]}, algorithm, encoding="native"))
    text = str(caught.value)
    assert text.startswith(f"x: {algorithm} of Katib 0.19 cannot take {EXAMPLES[name]!r} as it is: ")
    assert "set targets.katib.encoding to auto" in text
    suggested = [found for found in [text.partition("or the algorithm to ")[2]] if found]
    rendered = [render(study_of({"x": EXAMPLES[name]}, other, encoding="native")).documents[0] for other in suggested]
    assert "e" not in [form_of(document) for document in rendered]


def test_katib_main_draws_doubles_of_bayesianoptimization_evenly():
    forms = {
        version: form_of(render(study_of({"x": Uniform(0, 1)}, "bayesianoptimization", version=version)).documents[0])
        for version in VERSIONS
    }
    assert forms == {"0.18": "e", "0.19": "e", "main": "n"}


def test_numbers_of_cmaes_are_native_only_if_all_ranges_are_equally_wide():
    def forms(**domains):
        experiment = render(study_of(domains, "cmaes")).documents[0]
        return [form_of(experiment, name) for name in domains]

    assert forms(x=Uniform(0, 1), y=Uniform(1, 2)) == ["n", "n"]
    assert forms(x=Uniform(0, 0.1), y=Uniform(0.2, 0.3), z=Choice("a", "b")) == ["n", "n", "l"]
    assert forms(x=Uniform(0, 1), y=Uniform(0, 20)) == ["e", "e"]
    assert forms(x=Uniform(0, 1), y=LogUniform(0.1, 1)) == ["e", "e"]
    assert forms(x=IntUniform(0, 50), y=Uniform(0, 50)) == ["n", "n"]
    assert forms(x=IntUniform(1, 3), y=Uniform(0, 2)) == ["n", "n"]
    assert forms(x=IntUniform(-5, 5, step=2), y=QUniform(-5, 5, 0.5)) == ["n", "n"]


class Bounded(Hparams):
    x: float = Hparam(0.1, ge=0.1, le=0.7, search=QUniform(0.1, 0.7, 0.1))
    y: float = Hparam(0.25, ge=0.25, le=0.75, search=QUniform(0.25, 0.75, 0.25))


@pytest.mark.parametrize("algorithm", ["random", "sobol", "cmaes", "tpe"])
def test_a_range_is_not_native_if_rounding_leads_to_a_value_that_the_field_refuses(algorithm):
    with pytest.raises(HparamsError, match=r"less than or equal to 0\.7"):
        Bounded.from_args(["--x=0.7000000000000001"])  # 0.1 + 6 * 0.1, and 7 * 0.1
    experiment = render(make_study(hparams=Bounded, algorithm={"name": algorithm})).documents[0]
    assert form_of(experiment) in "le"


def test_a_range_with_a_step_that_floats_hold_exactly_is_native():
    experiment = render(make_study(hparams=Bounded, algorithm={"name": "sobol"})).documents[0]
    assert [form_of(experiment, name) for name in "xy"] == ["l", "n"]


def test_cmaes_with_native_encoding_refuses_ranges_of_different_width():
    with pytest.raises(
        RenderError, match=r"x: cmaes of Katib 0.19 cannot take Uniform.* one deviation.*algorithm to random"
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
    further = {"y": Uniform(0, 1)} if algorithm == "cmaes" else {}
    rendered = [
        is_rendered({"x": domain, **further}, algorithm, version=version, encoding=encoding)
        for domain, version, encoding in product(EXAMPLES.values(), VERSIONS, ENCODINGS)
    ]
    assert sum(rendered) > 80


def rendered_or_refused(domains, algorithm, **fields):
    """The Experiment, or the error with which the study or the render refuses it."""
    try:
        return render(study_of(domains, algorithm, **fields)).documents[0]
    except (StudyError, RenderError) as error:
        return error


def is_rendered(domains, algorithm, **fields):
    """Whether a study is rendered; what comes out is checked."""
    found = rendered_or_refused(domains, algorithm, **fields)
    if isinstance(found, StudyError):
        assert algorithm == "grid"
        assert domains["x"].size > 10**9
    elif isinstance(found, RenderError):
        text = str(found)
        assert re.search(r"\b[xyz]\b", text)
        assert f"{algorithm} of Katib {fields['version']}" in text or "needs something to search" in text
    else:
        check_texts(found)
    return isinstance(found, dict)


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


def conditioned_on_the_optimizer(domain):
    """The domain; a condition on any other field becomes one on a field of the study."""
    return Conditional(domain.domain, {"optimizer": ("a", "b")}) if isinstance(domain, Conditional) else domain


@given(DOMAINS, st.sampled_from(ALGORITHMS), st.sampled_from(VERSIONS), st.sampled_from(ENCODINGS))
def test_any_domain_renders_or_is_refused(domain, algorithm, version, encoding):
    numbers = {"y": Uniform(0, 1), "z": IntUniform(0, 100)} if algorithm != "grid" else {"z": IntUniform(0, 100)}
    settings = {"version": version, "encoding": encoding}
    domains = {"x": conditioned_on_the_optimizer(domain), **numbers}
    found = [rendered_or_refused(domains, algorithm, **settings) for _ in range(2)]
    experiments = [each for each in found if isinstance(each, dict)]
    assert experiments[1:] == experiments[:-1]
    for experiment in experiments:
        check_texts(experiment)


# -- equal distributions -----------------------------------------------------------------------------------------------


def engine_draws(parameter, count, rng):
    """Texts as an engine that draws the parameter evenly sends them."""
    space = parameter["feasibleSpace"]
    if parameter["parameterType"] == "int":
        return [str(rng.randint(int(space["min"]), int(space["max"]))) for _ in range(count)]
    if "step" in space:
        return [repr(rng.randint(0, 10000) * float(space["step"])) for _ in range(count)]
    return [repr(rng.random()) for _ in range(count)]


LISTS = ("choice", "ordinal", "discrete", "conditional constant")
ENCODABLE = [name for name in EXAMPLES if name not in LISTS]
RANKS = {"a": 0, "b": 1}


def encoded(domain, algorithm):
    """An Experiment in which x is encoded, and the values that the trial decodes from texts."""
    experiment = render(study_of({"x": domain, "y": Choice("a", "b")}, algorithm, encoding="encoded")).documents[0]
    assert form_of(experiment) == "e"
    token = next(part for part in container_of(experiment)["args"][0].split() if part.startswith("--x="))

    def decoded(texts):
        given = [token.replace("${trialParameters.x}", text) for text in texts]
        return [Loose.from_args([text, "--optimizer=sgd"]).x for text in given]

    return experiment, decoded


@pytest.mark.parametrize(("algorithm", "step"), [("random", 0), ("bayesianoptimization", 0), ("pbt", 1e-4)])
@pytest.mark.parametrize("name", ENCODABLE)
def test_decoded_values_are_distributed_as_the_domain_says(algorithm, step, name):
    domain, rng = EXAMPLES[name], random.Random(20)
    experiment, decoded = encoded(domain, algorithm)
    received = decoded(engine_draws(parameters_of(experiment)["x"], 1500, rng))
    assert all(domain.contains(value) for value in received)
    points, values = (
        [RANKS.get(value, value) for value in found]
        for found in ([domain.sample(rng) for _ in range(20_000)], received)
    )
    assert largest_gap(values, points) < 1.95 / math.sqrt(1500) + step


@pytest.mark.parametrize("name", [name for name in ENCODABLE if EXAMPLES[name].size <= 1000])
def test_a_grid_decodes_each_value_once(name):
    domain = EXAMPLES[name]
    _, decoded = encoded(domain, "grid")
    assert decoded([str(index) for index in range(int(domain.size))]) == list(domain.grid())


def largest_gap(some, others):
    """Kolmogorov-Smirnov's distance: how far the two empirical distribution functions are apart."""
    some, others = sorted(some), sorted(others)
    return max(
        abs(bisect_right(some, value) / len(some) - bisect_right(others, value) / len(others))
        for value in (*some, *others)
    )


def test_a_study_of_each_encoding_runs_the_same_command_apart_from_encoded_values():
    commands = {
        encoding: container_of(render(make_study(katib={"encoding": encoding})).documents[0])["args"][0]
        for encoding in ENCODINGS
    }
    assert (
        commands["auto"]
        == commands["native"]
        == ("train --lr=${trialParameters.lr} --units=${trialParameters.units} --dropout=${trialParameters.dropout}")
    )
    assert re.sub(r"kftune:quantile:[^:]+:", "", commands["encoded"]) == commands["auto"]
