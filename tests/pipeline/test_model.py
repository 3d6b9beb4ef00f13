# mypy: disable-error-code="arg-type, union-attr, attr-defined"
"""A pipeline: one model for YAML and Python, what its steps get, in which order, and under which conditions."""

from __future__ import annotations

import copy
import pickle

import pytest
from pipeline_examples import chain, pipeline, step, tune
from places import CIRCUITS
from study_examples import Toy, toy

from kftune.errors import PipelineError
from kftune.hparams.models.lstm import LstmHparams
from kftune.pipeline import (
    Condition,
    ContainerStep,
    DataStep,
    EvaluateStep,
    FixedValue,
    ItemReference,
    Loop,
    OutputReference,
    ParameterReference,
    Pipeline,
    RegisterStep,
    StepConfig,
    TrainStep,
    TuneStep,
    item,
    load_pipeline,
    parameter,
    pipeline_from_dict,
    run_status,
)
from kftune.study import load_study


@pytest.fixture(scope="module")
def circuits() -> Pipeline:
    return load_pipeline(CIRCUITS / "pipeline.yaml")


# -- one model for YAML and Python -------------------------------------------------------------------------------------


def circuits_in_python() -> Pipeline:
    overrides = (
        "budget.max_trials=4",
        "budget.parallel=2",
        "algorithm.seed=7",
        "search.epochs={choice: [5, 10]}",
    )
    circuit = parameter("circuit")
    data = DataStep(name="data", module="kftune.training", args=("data",), inputs={"circuit": circuit})
    tuned = TuneStep(
        name="tune",
        image="registry.example/kftune-launcher:1",
        resources={"cpu": "250m", "memory": "512Mi"},
        volumes=[{"name": "shared", "mount": "/shared", "claim": "circuits-shared"}],
        share="shared",
        study=load_study(CIRCUITS / "study.yaml", overrides),
        inputs={"data": data.outputs.data},
        values={"circuit": circuit},
        timeout="2h",
    )
    train = TrainStep(
        name="train",
        module="kftune.training",
        args=("lstm",),
        inputs={"data": data.outputs.data},
        hparams=LstmHparams,
        values={"circuit": circuit},
        values_from=tuned.outputs.best,
        outputs={"model": "model", "metrics": "metrics", "report": "html"},
    )
    evaluate = EvaluateStep(
        name="evaluate",
        module="kftune.training",
        args=("evaluate",),
        inputs={"data": data.outputs.data, "model": train.outputs.model},
        outputs={"metrics": "metrics", "val_loss": "float", "val_mae": "float", "report": "html"},
    )
    register = RegisterStep(
        name="register",
        module="kftune.training",
        args=("register",),
        when=Condition(evaluate.outputs.val_loss, "<", parameter("max_val_loss")),
        inputs={
            "model": train.outputs.model,
            "metrics": evaluate.outputs.metrics,
            "title": "circuits-lstm",
            "revision": parameter("revision"),
        },
        outputs={
            "registered": {"type": "model", "description": "The model's files with card and manifest beside them"},
            "card": "markdown",
            "manifest": "artifact",
        },
    )
    whole = load_pipeline(CIRCUITS / "pipeline.yaml")
    return Pipeline(
        name="circuits",
        description=whole.description,
        parameters=whole.parameters,
        defaults=whole.defaults,
        steps=[data, tuned, train, evaluate, register],
        targets=whole.targets,
    )


def skippable(made: Pipeline) -> tuple[str, ...]:
    return tuple(name for name, node in made.plan.nodes.items() if node.skippable)


def test_a_pipeline_in_python_is_the_one_in_yaml(circuits):
    mine = circuits_in_python()
    theirs = circuits.to_dict()
    # In Python the study was given, not its file.
    theirs["steps"]["tune"].pop("overrides")
    theirs["steps"]["tune"]["study"] = circuits.steps["tune"].study.to_dict()
    assert mine.to_dict() == theirs
    assert [vars(node) | {"step": None} for node in mine.plan.nodes.values()] == [
        vars(node) | {"step": None} for node in circuits.plan.nodes.values()
    ]


