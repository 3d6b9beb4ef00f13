"""Rules for what the API server and Katib's webhooks refuse, or drop without a word."""

from __future__ import annotations

from kftune.lint.rules.rule import Rule

_SERVER = "k8s.io/apimachinery, pkg/api/validation"
_WEBHOOK = "katib v0.19.0, pkg/webhook/v1beta1/experiment/validator/validator.go"

RULES = (
    Rule(
        "KT100",
        "refused",
        "Text that is not YAML",
        "kubectl turns YAML into JSON with Go's reader. It refuses what it cannot read, unknown aliases, and "
        "infinities and NaN, which JSON does not have.",
        "mend the text at the place given",
        "spec: {objective: {goal: .inf}}",
        "",
        "sigs.k8s.io/yaml",
    ),
    Rule(
        "KT101",
        "refused",
        "Not an Experiment of kubeflow.org/v1beta1",
        "The API server knows an object by apiVersion and kind, letter by letter.",
        "write apiVersion: kubeflow.org/v1beta1 and kind: Experiment",
        "apiVersion: kubeflow.org/v1alpha3",
        "",
        _SERVER,
    ),
    Rule(
        "KT102",
        "refused",
        "Metadata that the API server refuses",
        "Names are lower case letters, digits, '-' and '.'; labels are text of at most 63 characters.",
        "give a name such as my-study, and labels as quoted text",
        "metadata: {name: My_Study}",
        "",
        _SERVER,
    ),
    Rule(
        "KT103",
        "refused",
        "A value of the wrong type",
        "Katib decodes the object into Go types. Bounds, steps, list items and setting values are text there, even "
        "where they look like numbers; counts are integers and the goal is a number.",
        "put numbers in quotes where text is wanted, and take the quotes off counts and the goal",
        "spec: {parameters: [{name: learning_rate, parameterType: double, feasibleSpace: {min: 0.01, max: '0.1'}}]}",
        "",
        "katib v0.19.0, pkg/apis/controller/experiments/v1beta1/experiment_types.go",
    ),
    Rule(
        "KT104",
        "wrong",
        "A field that is dropped without a word",
        "The Experiment's CRD takes any field, and Katib's webhook writes back only those it knows. A misspelt field, "
        "or one whose letters differ in case, is gone afterwards.",
        "correct the name of the field or remove it",
        "spec: {maxTrialCounts: 5}",
        "",
        "katib v0.19.0, manifests/v1beta1/components/crd/experiment.yaml (x-kubernetes-preserve-unknown-fields)",
    ),
    Rule(
        "KT105",
        "refused",
        "A namespace without Katib's label",
        "Katib takes Experiments only in namespaces in which it may add its collector to pods.",
        "label the namespace: katib.kubeflow.org/metrics-collector-injection: enabled",
        "",
        "",
        "katib v0.19.0, pkg/webhook/v1beta1/experiment/validation_webhook.go",
    ),
    Rule(
        "KT106",
        "refused",
        "A name that Katib refuses",
        "Services and pods are named after the Experiment, so that its name begins with a letter and has at most 40 "
        "characters.",
        "give a shorter name that begins with a letter",
        "metadata: {name: 9a}",
        "",
        _WEBHOOK,
    ),
    Rule(
        "KT107",
        "refused",
        "Counts that do not fit together",
        "maxTrialCount and parallelTrialCount are above 0, maxFailedTrialCount is not negative, and none of the other "
        "two is above maxTrialCount. parallelTrialCount is 3 where it is not given.",
        "raise maxTrialCount, or give a smaller parallelTrialCount and maxFailedTrialCount",
        "spec: {maxTrialCount: 1}",
        "spec: {maxTrialCount: 3, parallelTrialCount: 3, maxFailedTrialCount: 3}",
        _WEBHOOK,
    ),
    Rule(
        "KT108",
        "refused",
        "A change that a living Experiment does not take",
        "Of a living Experiment only the three counts may change. A completed one restarts only after it has reached "
        "maxTrialCount, with resumePolicy LongRunning or FromVolume, and with more trials than before.",
        "change only the counts, or create another Experiment",
        "",
        "",
        _WEBHOOK,
    ),
    Rule(
        "KT109",
        "refused",
        "An incomplete objective",
        "An objective has a type, minimize or maximize, and the name of a metric that is not an additional one.",
        "give objective.type and objective.objectiveMetricName",
        "spec: {objective: {type: min}}",
        "",
        _WEBHOOK,
    ),
    Rule(
        "KT110",
        "refused",
        "An algorithm that is not installed",
        "The algorithm must be one of katib-config, letter by letter.",
        "give the name of an installed algorithm, such as random or tpe; --katib-config names another configuration",
        "spec: {algorithm: {algorithmName: bohb}}",
        "",
        _WEBHOOK,
    ),
    Rule(
        "KT111",
        "refused",
        "An early stopping algorithm that is not installed",
        "The algorithm must be one of katib-config; a stock install has medianstop only.",
        "write medianstop, or leave earlyStopping out",
        "spec: {earlyStopping: {algorithmName: median}}",
        "spec: {earlyStopping: {algorithmName: medianstop}}",
        _WEBHOOK,
    ),
    Rule(
        "KT112",
        "refused",
        "An unknown resume policy",
        "resumePolicy is Never, LongRunning or FromVolume.",
        "write one of the three",
        "spec: {resumePolicy: never}",
        "spec: {resumePolicy: Never}",
        _WEBHOOK,
    ),
    Rule(
        "KT113",
        "refused",
        "Neither parameters nor nasConfig, or both",
        "An Experiment searches either parameters or an architecture.",
        "give spec.parameters, or spec.nasConfig",
        "spec: {parameters: []}",
        "",
        _WEBHOOK,
    ),
    Rule(
        "KT114",
        "refused",
        "An unknown type or distribution",
        "parameterType is double, int, discrete or categorical; distribution is uniform, logUniform, normal or "
        "logNormal.",
        "write one of these, letter by letter",
        "spec: {parameters: [{name: learning_rate, parameterType: float, feasibleSpace: {min: '0.01', max: '0.1'}},"
        " {name: units, parameterType: categorical, feasibleSpace: {list: ['32']}}]}",
        "",
        _WEBHOOK,
    ),
    Rule(
        "KT115",
        "refused",
        "A feasible space of the wrong kind",
        "double and int take min and max and no list; categorical and discrete take a list and no bounds.",
        "give min and max to numbers and a list to the others",
        "spec: {parameters: [{name: learning_rate, parameterType: double, feasibleSpace: {min: '0.01'}},"
        " {name: units, parameterType: categorical, feasibleSpace: {list: ['32']}}]}",
        "",
        _WEBHOOK,
    ),
    Rule(
        "KT116",
        "refused",
        "An incomplete trial template",
        "A template names the primary container and its parameters, and is either inline or in a ConfigMap. Kinds "
        "other than Job and Kubeflow's jobs, and templates in ConfigMaps, need a success and a failure condition.",
        "give what is missing",
        "spec: {trialTemplate: {primaryContainerName: null}}",
        "",
        _WEBHOOK,
    ),
    Rule(
        "KT117",
        "refused",
        "Trial parameters and placeholders that do not match",
        "Each trial parameter has a name and refers to a parameter of the search, once; the template holds a "
        "placeholder ${trialParameters.NAME} for each, and no other.",
        "make spec.parameters, trialParameters and the placeholders match",
        "spec: {trialTemplate: {trialParameters: [{name: lr, reference: lr}, {name: units, reference: units}]}}",
        "",
        _WEBHOOK,
    ),
    Rule(
        "KT118",
        "refused",
        "A template that is no object of its own",
        "A template has apiVersion and kind, and neither a name nor a namespace: Katib gives it both.",
        "give apiVersion and kind, and remove metadata.name and metadata.namespace",
        "spec: {trialTemplate: {trialSpec: {metadata: {name: x}}}}",
        "",
        _WEBHOOK,
    ),
    Rule(
        "KT119",
        "refused",
        "A Job that does not convert",
        "Katib converts a Job template to Go's type and back. Unknown fields and wrong types are refused, and so are "
        "values that Go leaves out when it writes: empty text, lists and maps, false, null; and quantities in another "
        "spelling, such as 1024Mi for 1Gi.",
        "correct the field at the place given, or remove it",
        "spec: {trialTemplate: {trialSpec: {spec: {backofLimit: 0}}}}",
        "",
        _WEBHOOK,
    ),
    Rule(
        "KT120",
        "refused",
        "A metrics collector that Katib refuses",
        "A collector's kind is StdOut, File, TensorFlowEvent, Custom or Push; a stock install has no PrometheusMetric. "
        "File and TensorFlowEvent take an absolute path.",
        "write a kind that is installed, with the source it needs",
        "spec: {metricsCollectorSpec: {collector: {kind: stdout}}}",
        "spec: {metricsCollectorSpec: {collector: {kind: StdOut}}}",
        _WEBHOOK,
    ),
    Rule(
        "KT121",
        "refused",
        "A metrics filter that Katib refuses",
        "A filter must compile in Go, which knows no lookaround and no back-references, and must have two groups: the "
        "metric's name and its value.",
        "write a regex of RE2 with two groups, such as ([\\w-]+)=([0-9.]+)",
        "spec: {metricsCollectorSpec: {collector: {kind: File}, source: {filter: {metricsFormat: ['(?=x)(a)(b)']}}}}",
        "spec: {metricsCollectorSpec: {collector: {kind: File}, source: {filter: {metricsFormat: ['(\\w+)=(\\S+)']}}}}",
        _WEBHOOK,
    ),
)

# Beginning of a reason's field -> code; the first that fits. `metadata` is the server's and `name` the webhook's.
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
)

# Beginning of a reason's detail -> code, for the fields that stand for several things.
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
    """The rule that a reason of the server or the webhook belongs to."""
    for beginning, code in _DETAILS:
        if detail.startswith(beginning):
            return code
    for beginning, code in _FIELDS:
        if field.startswith(beginning):
            return code
    return "KT102" if field.startswith("metadata") else "KT116"
