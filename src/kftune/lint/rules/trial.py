"""Rules for how Katib creates the trials of an admitted Experiment and detects their end."""

from __future__ import annotations

from kftune.lint.rules.example import PLAIN, container, parameters
from kftune.lint.rules.rule import COLLECTOR, RUNTIME, WRAPPER, Rule

_PBT = (
    "algorithm: {algorithmName: pbt, algorithmSettings: [{name: suggestion_trial_dir, value: /data}, "
    "{name: n_population, value: '5'}, {name: truncation_threshold, value: '0.4'}]}, "
    "parameters: [{name: learning_rate, parameterType: int, feasibleSpace: {min: '0', max: '9'}}, "
    "{name: units, parameterType: categorical, feasibleSpace: {list: ['32', '64']}}]"
)

SOURCE = RUNTIME

RULES = (
    Rule(
        code="KT230",
        severity="hangs",
        title="A parameter without a trial parameter",
        explanation="Katib has no place for its value, so it fails to create trials and retries forever.",
        remedy="add a trialParameter with this reference and use it in the template, or remove the parameter",
        fails=parameters(more=", {name: extra, parameterType: int, feasibleSpace: {min: '1', max: '9'}}"),
    ),
    Rule(
        code="KT231",
        severity="advice",
        title="No maxTrialCount",
        explanation="Without it an Experiment ends only when it reaches its goal or maxFailedTrialCount. It then shows "
        "Restarting beside Succeeded or Failed.",
        remedy="set maxTrialCount",
        fails="spec: {maxTrialCount: null}",
    ),
    Rule(
        code="KT232",
        severity="hangs",
        title="Labels or annotations without a key",
        explanation="${trialSpec.Labels} does not name a label, and Katib fails to create trials.",
        remedy="add the key: ${trialSpec.Labels[team]}",
        fails=(
            "spec: {trialTemplate: {trialParameters: [{name: lr, reference: learning_rate}, "
            "{name: units, reference: units}, {name: team, reference: '${trialSpec.Labels}'}], "
            "trialSpec: {metadata: {labels: {a: '${trialParameters.team}'}}}}}"
        ),
    ),
    Rule(
        code="KT233",
        severity="hangs",
        title="A pod without the primary container",
        explanation="Katib's webhook rejects every pod of a trial without this container, also workers and launchers.",
        remedy="give one container in each pod template the name in primaryContainerName",
        fails="spec: {trialTemplate: {primaryContainerName: other}}",
        source=WRAPPER,
    ),
    Rule(
        code="KT234",
        severity="hangs",
        title="A trial kind that Katib does not watch",
        explanation="Katib creates an object of any kind, but sees the end only of the kinds that katib-config lists.",
        remedy="add the kind to katib-config and its permissions to the ClusterRole, and pass --katib-config FILE",
        fails=(
            "spec: {trialTemplate: {successCondition: a, failureCondition: b, trialSpec: {kind: Workflow, "
            "apiVersion: argoproj.io/v1alpha1}}}"
        ),
    ),
    Rule(
        code="KT235",
        severity="hangs",
        title="More suggestions than one object can hold",
        explanation="Katib keeps all suggestions in the status of one object. etcd rejects objects above 1.5 MiB, and "
        "then no more trials are created.",
        remedy="lower maxTrialCount, or split the search into several Experiments",
        fails="spec: {maxTrialCount: 50000}",
    ),
    Rule(
        code="KT236",
        severity="advice",
        title="Other containers next to the training",
        explanation="The collector waits for the processes of all containers; one that keeps running blocks the trial. "
        "An init container with restartPolicy Always does so always, and its trial hangs.",
        remedy="make the other containers end with the training, or move them into another pod",
        fails=container(
            f"{PLAIN}}}, {{name: proxy, image: 'registry.example/proxy:1', resources: {{limits: {{cpu: '1'}}}}"
        ),
        source=COLLECTOR,
    ),
    Rule(
        code="KT237",
        severity="hangs",
        title="A condition that the trial's object never has",
        explanation="Katib evaluates a GJSON path on the status. If it finds nothing, the trial stays running.",
        remedy="remove the conditions for Jobs and Kubeflow's jobs, or name a condition that the kind has",
        fails="spec: {trialTemplate: {successCondition: 'status.conditions.#(type==\"Succeeded\")#'}}",
        passes="spec: {trialTemplate: {successCondition: 'status.conditions.#(type==\"Complete\")#'}}",
    ),
    Rule(
        code="KT239",
        severity="hangs",
        title="Labels that no pod has",
        explanation="Katib's collector goes into pods with all of primaryPodLabels. Without it a trial waits for its "
        "metrics forever.",
        remedy="remove primaryPodLabels, or use labels that the pods of the kind have",
        fails="spec: {trialTemplate: {primaryPodLabels: {role: main}}}",
        passes=(
            "spec: {trialTemplate: {primaryPodLabels: {role: main}, trialSpec: {spec: {template: {metadata: "
            "{labels: {role: main}}}}}}}"
        ),
        source=WRAPPER,
    ),
    Rule(
        code="KT261",
        severity="wrong",
        title="A value that breaks the template",
        explanation="Values are inserted into JSON unescaped: a quote ends the string, a backslash begins an escape.",
        remedy="use values of letters, digits and characters such as . - _ /",
        fails=parameters(units="'a\\b'"),
    ),
    Rule(
        code="KT262",
        severity="hangs",
        title="A ConfigMap template that values break",
        explanation="Katib parses the ConfigMap before and after it inserts values. An unquoted placeholder in {...} "
        "or [...] is invalid YAML, and in block style it becomes a number where the Job needs a string.",
        remedy="quote each placeholder",
    ),
    Rule(
        code="KT264",
        severity="hangs",
        title="A name too long for pbt",
        explanation="pbt adds a UUID to the Experiment's name, and the name of a Job has at most 63 characters.",
        remedy="give the Experiment a name of at most 26 characters",
        fails=f"metadata: {{name: a-name-of-thirty-characters-xx}}\nspec: {{resumePolicy: FromVolume, {_PBT}}}",
        passes=f"spec: {{resumePolicy: FromVolume, {_PBT}}}",
    ),
    Rule(
        code="KT266",
        severity="advice",
        title="A trial template that is not in the input",
        explanation="Without the ConfigMap of the template, the trial's object, command and values cannot be checked. "
        "The templates of a stock install are known.",
        remedy="check both files together: kftune lint experiment.yaml templates.yaml",
    ),
    Rule(
        code="KT265",
        severity="hangs",
        title="pbt without its volume",
        explanation="pbt copies checkpoints through a volume that needs resumePolicy FromVolume and that Push lacks. "
        "Katib mounts it for every algorithm that has the setting suggestion_trial_dir.",
        remedy="set resumePolicy: FromVolume, and use a collector other than Push",
        fails=f"spec: {{{_PBT}}}",
        passes=f"spec: {{resumePolicy: FromVolume, {_PBT}}}",
    ),
)