def test_a_pipeline_comes_back_from_what_it_writes(circuits):
    again = pipeline_from_dict(circuits.to_dict(), folders=[CIRCUITS])
    assert again.to_dict() == circuits.to_dict()
    assert again.content_hash() == circuits.content_hash()
    assert again.plan == circuits.plan


def test_what_a_pipeline_writes_is_short():
    assert pipeline(chain()).to_dict() == {"name": "toy", "steps": chain()}


def test_pipelines_are_frozen_and_can_be_copied_and_pickled(circuits):
    with pytest.raises(PipelineError, match="replace"):
        circuits.name = "other"
    assert copy.deepcopy(circuits) is circuits
    assert pickle.loads(pickle.dumps(circuits)).plan == circuits.plan  # noqa: S301  # our own bytes


def test_the_content_hash_sees_the_files_that_a_pipeline_reads(tmp_path, circuits):
    for name in ("pipeline.yaml", "study.yaml"):
        (tmp_path / name).write_text((CIRCUITS / name).read_text())
    same = load_pipeline(tmp_path / "pipeline.yaml")
    study = tmp_path / "study.yaml"
    study.write_text(study.read_text().replace("[32, 64, 128, 256]", "[32, 64]"))
    assert same.content_hash() == circuits.content_hash() != load_pipeline(tmp_path / "pipeline.yaml").content_hash()


def test_overrides_change_a_pipeline_file():
    changed = load_pipeline(CIRCUITS / "pipeline.yaml", ["parameters.circuit.default=PLANT001/CIRCUIT02", "parallel=1"])
    assert changed.parameters["circuit"].default == "PLANT001/CIRCUIT02"
    assert changed.parallel == 1


def test_a_step_without_a_kind_cannot_be():
    with pytest.raises(PipelineError, match="a step has a kind"):
        StepConfig(module="toy")


def test_steps_refer_to_one_another_as_attributes():
    train = TrainStep(name="train", module="toy")
    assert train.outputs.model == OutputReference("train", "model")
    assert str(train.outputs.model) == "${steps.train.outputs.model}"
    with pytest.raises(AttributeError, match="did you mean 'model'"):
        train.outputs.modle  # noqa: B018
    with pytest.raises(AttributeError, match="name="):
        TrainStep(module="toy").outputs.model  # noqa: B018


def test_best_values_are_attributes_of_best():
    tuned = TuneStep(name="tune", study=toy())
    assert str(tuned.outputs.best.kind) == "${steps.tune.outputs.best.kind}"
    assert tuned.outputs.best["optimizer.lr"] == OutputReference("tune", "best.optimizer.lr")


def test_an_instance_of_hyperparameters_is_its_class_and_values():
    train = TrainStep(name="train", module="toy", hparams=LstmHparams(epochs=3))
    assert train.hparams is LstmHparams
    assert train.values["epochs"] == 3


# -- order and dependencies --------------------------------------------------------------------------------------------


def test_steps_stand_after_what_they_need_and_else_as_written():
    made = pipeline(
        {
            "z-last": step(inputs={"model": "${steps.train.outputs.model}"}),
            "train": chain()["train"],
            "aside": step(),
            "data": chain()["data"],
            "after": step(after=["z-last", "aside"]),
        }
    )
    assert made.order == ("aside", "data", "train", "z-last", "after")
    assert made.node("after").dependencies == ("aside", "z-last")
    assert made.node("after").waits_only == ("aside", "z-last")
    assert made.node("z-last").waits_only == ()


def test_a_condition_is_a_dependency(circuits):
    assert circuits.node("register").dependencies == ("train", "evaluate")


def test_a_thousand_steps_in_a_row_are_ordered():
    steps = {"s0": step(outputs={"x": "int"})}
    for index in range(1, 1000):
        steps[f"s{index}"] = step(outputs={"x": "int"}, inputs={"y_in": f"${{steps.s{index - 1}.outputs.x}}"})
    made = pipeline(dict(reversed(steps.items())))
    assert made.order == tuple(f"s{index}" for index in range(1000))


# -- what a step gets --------------------------------------------------------------------------------------------------


