"""Lint knows the form of a step's arguments: it compares the script with it, and says which form the script takes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from foreign_scripts import ARGUMENTS, GUIDE, SCRIPTS

from kftune import yaml_text
from kftune.lint import check

HPARAMS = '''
from kftune import Choice, Hparam, Hparams, LogUniform

class Net(Hparams):
    """A network."""

    learning_rate: float = Hparam(0.01, gt=0, search=LogUniform(1e-4, 1e-1))
    num_epochs: int = Hparam(10, ge=1, search=Choice(5, 10, 20))
    amp: bool = Hparam(False, search=Choice(True, False))
    dropout_rate: float | None = Hparam(None, search=Choice(None, 0.1, 0.5))
    optimizer: str = Hparam("adam", search=Choice("adam", "sgd"))
'''


@pytest.fixture
def findings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Lints a study of a script; returns code and message of each finding that is no advice."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def found(script: str, arguments: object = None, **parts: object) -> list[tuple[str, str]]:
        Path("as_it_is_hparams.py").write_text(HPARAMS)
        sys.modules.pop("as_it_is_hparams", None)
        Path("train.py").write_text(script)
        step = {"image": "registry.example/net:1", "command": ["python", "train.py"], "arguments": arguments}
        study = {
            "name": "net",
            "hparams": "as_it_is_hparams:Net",
            "objective": {"metric": "loss", "direction": "minimize"},
            "step": step,
            **parts,
        }
        Path("study.yaml").write_text(yaml_text.dump(study))
        (report,) = check("study.yaml").studies
        return [(each.code, each.message) for each in report.findings if each.severity != "advice"]

    return found


@pytest.mark.parametrize("name", sorted(ARGUMENTS))
def test_a_script_with_its_form_has_no_finding(name, findings):
    script, arguments = ARGUMENTS[name]
    text = SCRIPTS[script].replace("BooleanOptionalAction, default=True", "BooleanOptionalAction, default=False")
    assert findings(text, arguments) == []


def test_names_with_dashes_are_proposed(findings):
    found = findings(SCRIPTS["store_true"])
    assert [code for code, _ in found] == ["KT402", "KT402", "KT403", "KT402"]
    assert all("write step.arguments.names: dashes" in text for code, text in found if code == "KT402")


def test_names_with_underscores_are_proposed_back(findings):
    script = (
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('--learning_rate', type=float)\np.parse_args()"
    )
    values = {"num_epochs": None, "amp": None, "dropout_rate": None, "optimizer": None}
    ((code, text),) = findings(script, {"names": "dashes"}, search=values)
    assert code == "KT402"
    assert text.endswith("; write step.arguments.names: underscores")


@pytest.mark.parametrize(
    ("script", "booleans"), [("store_true", "flag"), ("optional", "flag-no"), ("click", "flag-no")]
)
def test_a_switch_is_proposed_as_the_script_declares_it(script, booleans, findings):
    found = dict(findings(SCRIPTS[script], {"names": "dashes"}))
    assert f"write step.arguments.booleans: {booleans}" in found["KT403"]


def test_a_flag_that_the_script_does_not_have_fails(findings):
    ((code, text),) = findings(SCRIPTS["store_true"], {"names": "dashes", "booleans": "flag-no"})
    assert code == "KT403"
    assert text.startswith("--no-amp: train.py:8 has no --no-amp, and the trial fails; write step")


def test_a_flag_for_an_argument_with_a_value_fails(findings):
    script = SCRIPTS["store_true"].replace('action="store_true"', 'type=lambda text: text == "true"')
    ((code, text),) = findings(script, {"names": "dashes", "booleans": "flag"})
    assert code == "KT403"
    assert "declares --amp with a value, and the trial fails; leave out step.arguments.booleans" in text


def test_what_is_left_out_must_be_the_script_s_default(findings):
    found = dict(findings(SCRIPTS["optional"], {"names": "dashes", "booleans": "flag"}))
    assert found["KT404"].startswith("false is no argument: train.py:8 then uses its default, True")
    script = SCRIPTS["store_true"].replace('"--dropout-rate", type=float', '"--dropout-rate", type=float, default=0.5')
    found = dict(findings(script, {"names": "dashes", "booleans": "flag"}))
    assert found["KT404"].startswith("null is no argument: train.py:6 then uses its default, 0.5")


def test_null_as_a_text_is_refused_with_a_way_out(findings):
    found = findings(SCRIPTS["store_true"], {"names": "dashes", "booleans": "flag", "nulls": "value"})
    assert [code for code, _ in found] == ["KT403"]
    assert found[0][1].endswith("; write step.arguments.nulls: omit")


def test_the_file_s_option_must_be_one_of_the_script(findings):
    ((code, text),) = findings(SCRIPTS["json-file"], {"as": "json-file", "option": "settings"})
    assert code == "KT401"
    assert "takes no --settings, the path of the file" in text


def test_a_class_that_reads_the_command_line_gets_nothing_from_variables(findings):
    script = "from as_it_is_hparams import Net\nNet.from_args()\n"
    ((code, text),) = findings(script, {"as": "environment"})
    assert code == "KT401"
    assert text.endswith("all trials train with the defaults")


def test_the_parser_of_the_guide_needs_dashes_and_nothing_else(findings):
    values = {"amp": None, "optimizer": None, "dropout_rate": {"uniform": [0.1, 0.5]}}
    assert {code for code, _ in findings(GUIDE, search=values)} == {"KT402"}
    assert [text for _, text in findings(GUIDE, {"names": "dashes"}, search=values) if "is null in" not in text] == []


def test_encoded_values_are_found_in_every_form(findings):
    search = {"learning_rate": {"qloguniform": [1e-4, 1e-1], "q": 1e-4}, "amp": None, "dropout_rate": None}
    for name in ("store_true", "two tokens"):
        script, arguments = ARGUMENTS[name]
        assert "KT407" in dict(findings(SCRIPTS[script], arguments, search=search))


HYDRA = """
import hydra
@hydra.main(version_base=None, config_path="conf", config_name="config")
def train(config): ...
train()
"""


@pytest.mark.parametrize(
    ("texts", "code"),
    [
        (["adam", "/data/x-1.5", "a b", "$HOME", "100%", "a:b", ""], None),
        (["adam", "it's"], "KT403"),
        (["a,b"], "KT403"),
        (["a=b"], "KT403"),
        (["a(b"], "KT403"),
        (["ខ្មែរ"], "KT403"),
        (["1e-05"], "KT404"),
        (["True"], "KT404"),
        ([" a"], "KT404"),
    ],
)
def test_texts_that_hydra_reads_in_quotes_only_are_found(texts, code, findings):
    Path("conf").mkdir()
    Path("conf/config.yaml").write_text("optimizer: adam\nlearning_rate: 0.1\n")
    search = {"num_epochs": None, "amp": None, "dropout_rate": None, "optimizer": {"choice": [*texts, "sgd"]}}
    found = findings(HYDRA, {"style": "name=value"}, search=search)
    assert [each for each, _ in found if each != "KT407"] == ([code] if code else [])
