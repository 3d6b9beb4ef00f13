"""Findings about a trial's object: its pods, its conditions, templates in ConfigMaps, and architecture searches."""

from __future__ import annotations

import pytest
from lint_examples import example_text
from mangled import CONFIG_MAP, FROM_CONFIG_MAP

from kftune.katib.admission.cluster import Cluster, KatibConfig, cluster_of
from kftune.lint.experiment import check_experiment
from kftune.lint.placing import placed
from kftune.lint.report import LintFinding
from kftune.lint.sources import SourceText, documents


def findings(text: str) -> list[LintFinding]:
    found = list(documents(SourceText("x.yaml", text, named=True)))
    cluster = cluster_of([document.value for document in found], KatibConfig(), labelled=True)
    experiments = [document for document in found if document.value["kind"] == "Experiment"]
    return [each for one in experiments for each in placed(check_experiment(one, cluster, "0.19"))]


def serious(text: str) -> set[str]:
    return {found.code for found in findings(text) if found.severity != "advice"}


def pod(inside: str) -> str:
    return example_text(f"spec: {{trialTemplate: {{trialSpec: {{spec: {{template: {{spec: {{{inside}}}}}}}}}}}}}")


def container(inside: str) -> str:
    run = "command: [python, t.py], args: ['${trialParameters.lr}', '${trialParameters.units}']"
    return pod(f"containers: [{{name: main, image: 'r.example/in:1', {run}, {inside}}}]")


def replica(inside: str, name: str = "Master", more: str = "") -> str:
    run = "command: [python, t.py, '${trialParameters.lr}', '${trialParameters.units}']"
    nothing = "template: null, backoffLimit: null, activeDeadlineSeconds: null"
    spec = f"{{spec: {{containers: [{{name: pytorch, image: 'r.example/in:1', {run}, {inside}}}]}}}}"
    return example_text(
        "spec: {trialTemplate: {primaryContainerName: pytorch, trialSpec: {apiVersion: kubeflow.org/v1, "
        f"kind: PyTorchJob, spec: {{{nothing}, pytorchReplicaSpecs: {{{name}: {{{more} template: {spec}}}}}}}}}}}}}"
    )


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (container("resources: {limits: {gpu: '1'}}"), "KT273"),
        (container("resources: {requests: {nvidia.com/gpu: '1'}}"), "KT273"),
        (container("resources: {limits: {cpu: '-1'}}"), "KT273"),
        (container("imagePullPolicy: Often"), "KT271"),
        (container("ports: [{containerPort: 70000}]"), "KT271"),
        (container("volumeMounts: [{name: a, mountPath: /a}]"), "KT272"),
        (container("env: [{name: A, value: a, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]"), "KT277"),
        (container("env: [{name: 'A=B', value: a}]"), "KT277"),
        (container("securityContext: {seccompProfile: {type: Default}}"), "KT277"),
        (pod("volumes: [{name: A_b, emptyDir: {}}]"), "KT277"),
        (pod("volumes: [{name: a, emptyDir: {}, hostPath: {path: /a}}]"), "KT277"),
        (example_text("spec: {trialTemplate: {trialSpec: {spec: {activeDeadlineSeconds: 0}}}}"), "KT276"),
        (
            example_text("spec: {trialTemplate: {trialSpec: {spec: {completionMode: Indexed, parallelism: 2}}}}"),
            "KT276",
        ),
        (replica("resources: {limits: {cpu: '1'}, requests: {cpu: '2'}}"), "KT273"),
        (replica("volumeMounts: [{name: a, mountPath: /a}]"), "KT272"),
        (replica("resources: {limits: {cpu: 1.5}}"), "KT274"),
        (replica("tty: false", name="Chief"), "KT274"),
        (replica("tty: false", more="replicas: 2,"), "KT274"),
        (replica("tty: false", more="restartPolicy: Sometimes,"), "KT277"),
    ],
)
def test_a_pod_that_the_server_rejects_is_reported(text: str, code: str):
    assert serious(text) == {code}


def train_job(runtime: str, labels: str = "") -> str:
    trainer = "trainer: {args: ['--lr=${trialParameters.lr}', '--units=${trialParameters.units}']}"
    nothing = "template: null, backoffLimit: null, activeDeadlineSeconds: null"
    return example_text(
        f"spec: {{trialTemplate: {{primaryContainerName: node, {labels} trialSpec: {{kind: TrainJob, apiVersion: "
        f"trainer.kubeflow.org/v1alpha1, spec: {{{nothing}, runtimeRef: {{{runtime}}}, {trainer}}}}}}}}}"
    )