def test_arguments_say_where_they_come_from(circuits):
    given = circuits.node("train").arguments
    assert given["data"].source == OutputReference("data", "data")
    assert (given["data"].type, given["data"].role) == ("dataset", "input")
    assert given["circuit"].source == ParameterReference("circuit")
    assert given["learning_rate"].source == OutputReference("tune", "best.learning_rate")
    assert (given["learning_rate"].type, given["learning_rate"].role) == ("float", "hparam")
    assert given["seed"].source == ParameterReference("train_seed")


def test_constants_have_their_text():
    values = {
        "a": 1,
        "b": True,
        "c": 1e-5,
        "d": [1, "x"],
        "e": {"value": {"k": None}},
        "f": "it's",
        "g": {"type": "float", "value": 2},
    }
    given = pipeline({"only": step(inputs=values)}).node("only").arguments
    assert {name: argument.source.text for name, argument in given.items()} == {
        "a": "1",
        "b": "true",
        "c": "1e-05",
        "d": '[1,"x"]',
        "e": '{"k":null}',
        "f": "it's",
        "g": "2",
    }
    assert given["g"].source == FixedValue(2.0, "2")
    assert [argument.type for argument in given.values()] == ["int", "bool", "float", "list", "dict", "str", "float"]


def test_a_command_line_has_inputs_hyperparameters_and_outputs_one_token_each(circuits):
    node = circuits.node("evaluate")
    argv = node.command_line({name: f"<{name}>" for name in node.argument_names})
    assert argv == [
        *("python", "-m", "kftune.training", "evaluate", "--data=<data>", "--model=<model>"),
        *("--metrics=<metrics>", "--val_loss=<val_loss>", "--val_mae=<val_mae>", "--report=<report>"),
        "--executor-output=<executor-output>",
    ]
    with pytest.raises(KeyError):
        node.command_line({"data": "<data>"})


def test_an_optional_artifact_may_be_left_out_of_a_command_line():
    steps = chain(
        extra=step("data", when="${parameters.more} == true"),
        use=step(inputs={"extra": {"value": "${steps.extra.outputs.data}", "optional": True}}),
    )
    node = pipeline(steps, parameters={"more": False}).node("use")
    assert node.command_line({}) == ["python", "-m", "toy"]
    assert node.command_line({"extra": "/x"}) == ["python", "-m", "toy", "--extra=/x"]


def test_hyperparameters_that_no_reference_sets_are_parameters_of_the_run(circuits):
    seen = circuits.run_parameters
    assert list(seen)[:3] == ["circuit", "max_val_loss", "revision"]
    assert (seen["train_layers"].type, seen["train_layers"].default) == ("int", 1)
    assert "Layers" in seen["train_layers"].description
    assert (seen["train_patience"].type, seen["train_patience"].default) == ("str", "null")
    assert "train_learning_rate" not in seen
    assert "train_circuit" not in seen


@pytest.mark.parametrize("given", [{"default": None}, {"type": "str", "default": None}])
def test_a_default_of_null_is_null_and_not_no_default(given):
    made = pipeline({"a": step(inputs={"x": "${parameters.p}"})}, parameters={"p": given, "q": {"type": "str"}})
    assert (made.run_parameters["p"].type, made.run_parameters["p"].value) == ("str", "null")
    assert made.run_parameters["q"].value is None
    back = pipeline_from_dict(made.to_dict())
    assert back.run_parameters == made.run_parameters


def test_null_instead_of_a_skipped_output_is_null_too():
    steps = {
        "a": step(when="${parameters.p} == 'x'", outputs={"o": "str", "f": "float"}),
        "b": step(inputs={"o": {"value": "${steps.a.outputs.o}", "default": None}}),
    }
    made = pipeline(steps, parameters={"p": "x"})
    assert made.node("b").arguments["o"].default == "null"
    assert not made.node("b").skippable


@pytest.mark.parametrize("kind", ["int", "float", "bool", "list", "dict"])
def test_null_is_no_default_of_a_type_that_cannot_hold_it(kind):
    with pytest.raises(PipelineError, match=f"a default of type {kind} cannot be null.*remove it for no default"):
        pipeline({"a": step()}, parameters={"p": {"type": kind, "default": None}})


