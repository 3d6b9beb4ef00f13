"""Rules for what goes wrong with the trials of an admitted Experiment."""

from __future__ import annotations

from kftune.lint.rule import Rule, Severity

_RUNTIME = "katib v0.19.0, pkg/controller.v1beta1; recorded runs"
_COLLECTOR = "katib v0.19.0, pkg/metricscollector/v1beta1; recorded runs"
_WRAPPER = "katib v0.19.0, pkg/webhook/v1beta1/pod; recorded runs in dash and bash"
_LIMITS = "resources: {limits: {cpu: '1'}}"
_RUN = "python train.py --lr=${trialParameters.lr} --units=${trialParameters.units}"


def _rule(
    code: str,
    severity: Severity,
    title: str,
    explanation: str,
    remedy: str,
    fails: str,
    passes: str = "",
    source: str = _RUNTIME,
) -> Rule:
    return Rule(code, severity, title, explanation, remedy, fails, passes, source)


def _container(inside: str, pod: str = "") -> str:
    spec = f"{{{pod}containers: [{{name: main, image: 'registry.example/lstm:1', {_LIMITS}, {inside}}}]}}"
    return f"spec: {{trialTemplate: {{trialSpec: {{spec: {{template: {{spec: {spec}}}}}}}}}}}"


def _script(text: str) -> str:
    return _container(f'command: [sh, -c], args: ["{text}"]')


def _train_job(spec: str) -> str:
    nothing = "template: null, backoffLimit: null, activeDeadlineSeconds: null"
    return (
        "spec: {trialTemplate: {primaryContainerName: node, trialSpec: {apiVersion: trainer.kubeflow.org/v1alpha1, "
        f"kind: TrainJob, spec: {{{nothing}, {spec}}}}}}}}}"
    )


def _collector(inside: str) -> str:
    return f"spec: {{metricsCollectorSpec: {{{inside}}}}}"


_PLAIN = "command: [python, train.py], args: ['--lr=${trialParameters.lr}', '--units=${trialParameters.units}']"
_PBT = (
    "algorithm: {algorithmName: pbt, algorithmSettings: [{name: suggestion_trial_dir, value: /data}, "
    "{name: n_population, value: '5'}, {name: truncation_threshold, value: '0.4'}]}, "
    "parameters: [{name: learning_rate, parameterType: int, feasibleSpace: {min: '0', max: '9'}}, "
    "{name: units, parameterType: categorical, feasibleSpace: {list: ['32', '64']}}]"
)

