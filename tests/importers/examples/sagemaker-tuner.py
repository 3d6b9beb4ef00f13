# The form of the examples in the reference of the SageMaker Python SDK (sagemaker.tuner).
from sagemaker.pytorch import PyTorch
from sagemaker.tuner import CategoricalParameter, ContinuousParameter, HyperparameterTuner, IntegerParameter

estimator = PyTorch(entry_point="mnist.py", instance_count=1, instance_type="ml.m5.xlarge")

hyperparameter_ranges = {
    "lr": ContinuousParameter(0.001, 0.1),
    "epochs": IntegerParameter(1, 10),
    "batch-size": CategoricalParameter([32, 64, 128, 256, 512]),
}
tuner = HyperparameterTuner(
    estimator,
    "average test loss",
    hyperparameter_ranges,
    [{"Name": "average test loss", "Regex": "Test set: Average loss: ([0-9.eE+-]+)"}],
    max_jobs=9,
    max_parallel_jobs=3,
    objective_type="Minimize",
    early_stopping_type="Auto",
)
tuner.fit({"training": "s3://example/mnist"})
