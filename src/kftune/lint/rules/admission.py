"""Rules for what the API server and Katib's webhooks reject or silently drop."""

from __future__ import annotations

from kftune.lint.rules.example import parameters
from kftune.lint.rules.rule import Rule

_SERVER = "k8s.io/apimachinery, pkg/api/validation"
SOURCE = "katib v0.19.0, pkg/webhook/v1beta1/experiment/validator/validator.go"


def _file_filter(regex: str) -> str:
    source = f"{{filter: {{metricsFormat: ['{regex}']}}}}"
    return f"spec: {{metricsCollectorSpec: {{collector: {{kind: File}}, source: {source}}}}}"


RULES = (
    Rule(
        code="KT100",
        severity="refused",
        title="Invalid YAML",
        explanation="kubectl's reader rejects syntax errors, unknown aliases, infinities and NaN.",
        remedy="fix the text at the given position",
        fails="spec: {objective: {goal: .inf}}",
        source="sigs.k8s.io/yaml",
    ),
    Rule(
        code="KT101",
        severity="refused",
        title="Not an Experiment, a study or a pipeline",
        explanation="The API server identifies an object by its exact apiVersion and kind. kftune recognises its own "
        "files by their keys: hparams, objective and step in a study, steps in a pipeline.",
        remedy="write apiVersion: kubeflow.org/v1beta1 and kind: Experiment, or the keys of a study or pipeline",
        fails="apiVersion: kubeflow.org/v1alpha3",
        source=_SERVER,
    ),
    Rule(
        code="KT102",
        severity="refused",
        title="Metadata that the API server rejects",
        explanation="Names consist of a-z, 0-9, '-' and '.'; label values are strings of at most 63 bytes.",
        remedy="use a name such as my-study, and quote label values",
        fails="metadata: {name: My_Study}",
        source=_SERVER,
    ),
    Rule(
        code="KT103",
        severity="refused",
        title="A value of the wrong type",
        explanation="Katib decodes the object into Go types. Bounds, steps, list items and setting values are strings "
        "there, even if they look like numbers; counts are integers and the goal is a number.",
        remedy="quote numbers where a string is expected, and remove the quotes from counts and the goal",
        fails=parameters(rate="min: 0.01, max: '0.1'"),
        source="katib v0.19.0, pkg/apis/controller/experiments/v1beta1/experiment_types.go",
    ),
    Rule(
        code="KT104",
        severity="wrong",
        title="An unknown field that is dropped silently",
        explanation="The Experiment's CRD accepts any field, but Katib's webhook writes back only the fields that it "
        "knows. A misspelt field, or one with other upper and lower case, is lost.",
        remedy="correct the name of the field or remove it",
        fails="spec: {maxTrialCounts: 5}",
        source="katib v0.19.0, manifests/v1beta1/components/crd/experiment.yaml (x-kubernetes-preserve-unknown-fields)",
    ),
    Rule(
        code="KT105",
        severity="refused",
        title="A namespace without Katib's label",
        explanation="Katib accepts Experiments only in namespaces where it may add its collector to pods.",
        remedy="label the namespace: katib.kubeflow.org/metrics-collector-injection: enabled",
        source="katib v0.19.0, pkg/webhook/v1beta1/experiment/validation_webhook.go",
    ),
    Rule(
        code="KT106",
        severity="refused",
        title="A name that Katib rejects",
        explanation="Services and pods get its name, so it begins with a letter and has at most 40 characters.",
        remedy="use a shorter name that begins with a letter",
        fails="metadata: {name: 9a}",
    ),
    Rule(
        code="KT107",
        severity="refused",
        title="Inconsistent counts",
        explanation="maxTrialCount and parallelTrialCount (default 3) must be positive, and maxFailedTrialCount not "
        "negative. No count may exceed maxTrialCount.",
        remedy="raise maxTrialCount, or lower parallelTrialCount and maxFailedTrialCount",
        fails="spec: {maxTrialCount: 1}",
        passes="spec: {maxTrialCount: 3, parallelTrialCount: 3, maxFailedTrialCount: 3}",
    ),
    Rule(
        code="KT108",
        severity="refused",
        title="A change that an existing Experiment does not allow",
        explanation="Only the three counts of an existing Experiment may change. A completed one restarts only if it "
        "reached maxTrialCount, has resumePolicy LongRunning or FromVolume, and gets a higher maxTrialCount.",
        remedy="change only the counts, or create another Experiment",
    ),
    Rule(
        code="KT109",
        severity="refused",
        title="An incomplete objective",
        explanation="An objective needs a type and the name of a metric that is not also an additional one.",
        remedy="set objective.type (minimize or maximize) and objective.objectiveMetricName",
        fails="spec: {objective: {type: min}}",
    ),
    Rule(
        code="KT110",
        severity="refused",
        title="An algorithm that is not installed",
        explanation="The algorithm must be listed in katib-config, spelt exactly the same.",
        remedy="use an installed algorithm, such as random or tpe; --katib-config selects another configuration",
        fails="spec: {algorithm: {algorithmName: bohb}}",
    ),
    Rule(
        code="KT111",
        severity="refused",
        title="An early stopping algorithm that is not installed",
        explanation="The algorithm must be listed in katib-config; the default installation has only medianstop.",
        remedy="use medianstop, register kftune's early stopping service (kftune render --with-service), or remove "
        "earlyStopping",
        fails="spec: {earlyStopping: {algorithmName: median}}",
        passes="spec: {earlyStopping: {algorithmName: medianstop}}",
    ),
    Rule(
        code="KT112",
        severity="refused",
        title="An unknown resume policy",
        explanation="resumePolicy is Never, LongRunning or FromVolume.",
        remedy="use one of the three",
        fails="spec: {resumePolicy: never}",
        passes="spec: {resumePolicy: Never}",
    ),
    Rule(
        code="KT113",
        severity="refused",
        title="Neither parameters nor nasConfig, or both",
        explanation="An Experiment searches either parameters or an architecture.",
        remedy="set either spec.parameters or spec.nasConfig",
        fails="spec: {parameters: []}",
    ),
    Rule(
        code="KT114",
        severity="refused",
        title="An unknown type or distribution",
        explanation="parameterType is double, int, discrete or categorical; distribution is uniform, logUniform, "
        "normal or logNormal.",
        remedy="use one of these, spelt exactly like this",
        fails=parameters(kind="float"),
    ),
    Rule(
        code="KT115",
        severity="refused",
        title="A feasible space that does not fit the type",
        explanation="double and int need min and max and no list; categorical and discrete need a list and no bounds.",
        remedy="give numbers min and max, and give the other types a list",
        fails=parameters(rate="min: '0.01'"),
    ),
    Rule(
        code="KT116",
        severity="refused",
        title="An incomplete trial template",
        explanation="A template names the primary container and its parameters, inline or in a ConfigMap. ConfigMaps, "
        "and kinds other than Job and Kubeflow's jobs, need a success and a failure condition.",
        remedy="add what is missing",
        fails="spec: {trialTemplate: {primaryContainerName: null}}",
    ),
    Rule(
        code="KT117",
        severity="refused",
        title="Trial parameters and placeholders that do not match",
        explanation="Each trial parameter has a name and refers to one parameter. The template has a placeholder "
        "${trialParameters.NAME} for each of them, and no others.",
        remedy="make spec.parameters, trialParameters and the placeholders match",
        fails="spec: {trialTemplate: {trialParameters: [{name: lr, reference: lr}, {name: units, reference: units}]}}",
    ),
    Rule(
        code="KT118",
        severity="refused",
        title="A template that is not a complete object",
        explanation="A template needs apiVersion and kind, but no name and no namespace: Katib sets both.",
        remedy="add apiVersion and kind, and remove metadata.name and metadata.namespace",
        fails="spec: {trialTemplate: {trialSpec: {metadata: {name: x}}}}",
    ),
    Rule(
        code="KT119",
        severity="refused",
        title="A Job that does not survive conversion",
        explanation="Katib converts a Job template to Go's type and back. It rejects unknown fields, wrong types, "
        "values that Go omits (empty strings, lists and maps, false, null), and quantities such as 1024Mi instead of "
        "1Gi.",
        remedy="correct the field at the given position, or remove it",
        fails="spec: {trialTemplate: {trialSpec: {spec: {backofLimit: 0}}}}",
    ),
    Rule(
        code="KT120",
        severity="refused",
        title="A metrics collector that Katib rejects",
        explanation="StdOut, File, TensorFlowEvent, Custom and Push are installed by default, PrometheusMetric is "
        "not. File and TensorFlowEvent need an absolute path.",
        remedy="use an installed kind, with the source that it needs",
        fails="spec: {metricsCollectorSpec: {collector: {kind: stdout}}}",
        passes="spec: {metricsCollectorSpec: {collector: {kind: StdOut}}}",
    ),
    Rule(
        code="KT121",
        severity="refused",
        title="A metrics filter that Katib rejects",
        explanation="A filter is a Go regex (no lookaround, no back-references) with two groups: name and value.",
        remedy="write an RE2 regex with two groups, such as ([\\w-]+)=([0-9.]+)",
        fails=_file_filter("(?=x)(a)(b)"),
        passes=_file_filter("(\\w+)=(\\S+)"),
    ),
    Rule(
        code="KT122",
        severity="advice",
        title="What clients read differently",
        explanation="kubectl create, kubectl apply, server-side apply and API clients do not agree about generateName "
        "and a key that is given twice.",
        remedy="write metadata.name, and each key once; or use one client only",
        fails="metadata: {name: null, generateName: study-}",
        source="kubectl create and apply, with and without --server-side, on a cluster",
    ),
)

