# The form of W&B's tutorials: the configuration is built in steps.
import math

import wandb

sweep_config = {"method": "bayes"}
metric = {"name": "loss", "goal": "minimize"}
sweep_config["metric"] = metric
parameters_dict = {
    "optimizer": {"values": ["adam", "sgd"]},
    "fc_layer_size": {"values": [128, 256, 512]},
    "dropout": {"values": [0.3, 0.4, 0.5]},
}
sweep_config["parameters"] = parameters_dict
parameters_dict.update({"epochs": {"value": 1}})
parameters_dict.update(
    {
        "learning_rate": {"distribution": "log_uniform", "min": math.log(1e-5), "max": math.log(1e-1)},
        "batch_size": {"distribution": "q_log_uniform_values", "q": 8, "min": 32, "max": 256},
    }
)
sweep_id = wandb.sweep(sweep_config, project="demo")