def test_values_are_other_defaults_of_those_parameters():
    train = step("train", hparams="LstmHparams", values={"epochs": 3, "patience": 2})
    seen = pipeline({"train": train}).run_parameters
    assert (seen["train_epochs"].default, seen["train_patience"].default) == (3, "2")


def test_an_absent_group_is_not_on_the_command_line():
    train = step("train", hparams="study_examples:Toy")
    given = pipeline({"train": train}).node("train").arguments
    assert "optimizer.lr" in given
    assert not [name for name in given if name.startswith("warmup")]
    named = step("train", hparams="study_examples:Toy", values={"warmup": {"needed": "x"}})
    assert "warmup.needed" in pipeline({"train": named}).node("train").arguments


def test_the_command_line_of_a_training_step_makes_its_hyperparameters():
    train = step("train", hparams="study_examples:Toy", values={"tags": ["a"], "note": "null"})
    made = pipeline({"train": train})
    texts = {
        name: made.run_parameters[argument.source.name].default
        for name, argument in made.node("train").arguments.items()
    }
    argv = [
        token for token in made.node("train").command_line({**map_text(texts), "model": "/m"}) if "model" not in token
    ]
    assert Toy.from_args(argv[3:]) == Toy(tags=["a"], note="null")


def map_text(values):
    from kftune.pipeline.ports import text_of

    return {name: text_of(value) for name, value in values.items()}


# -- defaults ----------------------------------------------------------------------------------------------------------


def test_a_steps_own_fields_win_over_the_defaults():
    defaults = {
        "image": "registry.example/a:1",
        "env": {"A": 1, "B": 2, "SECRET": "no"},
        "resources": {"cpu": 1, "memory": "1Gi"},
        "retries": 2,
        "cache": False,
        "timeout": "1h",
    }
    own = step(env={"B": 3}, secrets={"SECRET": {"name": "s", "key": "k"}}, resources={"cpu": 2}, retries=0)
    made = pipeline({"own": own, "plain": step()}, defaults=defaults)
    mine, plain = made.node("own").step, made.node("plain").step
    assert mine.env == {"A": "1", "B": "3"}
    assert (mine.resources.cpu, mine.resources.memory, mine.retries.limit, mine.cache) == ("2", "1Gi", 0, False)
    assert (plain.image, plain.retries.limit, plain.timeout) == ("registry.example/a:1", 2, 3600.0)
    assert made.steps["own"].image is None, "what was written stays as it was"


def test_an_instance_type_gives_resources_that_own_ones_change():
    own = step(instance_type="ml.g5.2xlarge", instance_count=2, resources={"memory": "20Gi"})
    made = pipeline({"own": own, "plain": step()}, defaults={"instance_type": "ml.m5.xlarge"})
    mine, plain = made.node("own").step.resources, made.node("plain").step.resources
    assert (mine.cpu, mine.memory, mine.gpu, mine.nodes) == ("8", "20Gi", 1, 2)
    assert (plain.cpu, plain.memory, plain.gpu, plain.nodes) == ("4", "16Gi", 0, 1)


def test_a_pipeline_can_name_instances_of_its_own():
    made = pipeline({"own": step(instance_type="ours.big")}, instances={"ours.big": {"cpu": 60, "memory": "200Gi"}})
    assert made.node("own").step.resources.cpu == "60"


# -- tune --------------------------------------------------------------------------------------------------------------


def test_a_tune_step_has_an_output_for_each_searched_hyperparameter(circuits):
    types = {name: output.type for name, output in circuits.node("tune").outputs.items()}
    assert types == {
        "best.lstm_units": "int",
        "best.learning_rate": "float",
        "best.epochs": "int",
        "best.batch_size": "int",
        "best_trial": "str",
        "objective": "float",
        "metrics": "metrics",
        "report": "html",
    }


def test_trials_get_the_values_and_inputs_of_their_step(circuits):
    study = circuits.node("tune").trial_study({"circuit": "PLANT001/CIRCUIT03", "data": "/runs/1/data"})
    assert study.fixed["circuit"] == "PLANT001/CIRCUIT03"
    assert study.step.command_line({})[3:] == ["lstm", "--data=/runs/1/data"]
    assert study.budget.max_trials == 4


