# The form of the examples in Ray Tune's documentation.
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch

config = {
    "l1": tune.choice([2**i for i in range(9)]),
    "l2": tune.choice([4, 8, 16]),
    "lr": tune.loguniform(1e-4, 1e-1),
    "batch_size": tune.choice([2, 4, 8, 16]),
    "epochs": 10,
}
scheduler = ASHAScheduler(max_t=10, grace_period=1, reduction_factor=2)
tuner = tune.Tuner(
    tune.with_resources(train, resources={"cpu": 2}),
    tune_config=tune.TuneConfig(
        metric="loss", mode="min", scheduler=scheduler, num_samples=10, search_alg=OptunaSearch()
    ),
    param_space=config,
)
results = tuner.fit()