LAUNCHER = "primaryPodLabels: {jobset.sigs.k8s.io/replicatedjob-name: launcher},"


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        (train_job("name: torch-distributed"), set()),
        (train_job("name: deepspeed-distributed"), {"KT239"}),
        (train_job("name: mlx-distributed, kind: ClusterTrainingRuntime"), {"KT239"}),
        (train_job("name: deepspeed-distributed", LAUNCHER), set()),
        (train_job("name: deepspeed-distributed, kind: TrainingRuntime"), set()),
        (train_job("name: torchtune-llama3.2-1b"), {"KT233"}),
        (train_job("name: torch-distributed-with-cache"), {"KT233"}),
    ],
)
def test_a_runtime_on_which_no_trial_runs_is_reported(text: str, codes: set[str]):
    assert serious(text) == codes


@pytest.mark.parametrize(
    "text", [container("tty: true"), replica("tty: true"), replica("tty: true", more="replicas: 1,")]
)
def test_a_pod_that_the_server_accepts_is_not_reported(text: str):
    assert serious(text) == set()


def test_an_argument_of_the_images_own_entrypoint_is_read_by_the_shell_too():
    args = "args: ['--lr=${trialParameters.lr} ${trialParameters.units}']"
    text = pod(f"containers: [{{name: main, image: 'r.example/in:1', {args}}}]")
    assert serious(text) == {"KT254"}


@pytest.mark.parametrize(
    ("image", "told"),
    [
        ("docker.io/python:3.9", "it needs the full path: docker.io/library/python"),
        ("localhost/ab:1", "it needs a registry; 'localhost' is one only with a port"),
        ("registry.example/ab", "it needs a tag or a digest"),
        ("python:3.9", "it needs a registry"),
    ],
)
def test_an_image_without_its_full_name_is_looked_up_by_0_18_only(image: str, told: str):
    args = "args: ['--lr=${trialParameters.lr}', '--units=${trialParameters.units}']"
    text = pod(f"containers: [{{name: main, image: '{image}', {args}}}]")
    (found,) = [each for each in findings(text) if each.severity != "advice"]
    assert (found.code, found.message.endswith(f": {told}")) == ("KT256", True)
    (document,) = documents(SourceText("x.yaml", text, named=True))
    assert "KT256" not in {each.code for each in check_experiment(document, Cluster(), "0.18").findings}


# ---------------------------------------------------------------------------------------------- a ConfigMap's template

UNITS = ", {name: units, reference: units}], configMap"
GOOD = (
    example_text(FROM_CONFIG_MAP.replace("], configMap", UNITS))
    .replace("successCondition: a", "successCondition: status.succeeded")
    .replace("failureCondition: b", "failureCondition: status.failed")
)
TEMPLATE = CONFIG_MAP.replace("spec: {containers", "spec: {restartPolicy: Never, containers").replace(
    '"${trialParameters.lr}"]', '"${trialParameters.lr}", "${trialParameters.units}"]'
)


def test_a_template_in_a_config_map_is_checked_like_one_in_the_experiment():
    assert serious(f"{TEMPLATE}---\n{GOOD}") == set()
    changed = TEMPLATE.replace("restartPolicy: Never", "restartPolicy: Always")
    (found,) = [each for each in findings(f"{changed}---\n{GOOD}") if each.severity != "advice"]
    assert found.code == "KT270"
    assert found.path == "spec.trialTemplate.configMap"
    assert found.message.startswith("templates/t.yaml: spec.template.spec.restartPolicy: ")


def test_a_template_in_an_unknown_config_map_is_named_as_not_checked():
    (found,) = findings(GOOD)
    assert (found.code, found.severity) == ("KT266", "advice")
    assert found.message.endswith("is not in the input, so its pods, command and values were not checked")


def from_stock(template: str) -> str:
    """Returns an Experiment whose template is one of Katib's own."""
    names = "{name: learningRate, reference: learning_rate}, {name: momentum, reference: units}"
    place = f"{{configMapNamespace: kubeflow, configMapName: trial-templates, templatePath: {template}}}"
    conditions = "successCondition: status.succeeded, failureCondition: status.failed"
    return example_text(
        f"spec: {{trialTemplate: {{trialSpec: null, primaryContainerName: training-container, {conditions}, "
        f"trialParameters: [{names}], configMap: {place}}}}}"
    )


def test_a_template_of_a_stock_install_is_checked_and_said_to_be():
    found = {each.code: each.message for each in findings(from_stock("defaultTrialTemplate.yaml"))}
    assert found["KT266"].endswith("so defaultTrialTemplate.yaml of a stock install was checked")
    assert "without backoffLimit" in found["KT301"]
    assert serious(from_stock("defaultTrialTemplate.yaml").replace("name: momentum", "name: decay")) == {"KT117"}


def test_a_template_that_no_stock_install_has_is_not_checked():
    assert [each.code for each in findings(from_stock("own.yaml"))] == ["KT266"]