def test_trials_take_from_the_defaults_what_their_study_leaves_out():
    made = pipeline({"tune": tune()}, defaults={"env": {"MODE": "fast"}, "resources": {"cpu": 2}})
    trial = made.node("tune").step.study.step
    assert (trial.env, trial.resources.cpu, trial.image) == ({"MODE": "fast"}, "2", "registry.example/toy:1")
    assert made.node("tune").step.resources.cpu is None, "the container that watches needs no more than it says itself"


def test_a_tune_step_cannot_set_what_its_study_searches_not_even_by_the_class():
    assert "optimizer.lr" in pipeline({"tune": tune()}).node("tune").step.study.space
    with pytest.raises(PipelineError, match=r"set or searched, but the study searches optimizer\.lr"):
        pipeline({"tune": tune(values={"optimizer": {"lr": 0.1}})})


def test_constants_of_a_tune_step_are_fixed_in_its_study():
    made = pipeline({"tune": tune(values={"units": 8})})
    assert made.node("tune").step.study.fixed["units"] == "8"
    assert made.node("tune").arguments == {}


# -- conditions --------------------------------------------------------------------------------------------------------


def test_a_step_that_needs_a_skipped_one_is_skipped_too():
    gate = "${steps.evaluate.outputs.val_loss} < 0.5"
    ref = "${steps.gated.outputs.score}"
    made = pipeline(
        chain(
            gated=step(when=gate, outputs={"score": "float"}),
            needs=step(inputs={"score": ref}),
            lives=step(inputs={"score": {"value": ref, "default": 0}}),
            later=step(after=["gated"]),
        )
    )
    assert skippable(made) == ("gated", "needs")
    assert made.node("lives").arguments["score"].default == 0.0


@pytest.mark.parametrize(
    "root", ["s3://b", "s3://b/", "minio://mlpipeline/v2/a_b-c", "gs://b/f?region=x&endpoint=y:9000"]
)
def test_a_pipeline_root_is_a_bucket(root):
    made = pipeline(chain(), targets={"kfp": {"pipeline_root": root}})
    assert made.targets.kfp.pipeline_root == root


@pytest.mark.parametrize(
    "root", ["minio:/x", "minio://", "s3:///x", "/data", "x", "file:///tmp", "http://store/b", "S3://b", "s3://b c", ""]
)
def test_another_pipeline_root_is_refused_as_kfps_backend_does(root):
    with pytest.raises(
        PipelineError, match=r"targets\.kfp\.pipeline_root: a pipeline root is gs://BUCKET/FOLDER, s3://"
    ):
        pipeline(chain(), targets={"kfp": {"pipeline_root": root}})


@pytest.mark.parametrize(
    ("text", "left", "right", "holds"),
    [
        ("${parameters.a} < 0.5", 0.4, 0.5, True),
        ("${parameters.a} >= 1e-3", 1e-3, 1e-3, True),
        ("0 != ${parameters.a}", 0, 0, False),
        ("${parameters.a}=='x y'", "x y", "x y", True),
        ("${parameters.a} == true", True, True, True),
        ("${parameters.a} > ${parameters.b}", 2, 1, True),
        ("${parameters.a} <= 3", 4, 3, False),
    ],
)
def test_a_condition_is_read_and_judged(text, left, right, holds):
    from kftune.pipeline.condition import read_condition

    condition = read_condition(text)
    assert read_condition(str(condition)) == condition
    assert condition.holds(left, right) is holds


# -- loops -------------------------------------------------------------------------------------------------------------

CIRCUIT_LOOP = {"each": {"file": "circuits.yaml", "at": "*.*", "parallel": 2}}


def looped(**loop):
    return {
        "name": "toy",
        "loops": {"each": loop} if loop else CIRCUIT_LOOP,
        "steps": {
            "train": step(
                "train",
                for_each="each",
                inputs={"circuit": "${item.circuit}"},
                outputs={"model": "model", "loss": "float"},
            ),
            "check": step(for_each="each", inputs={"model": "${steps.train.outputs.model}"}),
            "sum": step(inputs={"losses": "${steps.train.outputs.loss}"}),
        },
    }


