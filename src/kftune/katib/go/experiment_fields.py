"""The fields of a Katib Experiment, in the notation of `kftune.katib.go.types`.

Source: katib v0.19.0, pkg/apis/controller/experiments/v1beta1 and common/v1beta1.
"""

from __future__ import annotations

TRIAL_STATES = {
    "Killed": ("killedTrialList", "trialsKilled"),
    "Failed": ("failedTrialList", "trialsFailed"),
    "Succeeded": ("succeededTrialList", "trialsSucceeded"),
    "EarlyStopped": ("earlyStoppedTrialList", "trialsEarlyStopped"),
    "Running": ("runningTrialList", "trialsRunning"),
    "MetricsUnavailable": ("metricsUnavailableTrialList", "trialMetricsUnavailable"),
    "Pending": ("pendingTrialList", "trialsPending"),
}
"""State of a trial -> the list and the count of such trials in the status. In the order in which the controller checks
them; a trial in no state is pending."""

EXPERIMENT_FIELDS: dict[str, dict[str, str]] = {
    "Experiment": {
        "apiVersion": "s",
        "kind": "s",
        "metadata": "=ObjectMeta",
        "spec": "=ExperimentSpec",
        "status": "=ExperimentStatus",
    },
    "ExperimentSpec": {
        "parameters": "[=ParameterSpec",
        "objective": "*=ObjectiveSpec",
        "algorithm": "*=AlgorithmSpec",
        "earlyStopping": "*=EarlyStoppingSpec",
        "trialTemplate": "*=TrialTemplate",
        "parallelTrialCount": "*i",
        "maxTrialCount": "*i",
        "maxFailedTrialCount": "*i",
        "metricsCollectorSpec": "*=MetricsCollectorSpec",
        "nasConfig": "*=NasConfig",
        "resumePolicy": "s:ResumePolicyType",
    },
    "ParameterSpec": {"name": "s", "parameterType": "s:ParameterType", "feasibleSpace": "=FeasibleSpace"},
    "FeasibleSpace": {"max": "s", "min": "s", "list": "[s", "step": "s", "distribution": "s:Distribution"},
    "ObjectiveSpec": {
        "type": "s:ObjectiveType",
        "goal": "*f",
        "objectiveMetricName": "s",
        "additionalMetricNames": "[s",
        "metricStrategies": "[=MetricStrategy",
    },
    "MetricStrategy": {"name": "s", "value": "s:MetricStrategyType"},
    "AlgorithmSpec": {"algorithmName": "s", "algorithmSettings": "[=AlgorithmSetting"},
    "AlgorithmSetting": {"name": "s", "value": "s"},
    "EarlyStoppingSpec": {"algorithmName": "s", "algorithmSettings": "[=EarlyStoppingSetting"},
    "EarlyStoppingSetting": {"name": "s", "value": "s"},
    "TrialTemplate": {
        "retain": "b",
        "trialSpec": "*u",
        "configMap": "*=ConfigMapSource",
        "trialParameters": "[=TrialParameterSpec",
        "primaryPodLabels": "{s",
        "primaryContainerName": "s",
        "successCondition": "s",
        "failureCondition": "s",
    },
    "ConfigMapSource": {"configMapName": "s", "configMapNamespace": "s", "templatePath": "s"},
    "TrialParameterSpec": {"name": "s", "description": "s", "reference": "s"},
    "MetricsCollectorSpec": {"collector": "*=CollectorSpec", "source": "*=SourceSpec"},
    "CollectorSpec": {"kind": "s:CollectorKind", "customCollector": "*=Container"},
    "SourceSpec": {"httpGet": "*=HTTPGetAction", "fileSystemPath": "*=FileSystemPath", "filter": "*=FilterSpec"},
    "FileSystemPath": {"path": "s", "kind": "s:FileSystemKind", "format": "s:FileFormat"},
    "FilterSpec": {"metricsFormat": "[s"},
    "NasConfig": {"graphConfig": "=GraphConfig", "operations": "[=Operation"},
    "GraphConfig": {"numLayers": "*i", "inputSizes": "[i", "outputSizes": "[i"},
    "Operation": {"operationType": "s", "parameters": "[=ParameterSpec"},
    "ExperimentStatus": {
        "startTime": "*t",
        "completionTime": "*t",
        "lastReconcileTime": "*t",
        "conditions": "[=ExperimentCondition",
        "currentOptimalTrial": "=OptimalTrial",
        "trials": "i",
        **{names: "[s" for names, _ in TRIAL_STATES.values()},
        **{count: "i" for _, count in TRIAL_STATES.values()},
    },
    "ExperimentCondition": {
        "type": "s:ExperimentConditionType",
        "status": "s",
        "reason": "s",
        "message": "s",
        "lastUpdateTime": "t",
        "lastTransitionTime": "t",
    },
    "OptimalTrial": {
        "bestTrialName": "s",
        "parameterAssignments": "[=ParameterAssignment",
        "observation": "=Observation",
    },
    "ParameterAssignment": {"name": "s", "value": "s"},
    "Observation": {"metrics": "[=Metric"},
    "Metric": {"name": "s", "min": "s", "max": "s", "latest": "s"},
}
