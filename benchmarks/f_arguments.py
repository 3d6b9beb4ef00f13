"""The 20 arguments that both sides read: name -> text."""

ARGUMENTS = {
    "epochs": "30",
    "batch_size": "64",
    "seed": "7",
    "precision": "bf16",
    "resume": "true",
    "optimizer.name": "adamw",
    "optimizer.lr": "0.0003",
    "optimizer.momentum": "0.9",
    "optimizer.weight_decay": "1e-05",
    "optimizer.nesterov": "false",
    "model.layers": "4",
    "model.units": "256",
    "model.dropout": "0.1",
    "model.activation": "gelu",
    "model.bias": "true",
    "data.path": "/data/circuits",
    "data.window": "48",
    "data.horizon": "1",
    "data.share": "0.8",
    "data.shuffle": "false",
}
ARGV = [f"--{name}={text}" for name, text in ARGUMENTS.items()]
