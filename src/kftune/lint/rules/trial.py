"""Rules for how Katib makes the trials of an admitted Experiment, and learns of their end."""

from __future__ import annotations

from kftune.lint.rules.example import PLAIN, container
from kftune.lint.rules.rule import Rule

_RUNTIME = "katib v0.19.0, pkg/controller.v1beta1; recorded runs"
_COLLECTOR = "katib v0.19.0, pkg/metricscollector/v1beta1; recorded runs"
_WRAPPER = "katib v0.19.0, pkg/webhook/v1beta1/pod; recorded runs in dash and bash"
_PBT = (
    "algorithm: {algorithmName: pbt, algorithmSettings: [{name: suggestion_trial_dir, value: /data}, "
    "{name: n_population, value: '5'}, {name: truncation_threshold, value: '0.4'}]}, "
    "parameters: [{name: learning_rate, parameterType: int, feasibleSpace: {min: '0', max: '9'}}, "
    "{name: units, parameterType: categorical, feasibleSpace: {list: ['32', '64']}}]"
)

RULES = (
    Rule(
        "KT230",
        "hangs",
        "A parameter that no trial parameter refers to",
        "Katib gives every parameter a value and then finds no place for this one: making the trial fails, for ever.",
        "add a trialParameter with this reference and use it in the template, or remove the parameter",
        "spec: {parameters: [{name: learning_rate, parameterType: double, feasibleSpace: {min: '0.1', max: '1'}}, "
        "{name: units, parameterType: categorical, feasibleSpace: {list: ['32']}}, "
        "{name: extra, parameterType: int, feasibleSpace: {min: '1', max: '9'}}]}",
        "",
        _RUNTIME,
    ),
    Rule(
        "KT231",
        "hangs",
        "No maxTrialCount",
        "An Experiment without maxTrialCount restarts after its goal or its last failure, and never stays completed.",
        "give maxTrialCount",
        "spec: {maxTrialCount: null}",
        "",
        _RUNTIME,
    ),
    Rule(
        "KT232",
        "hangs",
        "Labels or annotations without a key",
        "${trialSpec.Labels} names no label, and making the trial fails.",
        "name the key: ${trialSpec.Labels[team]}",
        "spec: {trialTemplate: {trialParameters: [{name: lr, reference: learning_rate}, "
        "{name: units, reference: units}, {name: team, reference: '${trialSpec.Labels}'}], "
        "trialSpec: {metadata: {labels: {a: '${trialParameters.team}'}}}}}",
        "",
        _RUNTIME,
    ),
    Rule(
        "KT233",
        "hangs",
        "A pod without the primary container",
        "Katib's webhook refuses every pod of a trial that has no container of this name, workers and launchers too.",
        "give one container in each pod template the name in primaryContainerName",
        "spec: {trialTemplate: {primaryContainerName: other}}",
        "",
        _WRAPPER,
    ),
    Rule(
        "KT234",
        "hangs",
        "A trial kind that Katib does not watch",
        "Katib creates an object of any kind, and sees the end only of those that katib-config lists.",
        "add the kind to katib-config and its rights to the ClusterRole, and give --katib-config FILE",
        "spec: {trialTemplate: {successCondition: a, failureCondition: b, trialSpec: {kind: Workflow, "
        "apiVersion: argoproj.io/v1alpha1}}}",
        "",
        _RUNTIME,
    ),
    Rule(
        "KT235",
        "hangs",
        "More suggestions than one object holds",
        "Katib keeps all suggestions of an Experiment in the status of one object, and etcd refuses objects beyond "
        "1.5 MiB: from there on no trial is made.",
        "lower maxTrialCount, or split the search into several Experiments",
        "spec: {maxTrialCount: 50000}",
        "",
        _RUNTIME,
    ),
    Rule(
        "KT236",
        "habit",
        "Other containers beside the training",
        "The collector waits until the processes of all containers have ended. One that runs on holds the trial "
        "for ever.",
        "make the other containers end with the training, or move them into a pod of their own",
        container(f"{PLAIN}}}, {{name: proxy, image: 'registry.example/proxy:1', resources: {{limits: {{cpu: '1'}}}}"),
        "",
        _COLLECTOR,
    ),
    Rule(
        "KT237",
        "hangs",
        "A condition that the trial's object never has",
        "Katib looks into the object's status with a GJSON path. One that finds nothing leaves the trial running.",
        "leave the conditions out for Jobs and Kubeflow's jobs, or name a condition that the kind has",
        "spec: {trialTemplate: {successCondition: 'status.conditions.#(type==\"Succeeded\")#'}}",
        "spec: {trialTemplate: {successCondition: 'status.conditions.#(type==\"Complete\")#'}}",
        _RUNTIME,
    ),
    Rule(
        "KT239",
        "wrong",
        "Labels that no pod has",
        "Katib adds its collector to pods with all of primaryPodLabels. When none has them, the trial ends without "
        "metrics.",
        "leave primaryPodLabels out, or give labels that the pods of the kind have",
        "spec: {trialTemplate: {primaryPodLabels: {role: main}}}",
        "spec: {trialTemplate: {primaryPodLabels: {role: main}, trialSpec: {spec: {template: {metadata: "
        "{labels: {role: main}}}}}}}",
        _WRAPPER,
    ),
    Rule(
        "KT261",
        "wrong",
        "A value that breaks the template",
        "Values are put into the template's JSON as they are: quotes end a text, a backslash begins an escape.",
        "use values of letters, digits and signs such as . - _ /",
        "spec: {parameters: [{name: learning_rate, parameterType: double, feasibleSpace: {min: '0.1', max: '1'}}, "
        "{name: units, parameterType: categorical, feasibleSpace: {list: ['a\\b']}}]}",
        "",
        _RUNTIME,
    ),
    Rule(
        "KT262",
        "hangs",
        "A template of a ConfigMap that values break",
        "Katib reads the text of a ConfigMap before and after it puts values in. An unquoted placeholder in {...} or "
        "[...] is not YAML, and an unquoted one in block style becomes a number where the Job wants text.",
        "put each placeholder in quotes",
        "",
        "",
        _RUNTIME,
    ),
    Rule(
        "KT264",
        "hangs",
        "A name too long for pbt",
        "pbt names its trials after the Experiment and a UUID, and a Job's name ends at 63 characters.",
        "give the Experiment a name of at most 26 characters",
        f"metadata: {{name: a-name-of-thirty-characters-xx}}\nspec: {{resumePolicy: FromVolume, {_PBT}}}",
        f"spec: {{resumePolicy: FromVolume, {_PBT}}}",
        _RUNTIME,
    ),
    Rule(
        "KT265",
        "hangs",
        "pbt without its volume",
        "pbt copies checkpoints between trials in a volume that exists with resumePolicy FromVolume only, and that "
        "Push does not mount.",
        "write resumePolicy: FromVolume, and a collector other than Push",
        f"spec: {{{_PBT}}}",
        f"spec: {{resumePolicy: FromVolume, {_PBT}}}",
        _RUNTIME,
    ),
)