RULES = (
    _rule(
        "KT230",
        "hangs",
        "A parameter that no trial parameter refers to",
        "Katib gives every parameter a value and then finds no place for this one: making the trial fails, for ever.",
        "add a trialParameter with this reference and use it in the template, or remove the parameter",
        "spec: {parameters: [{name: learning_rate, parameterType: double, feasibleSpace: {min: '0.1', max: '1'}}, "
        "{name: units, parameterType: categorical, feasibleSpace: {list: ['32']}}, "
        "{name: extra, parameterType: int, feasibleSpace: {min: '1', max: '9'}}]}",
    ),
    _rule(
        "KT231",
        "hangs",
        "No maxTrialCount",
        "An Experiment without maxTrialCount restarts after its goal or its last failure, and never stays completed.",
        "give maxTrialCount",
        "spec: {maxTrialCount: null}",
    ),
    _rule(
        "KT232",
        "hangs",
        "Labels or annotations without a key",
        "${trialSpec.Labels} names no label, and making the trial fails.",
        "name the key: ${trialSpec.Labels[team]}",
        "spec: {trialTemplate: {trialParameters: [{name: lr, reference: learning_rate}, "
        "{name: units, reference: units}, {name: team, reference: '${trialSpec.Labels}'}], "
        "trialSpec: {metadata: {labels: {a: '${trialParameters.team}'}}}}}",
    ),
    _rule(
        "KT233",
        "hangs",
        "A pod without the primary container",
        "Katib's webhook refuses every pod of a trial that has no container of this name, workers and launchers too.",
        "give one container in each pod template the name in primaryContainerName",
        "spec: {trialTemplate: {primaryContainerName: other}}",
        "",
        _WRAPPER,
    ),
    _rule(
        "KT234",
        "hangs",
        "A trial kind that Katib does not watch",
        "Katib creates an object of any kind, and sees the end only of those that katib-config lists.",
        "add the kind to katib-config and its rights to the ClusterRole, and give --katib-config FILE",
        "spec: {trialTemplate: {successCondition: a, failureCondition: b, trialSpec: {kind: Workflow, "
        "apiVersion: argoproj.io/v1alpha1}}}",
    ),
    _rule(
        "KT235",
        "hangs",
        "More suggestions than one object holds",
        "Katib keeps all suggestions of an Experiment in the status of one object, and etcd refuses objects beyond "
        "1.5 MiB: from there on no trial is made.",
        "lower maxTrialCount, or split the search into several Experiments",
        "spec: {maxTrialCount: 50000}",
    ),
    _rule(
        "KT236",
        "habit",
        "Other containers beside the training",
        "The collector waits until the processes of all containers have ended. One that runs on holds the trial "
        "for ever.",
        "make the other containers end with the training, or move them into a pod of their own",
        "spec: {trialTemplate: {trialSpec: {spec: {template: {spec: {containers: [{name: main, "
        f"image: 'registry.example/lstm:1', {_LIMITS}, {_PLAIN}}}, "
        f"{{name: proxy, image: 'registry.example/proxy:1', {_LIMITS}}}]}}}}}}}}}}}}",
        "",
        _COLLECTOR,
    ),
    _rule(
        "KT237",
        "hangs",
        "A condition that the trial's object never has",
        "Katib looks into the object's status with a GJSON path. One that finds nothing leaves the trial running.",
        "leave the conditions out for Jobs and Kubeflow's jobs, or name a condition that the kind has",
        "spec: {trialTemplate: {successCondition: 'status.conditions.#(type==\"Succeeded\")#'}}",
        "spec: {trialTemplate: {successCondition: 'status.conditions.#(type==\"Complete\")#'}}",
    ),
    _rule(
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
    _rule(
        "KT240",
        "wrong",
        "A metric that the default filter cannot find",
        "The default filter takes letters, digits, '_', '-' and '|' for a name. val/loss is found as loss, and the "
        "objective is never there.",
        "rename the metric, or give metricsFormat a filter for it",
        "spec: {objective: {objectiveMetricName: val/loss}}",
        "",
        _COLLECTOR,
    ),
    _rule(
        "KT241",
        "wrong",
        "A filter with a semicolon",
        "Katib hands filters to its collector in one text, separated by semicolons.",
        "write \\x3b for the semicolon",
        _collector("collector: {kind: StdOut}, source: {filter: {metricsFormat: ['(\\w+)=([0-9.]+);']}}"),
        _collector("collector: {kind: StdOut}, source: {filter: {metricsFormat: ['(\\w+)=([0-9.]+)\\x3b']}}"),
        _COLLECTOR,
    ),
    _rule(
        "KT242",
        "fails",
        "A filter that stops the collector",
        "With StdOut the webhook does not look at filters; the collector panics at one that Go does not compile.",
        "write a regex of RE2: no lookaround, no back-references",
        _collector("collector: {kind: StdOut}, source: {filter: {metricsFormat: ['(?=x)(\\w+)=(\\S+)']}}"),
        _collector("collector: {kind: StdOut}, source: {filter: {metricsFormat: ['(\\w+)=(\\S+)']}}"),
        _COLLECTOR,
    ),
    _rule(
        "KT243",
        "wrong",
        "A filter with fewer than two groups",
        "Group 1 is the metric's name and group 2 its value; with fewer the filter finds nothing.",
        "write two groups, such as ([\\w-]+)=([0-9.]+)",
        _collector("collector: {kind: StdOut}, source: {filter: {metricsFormat: ['loss=([0-9.]+)']}}"),
        _collector("collector: {kind: StdOut}, source: {filter: {metricsFormat: ['(loss)=([0-9.]+)']}}"),
        _COLLECTOR,
    ),
    _rule(
        "KT244",
        "wrong",
        "A metric's name with a semicolon",
        "Katib hands the names to its collector in one text, separated by semicolons.",
        "rename the metric",
        "spec: {objective: {objectiveMetricName: 'a;b'}}",
        "",
        _COLLECTOR,
    ),
    _rule(
        "KT245",
        "wrong",
        "Early stopping with a collector that ignores it",
        "Only StdOut and File look at rules. TensorFlowEvent's collector stops at them, Push and Custom do not.",
        "use the collector StdOut or File, or leave earlyStopping out",
        "spec: {earlyStopping: {algorithmName: medianstop}, metricsCollectorSpec: {collector: {kind: Push}}}",
        "spec: {earlyStopping: {algorithmName: medianstop}}",
        _COLLECTOR,
    ),
    _rule(
        "KT246",
        "fails",
        "A metrics file right below /",
        "Katib mounts a volume over the file's folder, in both containers.",
        "put the file into a folder of its own",
        _collector("collector: {kind: File}, source: {fileSystemPath: {path: /metrics.log}}"),
        _collector("collector: {kind: File}, source: {fileSystemPath: {path: /out/metrics.log}}"),
        _COLLECTOR,
    ),
    _rule(
        "KT247",
        "fails",
        "A metrics path that the shell changes",
        "Katib writes the path into the shell line without quotes: its mark of completion goes elsewhere.",
        "use letters, digits and . _ - / in the path",
        _collector("collector: {kind: File}, source: {fileSystemPath: {path: '/out dir/metrics.log'}}"),
        _collector("collector: {kind: File}, source: {fileSystemPath: {path: /out/metrics.log}}"),
        _WRAPPER,
    ),
    _rule(
        "KT250",
        "wrong",
        "A shell that Katib does not recognise",
        "Katib knows sh and bash with -c, letter by letter. Of /bin/sh -c or bash -lc it runs the script's first word.",
        "write command: [sh, -c] and the script as the only argument",
        _container(f'command: [/bin/sh, -c], args: ["{_RUN}"]'),
        "",
        _WRAPPER,
    ),
    _rule(
        "KT251",
        "wrong",
        "A script that ends in a newline",
        "Katib appends its redirection to the text, and behind a newline it redirects nothing. YAML's | keeps it.",
        "write |- for |, or take the newline off",
        _script(_RUN + "\\n"),
        _script(_RUN),
        _WRAPPER,
    ),
    _rule(
        "KT252",
        "habit",
        "Several commands in one script",
        "Only the last command's output goes into the metrics file, and only its exit code counts.",
        "put the training last, or all commands into braces: { a; b; }",
        _script(f"{_RUN}; echo done"),
        _script(_RUN),
        _WRAPPER,
    ),
    _rule(
        "KT253",
        "fails",
        "A script that ends before Katib's mark",
        "Behind the training Katib writes `completed` into a file. exec, exit and a comment keep it from that, and the "
        "collector takes the trial for failed.",
        "remove exec, exit and the comment",
        _script(f"exec {_RUN}"),
        _script(_RUN),
        _WRAPPER,
    ),
    _rule(
        "KT254",
        "wrong",
        "Arguments that the shell changes",
        "Katib joins command and args with blanks and without quotes: blanks, quotes, $, brackets and ; are read by "
        "the shell.",
        "use command: [sh, -c] and a script with quotes of its own",
        _container(
            "command: [python, train.py], args: ['--lr=${trialParameters.lr}', '--name=a b', "
            "'--units=${trialParameters.units}']"
        ),
        _container(_PLAIN),
        _WRAPPER,
    ),
    _rule(
        "KT255",
        "wrong",
        "A shell without a script",
        "sh alone stops Katib's webhook; sh -c with nothing succeeds and measures nothing.",
        "give the script",
        "",
        "",
        _WRAPPER,
    ),
    _rule(
        "KT256",
        "hangs",
        "No command, and an image that cannot be looked up",
        "Without a command Katib asks the image's registry for its entrypoint, and wants registry and tag in full.",
        "give the command, or the image as registry/name:tag",
        "",
        "",
        _WRAPPER,
    ),
    _rule(
        "KT257",
        "fails",
        "A script whose quotes do not close",
        "The shell reads on to the end of what Katib appends, finds no end, and runs nothing.",
        "close the quote",
        _script(_RUN + " 'a"),
        _script(_RUN + " 'a'"),
        _WRAPPER,
    ),
    _rule(
        "KT258",
        "fails",
        "A script for bash that sh is to run",
        "What an image calls sh is often dash, which has no [[ ]], arrays, <<<, &> or set -o pipefail. Katib keeps "
        "bash where the command says so.",
        "write command: [bash, -c], or a script that every sh reads",
        _script(f"set -o pipefail; {_RUN}"),
        _container(f'command: [bash, -c], args: ["set -o pipefail; {_RUN}"]'),
        _WRAPPER,
    ),
    _rule(
        "KT261",
        "wrong",
        "A value that breaks the template",
        "Values are put into the template's JSON as they are: quotes end a text, a backslash begins an escape.",
        "use values of letters, digits and signs such as . - _ /",
        "spec: {parameters: [{name: learning_rate, parameterType: double, feasibleSpace: {min: '0.1', max: '1'}}, "
        "{name: units, parameterType: categorical, feasibleSpace: {list: ['a\\b']}}]}",
    ),
    _rule(
        "KT262",
        "hangs",
        "A template of a ConfigMap that values break",
        "Katib reads the text of a ConfigMap before and after it puts values in. An unquoted placeholder in {...} or "
        "[...] is not YAML, and an unquoted one in block style becomes a number where the Job wants text.",
        "put each placeholder in quotes",
        "",
        "",
    ),
    _rule(
        "KT263",
        "wrong",
        "A value that the shell changes",
        "Values are put into the shell line as they are: blanks, quotes, ; and # in one are read by the shell.",
        "put the placeholder into quotes in the script, or use values without such signs",
        "spec: {parameters: [{name: learning_rate, parameterType: double, feasibleSpace: {min: '0.1', max: '1'}}, "
        "{name: units, parameterType: categorical, feasibleSpace: {list: ['a b']}}]}",
        "spec: {parameters: [{name: learning_rate, parameterType: double, feasibleSpace: {min: '0.1', max: '1'}}, "
        "{name: units, parameterType: categorical, feasibleSpace: {list: ['a_b']}}]}",
        _WRAPPER,
    ),
    _rule(
        "KT264",
        "hangs",
        "A name too long for pbt",
        "pbt names its trials after the Experiment and a UUID, and a Job's name ends at 63 characters.",
        "give the Experiment a name of at most 26 characters",
        f"metadata: {{name: a-name-of-thirty-characters-xx}}\nspec: {{resumePolicy: FromVolume, {_PBT}}}",
        f"spec: {{resumePolicy: FromVolume, {_PBT}}}",
    ),
    _rule(
        "KT265",
        "hangs",
        "pbt without its volume",
        "pbt copies checkpoints between trials in a volume that exists with resumePolicy FromVolume only, and that "
        "Push does not mount.",
        "write resumePolicy: FromVolume, and a collector other than Push",
        f"spec: {{{_PBT}}}",
        f"spec: {{resumePolicy: FromVolume, {_PBT}}}",
    ),
    _rule(
        "KT267",
        "wrong",
        "A metric strategy that Katib does not know",
        "Nobody checks metricStrategies; with another value than min, max or latest no trial counts.",
        "write min, max or latest, and the name of one of the metrics",
        "spec: {objective: {metricStrategies: [{name: val_loss, value: best}]}}",
        "spec: {objective: {metricStrategies: [{name: val_loss, value: min}]}}",
    ),
    _rule(
        "KT270",
        "hangs",
        "A Job with a wrong restartPolicy",
        "The API server refuses the Job when the trial is created, and Katib tries again for ever.",
        "write restartPolicy: Never",
        "spec: {trialTemplate: {trialSpec: {spec: {template: {spec: {restartPolicy: Always}}}}}}",
    ),
    _rule(
        "KT271",
        "hangs",
        "Containers that the API server refuses",
        "Each container has a name of its own and an image.",
        "give each container a name and an image",
        _container(_PLAIN + "}, {name: main, image: 'registry.example/x:1'"),
    ),
    _rule(
        "KT272",
        "hangs",
        "A mount without a volume",
        "volumeMounts name volumes of the pod.",
        "add the volume to the pod, or correct the name",
        _container(_PLAIN + ", volumeMounts: [{name: data, mountPath: /data}]"),
        _container(
            _PLAIN + ", volumeMounts: [{name: data, mountPath: /data}]", "volumes: [{name: data, emptyDir: {}}], "
        ),
    ),
    _rule(
        "KT273",
        "hangs",
        "A request above its limit",
        "The API server refuses a container that asks for more than it may have.",
        "lower the request or raise the limit",
        "spec: {trialTemplate: {trialSpec: {spec: {template: {spec: {containers: [{name: main, "
        f"image: 'registry.example/lstm:1', {_PLAIN}, "
        "resources: {limits: {cpu: '1'}, requests: {cpu: '2'}}}]}}}}}}",
    ),
    _rule(
        "KT274",
        "hangs",
        "A run object that its CRD refuses",
        "The webhook looks into Jobs only. A TrainJob or PyTorchJob that breaks the schema of its CRD, or a rule of "
        "its operator's webhook, is refused when the trial is created, and Katib tries again for ever.",
        "mend the field named; the schemas are those of Trainer 2.3 and training-operator 1.8",
        _train_job(
            "runtimeRef: {name: torch-distributed}, trainer: {numNodes: -1, args: ["
            "'--lr=${trialParameters.lr}', '--units=${trialParameters.units}']}"
        ),
        _train_job(
            "runtimeRef: {name: torch-distributed}, trainer: {numNodes: 1, args: ["
            "'--lr=${trialParameters.lr}', '--units=${trialParameters.units}']}"
        ),
        "kubeflow/trainer 8c0f5059b, kubeflow/training-operator v1.8.1; recorded answers of the API server",
    ),
    _rule(
        "KT275",
        "habit",
        "A field of the run object that is dropped",
        "The API server keeps only the fields that the CRD knows, and says nothing: the trial runs without what the "
        "field asks for.",
        "correct the name of the field, or write what it asks for in the way of the CRD's version",
        _train_job(
            "runtimeRef: {name: torch-distributed}, ttlSecondsAfterFinished: 60, trainer: {args: ["
            "'--lr=${trialParameters.lr}', '--units=${trialParameters.units}']}"
        ),
        _train_job(
            "runtimeRef: {name: torch-distributed}, trainer: {args: ["
            "'--lr=${trialParameters.lr}', '--units=${trialParameters.units}']}"
        ),
        "kubeflow/trainer 8c0f5059b, kubeflow/training-operator v1.8.1; recorded answers of the API server",
    ),
    _rule(
        "KT276",
        "hangs",
        "A Job that the API server refuses",
        "Counts and times are not below 0, an Indexed Job says how many completions it wants, and a Job makes its own "
        "selector.",
        "mend the field named",
        "spec: {trialTemplate: {trialSpec: {spec: {backoffLimit: -1}}}}",
        "",
        "Kubernetes, pkg/apis/batch/validation",
    ),
    _rule(
        "KT277",
        "hangs",
        "A pod that the API server refuses",
        "Volumes have names of their own and one source each, variables one value, labels at most 63 characters.",
        "mend the field named",
        _container(_PLAIN, "volumes: [{name: data, emptyDir: {}}, {name: data, emptyDir: {}}], "),
        _container(_PLAIN, "volumes: [{name: data, emptyDir: {}}], "),
        "Kubernetes, pkg/apis/core/validation",
    ),
    _rule(
        "KT278",
        "hangs",
        "An image that nobody can pull",
        "The kubelet reads the image's name and finds that it is none; the pod waits for ever.",
        "write [registry/]name[:tag][@sha256:digest], the name in small letters",
        _container(_PLAIN).replace("registry.example/lstm:1", "registry.example/LSTM:1"),
        _container(_PLAIN),
        "github.com/distribution/reference; Kubernetes, InvalidImageName",
    ),
)