def test_a_given_namespace_has_only_the_config_maps_that_are_given():
    other = "kind: ConfigMap\nmetadata: {namespace: kubeflow, name: other}\ndata: {}\n---\n"
    assert serious(other + from_stock("defaultTrialTemplate.yaml")) == {"KT116"}


def test_placeholders_without_quotes_are_reported_if_katib_cannot_read_the_template():
    """Katib reads the text before it replaces placeholders; the webhook replaces them with `test-value` first."""
    changed = TEMPLATE.replace('"${trialParameters.lr}"', "${trialParameters.lr}")
    assert "KT262" in serious(f"{changed}---\n{GOOD}")


def test_a_number_without_quotes_is_reported_where_the_job_needs_a_text():
    block = TEMPLATE.replace(
        'args: ["${trialParameters.lr}", "${trialParameters.units}"]}]}}}',
        'command: [a]}]}, metadata: {annotations: {u: "${trialParameters.units}"}}}}',
    )
    block = block.replace(
        "    spec: {template", "    metadata:\n      labels:\n        lr: ${trialParameters.lr}\n    spec: {template"
    )
    assert "KT262" in serious(f"{block}---\n{GOOD}")


# ------------------------------------------------------------------------------------------------ searches for networks


def network(algorithm: str, nas: str, *, settings: str = "", references: str, more: str = "") -> str:
    text = example_text(
        f"spec: {{algorithm: {{algorithmName: {algorithm}, algorithmSettings: [{settings}]}}, parameters: null, {more} "
        f"nasConfig: {{{nas}}}, trialTemplate: {{trialParameters: [{references}]}}}}"
    )
    return text.replace("=${trialParameters.lr}", '="${trialParameters.lr}"').replace(
        "=${trialParameters.units}", '="${trialParameters.units}"'
    )


GRAPH = "graphConfig: {numLayers: 8, inputSizes: [32], outputSizes: [10]}"
STEPS = (
    "operations: [{operationType: convolution, parameters: "
    "[{name: size, parameterType: categorical, feasibleSpace: {list: ['3']}}]}]"
)
EMPTY = STEPS.replace("['3']", "[]")
ENAS = "{name: lr, reference: architecture}, {name: units, reference: nn_config}"


@pytest.mark.parametrize(
    ("nas", "settings", "references", "codes"),
    [
        (f"{GRAPH}, {STEPS}", "", ENAS, set()),
        (f"{GRAPH}, {STEPS}", "{name: controller_hidden_size, value: '64'}", ENAS, set()),
        (f"{GRAPH}, {STEPS}", "{name: controller_temperature, value: None}", ENAS, set()),
        (f"{GRAPH}, {STEPS}", "{name: controller_hidden_size, value: '0'}", ENAS, {"KT214"}),
        (f"{GRAPH}, {STEPS}", "{name: controller_learning_rate, value: '1.5'}", ENAS, {"KT214"}),
        (f"{GRAPH}, {STEPS}", "{name: hidden_size, value: '64'}", ENAS, {"KT214"}),
        (STEPS, "", ENAS, {"KT225"}),
        (f"{GRAPH}, {EMPTY}", "", ENAS, {"KT225"}),
        (f"{GRAPH}, {STEPS}", "", ENAS.replace("nn_config", "network"), {"KT230"}),
    ],
)
def test_what_enas_rejects_is_reported(nas: str, settings: str, references: str, codes: set[str]):
    assert serious(network("enas", nas, settings=settings, references=references)) == codes


@pytest.mark.parametrize(("most", "codes"), [(1, set()), (5, {"KT225"})])
def test_darts_answers_one_request_only(most: int, codes: set[str]):
    names = ("algorithm-settings", "search-space", "num-layers")
    references = ", ".join(f"{{name: {name}, reference: {name}}}" for name in names)
    used = " ".join(f'--{name}="${{trialParameters.{name}}}"' for name in names)
    more = f"parallelTrialCount: 1, maxTrialCount: {most},"
    text = network("darts", f"{GRAPH}, {STEPS}", references=references, more=more)
    text = text.replace("maxFailedTrialCount: 2", "maxFailedTrialCount: 1")
    old = '--lr="${trialParameters.lr}" --units="${trialParameters.units}"'
    assert serious(text.replace(old, used)) == codes


def test_the_json_of_enas_needs_quotes_around_its_placeholder():
    text = network("enas", f"{GRAPH}, {STEPS}", references=ENAS).replace(
        '"${trialParameters.lr}"', "${trialParameters.lr}"
    )
    (found,) = [each for each in findings(text) if each.severity != "advice"]
    assert found.code == "KT263"
    assert "around ${trialParameters.lr}" in found.message
    assert found.path.endswith("trialParameters[0].reference")
