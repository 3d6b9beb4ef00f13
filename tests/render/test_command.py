"""A trial's command line arrives at the program byte by byte: through Katib, the kubelet and a real shell."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from katib_as_run import STDOUT, leftover_placeholders, run_trial, stand_in, substituted
from render_examples import Loose, Plain, container_of, make_study, parameters_of

from kftune.domains import Choice, Conditional, ReverseLogUniform
from kftune.errors import RenderError
from kftune.katib.trial.kubelet import expanded
from kftune.katib.trial.wrapper import wrap
from kftune.render import render

SHELLS = [shell for shell in ("dash", "bash", "sh") if shutil.which(shell)]

HOSTILE = [
    "",
    " ",
    'say "hi"',
    "it's",
    "'\"'\"'",
    "a\\b\\n",
    "line\nbreak",
    "ends in newline\n",
    "\r\t\x07",
    "$HOME $(HOME) $$ ${HOME} $é $",
    "$$(KFTUNE)$$$$(X)",
    "`id`; exit 3 && false || true | cat > /dev/null & # no",
    "${trialParameters.lr}",
    "$${trialParameters.x} ${trialParameters.",
    "${trialSpec.Name} {{inputs.parameters.x}} {{x}}",
    "*?[a]~{a,b}!1",
    "--lr=3",
    "=",
    "</script>&amp;\u2028\u2029",
    "損失 😀 é",
    "yes",
    "null",
    "1e-05",
    "0x10",
    "- x",
    "\\",
    "kftune:quantile:nonsense:7",
    "1>&2",
]
# NUL is no part of an argument; the others are refused in every manifest, because kubectl does not take them.
UNSENT = "\0\x7f" + "".join(chr(code) for code in range(0x80, 0xA0) if code != 0x85)
ANY_TOKEN = st.text(st.characters(exclude_characters=UNSENT, exclude_categories=["Cs"]), max_size=30)
HOSTILE_TOKEN = st.one_of(st.sampled_from(HOSTILE), ANY_TOKEN, st.text("$(){}'\"\\ \n;&|<>`#", max_size=12))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("trial")
    stand_in(made)
    return made


# -- hostile texts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", SHELLS)
def test_hostile_texts_arrive_wherever_they_stand(shell, folder):
    study = make_study(
        step={
            "image": "registry.example/plain:1",
            "command": ["train", *HOSTILE],
            "args": HOSTILE,
            "env": {"PLAIN": '$HOME $(PATH) $$ it\'s "x"\n$(LATER)', "LATER": "$(PLAIN)"},
        },
        values={"label": "it's ${trialParameters.lr} $(X)\n"},
    )
    experiment = render(study).documents[0]
    template = experiment["spec"]["trialTemplate"]["trialSpec"]
    assert leftover_placeholders(template, ["lr", "units", "dropout"]) == []
    values = {"lr": "0.001", "units": "64", "dropout": "0.25"}
    job = substituted(experiment, values)
    arguments, variables = run_trial(job["spec"]["template"]["spec"]["containers"][0], folder, shell)
    assert arguments == [
        *HOSTILE,
        *HOSTILE,
        "--lr=0.001",
        "--units=64",
        "--dropout=0.25",
        "--label=it's ${trialParameters.lr} $(X)\n",
    ]
    assert variables["PLAIN"] == study.step.env["PLAIN"]
    assert variables["LATER"] == "$(PLAIN)"
    assert Plain.from_args(arguments[2 * len(HOSTILE) :]).label == study.values["label"]


@given(st.lists(HOSTILE_TOKEN, min_size=1, max_size=6), HOSTILE_TOKEN, st.sampled_from(SHELLS))
@example(["$", "{trialParameters.lr}"], "'${trialParameters.lr}", SHELLS[0])
def test_any_argument_and_any_fixed_value_arrive(folder, tokens, fixed, shell):
    study = make_study(step={"image": "i", "command": ["train"], "args": tokens}, values={"label": fixed})
    experiment = render(study).documents[0]
    template = experiment["spec"]["trialTemplate"]["trialSpec"]
    assert leftover_placeholders(template, ["lr", "units", "dropout"]) == []
    job = substituted(experiment, {"lr": "1e-05", "units": "64", "dropout": "0.30000000000000004"})
    arguments, _ = run_trial(job["spec"]["template"]["spec"]["containers"][0], folder, shell)
    assert arguments[: len(tokens)] == tokens
    received = Plain.from_args(arguments[len(tokens) :])
    assert received == Plain(lr=1e-5, units=64, dropout=0.30000000000000004, label=fixed)


@given(st.sets(HOSTILE_TOKEN.filter("adam".__ne__), min_size=2, max_size=5).map(sorted), st.data())
def test_any_choice_arrives(folder, options, data):
    search = {"x": {"choice": options}, "optimizer": {"choice": [*options, "adam"]}}
    experiment = render(make_study(hparams=Loose, search=search)).documents[0]
    texts = {name: parameter["feasibleSpace"]["list"] for name, parameter in parameters_of(experiment).items()}
    assert len(set(texts["x"])) == len(options)
    index = data.draw(st.integers(0, len(options) - 1))
    values = {name: listed[index] for name, listed in texts.items()}
    job = substituted(experiment, values)
    arguments, _ = run_trial(job["spec"]["template"]["spec"]["containers"][0], folder)
    assert Loose.from_args(arguments) == Loose(x=options[index], optimizer=options[index])


def test_choices_that_are_no_text_arrive(folder):
    options = [None, True, 3, -2.5, "3", "null", [1, "a b"], {"k": "$x"}]
    experiment = render(make_study(hparams=Loose, search={"x": Choice(*options)})).documents[0]
    for option, text in zip(options, parameters_of(experiment)["x"]["feasibleSpace"]["list"], strict=True):
        job = substituted(experiment, {"x": text})
        arguments, _ = run_trial(job["spec"]["template"]["spec"]["containers"][0], folder)
        assert Loose.from_args(arguments).x == option


def test_a_surrogate_arrives_as_its_value(folder):
    domain = Conditional(ReverseLogUniform(0.9, 0.999), {"optimizer": "it's $HOME"})
    search = {"x": domain, "optimizer": {"choice": ["it's $HOME", "adam"]}}
    experiment = render(make_study(hparams=Loose, search=search)).documents[0]
    for optimizer, expected in (("kftune:text:it%27s%20%24HOME", domain.quantile(0.25)), ("adam", None)):
        values = {"x": "0.25", "optimizer": optimizer}
        job = substituted(experiment, values)
        arguments, _ = run_trial(job["spec"]["template"]["spec"]["containers"][0], folder)
        assert Loose.from_args(arguments).x == expected


# -- the form of the command -----------------------------------------------------------------------------------------


def test_a_command_is_one_simple_shell_command_that_people_can_read():
    study = make_study(step={"image": "i", "module": "circuits.train", "args": ["lstm", "a b"]}, values={"epochs": 5})
    container = container_of(render(study).documents[0])
    assert container["command"] == ["sh", "-c"]
    assert container["args"] == [
        "python -m circuits.train lstm 'a b' --lr=${trialParameters.lr} --units=${trialParameters.units} "
        "--dropout=${trialParameters.dropout} --epochs=5"
    ]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_short_trial_is_made_longer_with_the_same_arguments_metrics_and_marker(shell, folder):
    study = make_study(step={"image": "i", "command": ["train", *HOSTILE]}, katib={"min_runtime": 0.3})
    job = substituted(render(study).documents[0], {"lr": "1", "units": "2", "dropout": "0"})
    began = time.monotonic()
    arguments, _ = run_trial(job["spec"]["template"]["spec"]["containers"][0], folder, shell)
    assert time.monotonic() - began >= 1
    assert arguments == [*HOSTILE, "--lr=1", "--units=2", "--dropout=0"]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_trial_that_fails_keeps_its_exit_code_and_does_not_wait(shell, tmp_path):
    study = make_study(step={"image": "i", "command": ["sh", "-c", "echo loss=1; exit 7"]}, katib={"min_runtime": 3})
    job = substituted(render(study).documents[0], {"lr": "1", "units": "2", "dropout": "0"})
    container = job["spec"]["template"]["spec"]["containers"][0]
    wrapped = wrap(container["command"], container["args"], STDOUT)
    script = expanded(wrapped.args[0].replace("/var/log/katib", str(tmp_path)), {})
    began = time.monotonic()
    done = subprocess.run([shell, "-c", script], capture_output=True, timeout=20, check=False, start_new_session=True)
    assert time.monotonic() - began < 3, "the rest of min_runtime is not waited"
    assert done.returncode == 7
    assert (tmp_path / "metrics.log").read_text() == "loss=1\n"
    assert list(tmp_path.glob("*.pid")) == []


@pytest.mark.parametrize("word", ["echo", "exec", "test", "time", "[", "."])
def test_a_program_named_like_a_word_of_the_shell_is_run_as_a_program(word):
    container = container_of(render(make_study(step={"image": "i", "command": [word, "x"]})).documents[0])
    assert shlex.split(container["args"][0])[:3] == ["env", word, "x"]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_program_and_not_the_builtin_of_its_name_runs(shell, folder):
    stand_in(folder, "exec")
    study = make_study(step={"image": "i", "command": ["exec", "x"]})
    job = substituted(render(study).documents[0], {"lr": "1", "units": "2", "dropout": "0"})
    arguments, _ = run_trial(job["spec"]["template"]["spec"]["containers"][0], folder, shell)
    assert arguments[0] == "x"


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"image": "i", "command": ["A=b", "train"]}, "must not hold '='.* set environment variables in step.env"),
        ({"image": "i", "command": ["train"], "args": ["\ud800"]}, "an argument must be Unicode text"),
        ({"image": "i", "command": ["train"], "args": ["x" * 131_000]}, "may have 130000 bytes, but has 131"),
        ({"image": "i", "command": ["train"], "env": {"A": "${trialParameters.lr}"}}, "step.env.A must not hold"),
        (
            {"image": "i", "command": ["train"], "working_dir": "/${trialParameters.lr}"},
            "step.working_dir must not hold",
        ),
    ],
)
def test_what_no_manifest_can_carry_is_refused(step, message):
    with pytest.raises(RenderError, match=message):
        render(make_study(step=step))


def test_a_choice_that_is_half_a_character_is_refused():
    with pytest.raises(RenderError, match="each value of x must be Unicode text"):
        render(make_study(hparams=Loose, search={"x": {"choice": ["\ud800", "a"]}}))