# Prefix of a reason's field -> code; the first match counts.
_FIELDS = (
    ("spec.maxTrialCount", "KT107"),
    ("spec.maxFailedTrialCount", "KT107"),
    ("spec.parallelTrialCount", "KT107"),
    ("spec.objective", "KT109"),
    ("spec.algorithm", "KT110"),
    ("spec.earlyStopping", "KT111"),
    ("spec.metricsCollectorSpec.source.filter", "KT121"),
    ("spec.metricsCollectorSpec", "KT120"),
    ("spec.trialTemplate.trialParameters[", "KT117"),
    ("metadata", "KT102"),
)

# Prefix of a reason's detail -> code, for fields with several kinds of errors.
_DETAILS = (
    ("must be greater than status.trials", "KT108"),
    ("Experiment can be restarted", "KT108"),
    ("only spec.parallelTrialCount", "KT108"),
    ("invalid ResumePolicyType", "KT112"),
    ("spec.parameters or spec.nasConfig", "KT113"),
    ("only one of spec.parameters", "KT113"),
    ("parameterType:", "KT114"),
    ("distribution:", "KT114"),
    ("feasibleSpace", "KT115"),
    ("must be greater than 0 for distribution", "KT115"),
    ("parameters: [", "KT117"),
    ("unable to convert spec.trialTemplate", "KT118"),
    ("metadata.name and metadata.namespace", "KT118"),
    ("APIVersion and Kind", "KT118"),
    ("invalid spec.trialTemplate", "KT119"),
    ("name must consist of lower case", "KT106"),
)


def code_of_reason(field: str, detail: str) -> str:
    """Returns the code of the rule for a refusal by the server or the webhook.

    Args:
        field: The field as the webhook names it.
        detail: The text after it.
    """
    by_detail = (code for prefix, code in _DETAILS if detail.startswith(prefix))
    by_field = (code for prefix, code in _FIELDS if field.startswith(prefix))
    return next(by_detail, None) or next(by_field, None) or "KT116"