def test_a_loop_runs_over_the_entries_of_a_file():
    made = pipeline_from_dict(looped(), folders=[CIRCUITS])
    entries = made.loops["each"].entries
    assert [entry["key"] for entry in entries or ()] == [f"PLANT001.CIRCUIT0{number}" for number in (1, 2, 3, 4)]
    assert made.loops["each"].type_of("learning_rate") == "float"
    assert made.node("train").arguments["circuit"].source == ItemReference("circuit")
    assert made.members("each") == ("train", "check")


def test_within_a_loop_outputs_go_item_by_item_and_outside_as_a_list():
    made = pipeline_from_dict(looped(), folders=[CIRCUITS])
    assert not made.node("check").arguments["model"].fan_in
    losses = made.node("sum").arguments["losses"]
    assert (losses.type, losses.fan_in, losses.element) == ("list", True, "float")


def test_a_hyperparameter_can_be_the_list_of_what_a_loop_gave():
    steps = {
        "one": step(for_each="each", outputs={"tag": "str"}),
        "train": step("train", hparams=Toy, values={"tags": "${steps.one.outputs.tag}"}),
    }
    tags = pipeline(steps, loops={"each": {"items": [1, 2]}}).node("train").arguments["tags"]
    assert (tags.role, tags.type, tags.fan_in, tags.element) == ("hparam", "str", True, "str")


def test_a_step_outside_a_loop_runs_with_what_the_steps_that_were_not_skipped_gave():
    steps = {
        "one": step(for_each="each", when="${item} > 1", inputs={"k": "${item}"}, outputs={"x": "int"}),
        "sum": step(inputs={"xs": "${steps.one.outputs.x}"}),
    }
    assert skippable(pipeline(steps, loops={"each": {"items": [1, 2]}})) == ("one",)


def test_a_loop_runs_over_a_parameter_or_an_output():
    fields = {"circuit": "str"}
    over = looped(items="${parameters.which}", fields=fields)
    made = pipeline_from_dict({**over, "parameters": {"which": [{"circuit": "a"}]}})
    assert made.loops["each"].entries is None
    assert made.loops["each"].source == ParameterReference("which")
    over = looped(items="${steps.find.outputs.which}", fields=fields)
    over["steps"]["find"] = step(outputs={"which": "list"})
    made = pipeline_from_dict(over)
    assert made.node("train").dependencies == ("find",)
    assert made.order[0] == "find"


def test_the_steps_of_a_loop_stand_together():
    each = {"for_each": "each"}
    made = pipeline(
        {
            "a": step(**each),
            "b": step(),
            "c": step(**each, inputs={"k": "${steps.d.outputs.x}"}),
            "d": step(outputs={"x": "int"}),
        },
        loops={"each": {"items": [1, 2]}},
    )
    assert made.order == ("b", "d", "a", "c")


def test_a_loop_in_python():
    train = ContainerStep(name="train", module="toy", for_each="each", inputs={"circuit": item("name"), "all": item()})
    made = Pipeline(name="toy", loops={"each": Loop(items=[{"name": "a"}, {"name": "b"}])}, steps=[train])
    assert {name: argument.type for name, argument in made.node("train").arguments.items()} == {
        "circuit": "str",
        "all": "dict",
    }


# -- exit --------------------------------------------------------------------------------------------------------------


def test_the_exit_step_knows_how_the_run_ended():
    tell = {"module": "tell", "inputs": {"status": "${run.status}", "circuit": "${parameters.circuit}"}}
    made = pipeline(chain(), exit=tell, parameters={"circuit": "a"})
    assert made.plan.exit is not None
    assert made.plan.exit.name == "exit"
    assert made.plan.exit.arguments["status"].source == run_status()
    assert "exit" not in made.order


def test_images_are_replaced_everywhere_and_nowhere_else(circuits):
    other = circuits.with_images(lambda image: f"{image}-x")
    for name, node in circuits.plan.nodes.items():
        image = node.step.image
        assert other.node(name).step.image == (None if image is None else f"{image}-x")
        assert other.node(name).arguments == node.arguments
    assert other.node("tune").step.study.step.image == "registry.example/circuits:1-x"
    assert circuits.node("tune").step.study.step.image == "registry.example/circuits:1"
