"""Rules for what the suggestion engines do with the search of an Experiment that the cluster accepts."""

from __future__ import annotations

from kftune.lint.rules.rule import Rule

SOURCE = "katib v0.19.0, pkg/suggestion/v1beta1; recorded runs of the engines"
_UNITS = "{name: units, parameterType: categorical, feasibleSpace: {list: ['32', '64']}}"


def _rate(space: str, kind: str = "double") -> str:
    """Returns the parameters with another feasible space for the first one."""
    first = f"{{name: learning_rate, parameterType: {kind}, feasibleSpace: {{{space}}}}}"
    return f"parameters: [{first}, {_UNITS}]"


def _algorithm(name: str, settings: str = "") -> str:
    given = ", ".join(
        f"{{name: {pair.split('=')[0]}, value: '{pair.split('=')[1]}'}}" for pair in settings.split() if "=" in pair
    )
    return f"algorithm: {{algorithmName: {name}, algorithmSettings: [{given}]}}"


def _spec(*parts: str) -> str:
    return f"spec: {{{', '.join(parts)}}}"


_BANDS = "r_l=9 eta=3 resource_name=epochs"
_EPOCHS = (
    "parameters: [{name: epochs, parameterType: int, feasibleSpace: {min: '1', max: '9'}}, "
    "{name: learning_rate, parameterType: double, feasibleSpace: {min: '0.01', max: '0.1'}}], "
    "trialTemplate: {trialParameters: [{name: lr, reference: learning_rate}, {name: units, reference: epochs}]}"
)
_PBT = "suggestion_trial_dir=/opt/katib/data n_population=5 truncation_threshold=0.4"


def _nas(graph: str) -> str:
    operation = (
        "{operationType: convolution, parameters: [{name: filter_size, parameterType: categorical, "
        "feasibleSpace: {list: ['3', '5']}}]}"
    )
    return (
        "spec: {algorithm: {algorithmName: enas}, parameters: null, trialTemplate: {trialParameters: ["
        "{name: lr, reference: architecture}, {name: units, reference: nn_config}]}, "
        f"nasConfig: {{graphConfig: {{numLayers: 8, {graph}}}, operations: [{operation}]}}}}"
    )


def _stopping(start: str) -> str:
    setting = f"{{name: start_step, value: '{start}'}}"
    return f"spec: {{earlyStopping: {{algorithmName: medianstop, algorithmSettings: [{setting}]}}}}"


RULES = (
    Rule(
        code="KT201",
        severity="hangs",
        title="A bound or step that the engine cannot read",
        explanation="Bounds are strings, and the webhook does not check them. Each engine reads them in its own way: "
        "most do not take 10.0 for an integer, and Go does not read ' 10'. If it cannot read one, every request fails.",
        remedy="write integers as 10 and numbers as 0.1, without blanks or other signs",
        fails=_spec(_rate("min: abc, max: '1'")),
    ),
    Rule(
        code="KT202",
        severity="hangs",
        title="Bounds that are no range",
        explanation="Most engines need finite bounds and min below max. Otherwise every request for suggestions fails.",
        remedy="write the smaller bound in min; write a value that does not vary into the command",
        fails=_spec(_rate("min: '1', max: '0.1'")),
    ),
    Rule(
        code="KT203",
        severity="hangs",
        title="An empty list",
        explanation="The webhook accepts an empty list, but no engine can choose from it.",
        remedy="list the values to choose from",
        fails=_spec(
            "parameters: [{name: learning_rate, parameterType: categorical, feasibleSpace: {list: []}}, " + _UNITS + "]"
        ),
    ),
    Rule(
        code="KT204",
        severity="hangs",
        title="A step that is not above 0",
        explanation="With a step that is 0, negative or infinite, engines fail or give 'nan' to every trial.",
        remedy="write a step above 0, or remove it",
        fails=_spec(_algorithm("tpe"), _rate("min: '1', max: '9', step: '0'", "int")),
    ),
    Rule(
        code="KT205",
        severity="hangs",
        title="The logarithm of 0",
        explanation="A logarithmic range must be above 0. bayesianoptimization of Katib 0.19 draws every double on a "
        "log scale, whatever its distribution is.",
        remedy="write bounds above 0, or use another algorithm or distribution",
        fails=_spec(_rate("min: '0', max: '1', distribution: logUniform")),
    ),
    Rule(
        code="KT206",
        severity="hangs",
        title="A distribution that the engine does not know",
        explanation="multivariate-tpe and grid leave parameters with normal and logNormal out of every suggestion, and "
        "Katib cannot create trials without them. Katib's main branch refuses them there, and in bayesianoptimization, "
        "cmaes and sobol, where it also refuses an int with logUniform in the last two.",
        remedy="use uniform or logUniform, or the algorithm random or tpe",
        fails=_spec(_algorithm("multivariate-tpe"), _rate("min: '0.01', max: '0.1', distribution: normal")),
    ),
    Rule(
        code="KT207",
        severity="advice",
        title="A distribution that is ignored",
        explanation="cmaes, sobol, hyperband and pbt always draw uniformly, and bayesianoptimization draws doubles on "
        "a log scale. From 100 trials on this counts as wrong; with fewer the difference is not visible.",
        remedy="use an algorithm that draws the distribution, such as random or tpe, or search the exponent",
        fails=_spec(_algorithm("sobol"), _rate("min: '0.001', max: '1', distribution: logUniform")),
    ),
    Rule(
        code="KT208",
        severity="wrong",
        title="Values that are not on the step",
        explanation="random and tpe round to multiples of the step instead of min + k * step; bayesianoptimization and "
        "hyperband ignore the step, and so does multivariate-tpe with logUniform.",
        remedy="make min a multiple of the step (random, tpe), or list the values",
        fails=_spec(_rate("min: '1', max: '10', step: '4'", "int")),
        passes=_spec(_rate("min: '0', max: '8', step: '4'", "int")),
    ),
    Rule(
        code="KT209",
        severity="wrong",
        title="Values outside the bounds",
        explanation="Rounding to a step lifts values above max if max - min is not a whole number of steps.",
        remedy="make max - min a whole number of steps",
        fails=_spec(
            _algorithm("pbt", _PBT), "resumePolicy: FromVolume", _rate("min: '1', max: '10', step: '10'", "int")
        ),
    ),
    Rule(
        code="KT210",
        severity="wrong",
        title="A normal distribution that is not cut",
        explanation="min and max only set the mean and the deviation; values leave them.",
        remedy="use uniform or logUniform, or let the training program cut the value",
        fails=_spec(_rate("min: '1', max: '2', distribution: normal")),
    ),
    Rule(
        code="KT211",
        severity="wrong",
        title="Values that are not finite numbers",
        explanation="With infinite bounds, and with ranges below 0 on a log scale, every trial gets 'inf' or 'nan'.",
        remedy="write finite bounds",
        fails=_spec(_algorithm("bayesianoptimization"), _rate("min: '-2', max: '-1'")),
    ),
    Rule(
        code="KT212",
        severity="hangs",
        title="A parameter type that no engine knows",
        explanation="The webhook accepts the type unknown, but no engine does.",
        remedy="write double, int, discrete or categorical",
        fails=_spec(_rate("min: '1', max: '2'", "unknown")),
    ),
    Rule(
        code="KT213",
        severity="hangs",
        title="Two parameters with one name",
        explanation="The webhook does not compare names. Most engines refuse them or assign the name twice, and Katib "
        "cannot create trials; grid and multivariate-tpe search only the last, which counts as wrong.",
        remedy="give each parameter its own name",
        fails="spec: {parameters: [{name: learning_rate, parameterType: double, feasibleSpace: {min: '1', max: '2'}}, "
        "{name: learning_rate, parameterType: double, feasibleSpace: {min: '1', max: '2'}}, " + _UNITS + "]}",
    ),
    Rule(
        code="KT214",
        severity="fails",
        title="A setting that the engine refuses",
        explanation="The webhook does not check settings. The engine checks them once, and the Experiment ends Failed.",
        remedy="write the setting's name and a value within its range, or remove it",
        fails=_spec(_algorithm("random", "seed=7")),
        passes=_spec(_algorithm("random", "random_state=7")),
    ),
    Rule(
        code="KT215",
        severity="hangs",
        title="A setting that breaks the engine later",
        explanation="Some values pass the engine's check and make every request, or a later one, fail.",
        remedy="write a value that the engine can use",
        fails=_spec(_algorithm("random", "random_state=4294967296")),
    ),
    Rule(
        code="KT216",
        severity="advice",
        title="A setting that is ignored",
        explanation="cmaes, sobol, hyperband and pbt ignore settings that they do not know.",
        remedy="remove the setting, or correct its name",
        fails=_spec(_algorithm("sobol", "seed=7")),
    ),
    Rule(
        code="KT217",
        severity="fails",
        title="A grid over a double without a step",
        explanation="grid lists the values of each parameter. For a double it needs a step.",
        remedy="write feasibleSpace.step",
        fails=_spec(_algorithm("grid"), _rate("min: '0.01', max: '0.1'")),
        passes=_spec(_algorithm("grid"), _rate("min: '0.5', max: '4.5', step: '0.5'")),
    ),
    Rule(
        code="KT218",
        severity="fails",
        title="More trials than the grid has points",
        explanation="grid compares maxTrialCount with the number of its points, and the Experiment ends Failed.",
        remedy="lower maxTrialCount to the number of points",
        fails=_spec(_algorithm("grid"), _rate("min: '0', max: '1', step: '1'", "int")),
    ),
    Rule(
        code="KT219",
        severity="wrong",
        title="A grid that loses its last point",
        explanation="Points are counted with floating point numbers, and a step such as 0.1 may lose the last one: 0.1 "
        "to 0.7 by 0.1 ends at 0.6.",
        remedy="list the values, or raise max by half a step",
        fails=_spec(_algorithm("grid"), _rate("min: '0', max: '0.3', step: '0.05'"), "maxTrialCount: 12"),
    ),
    Rule(
        code="KT220",
        severity="hangs",
        title="A space too large for the engine",
        explanation="grid and pbt create all points together. Too many exceed the memory, or the 60 seconds that Katib "
        "waits.",
        remedy="use a larger step, fewer parameters, or another algorithm",
        fails=_spec(_algorithm("grid"), _rate("min: '0', max: '100000000'", "int")),
    ),
    Rule(
        code="KT221",
        severity="fails",
        title="cmaes with fewer than two numbers",
        explanation="cmaes needs two or more dimensions, and lists do not count.",
        remedy="use another algorithm, or search two or more numbers",
        fails=_spec(_algorithm("cmaes")),
    ),
    Rule(
        code="KT222",
        severity="hangs",
        title="hyperband beyond its first bracket",
        explanation="hyperband needs parallelTrialCount of at least eta to the power of the number of halvings. After "
        "the first bracket it gives fewer suggestions than Katib asks for, and Katib repeats the request forever.",
        remedy="set maxTrialCount to parallelTrialCount, or use another algorithm with early stopping",
        fails=_spec(_algorithm("hyperband", _BANDS), "parallelTrialCount: 9, maxTrialCount: 27", _EPOCHS),
        passes=_spec(_algorithm("hyperband", _BANDS), "parallelTrialCount: 9, maxTrialCount: 9", _EPOCHS),
    ),
    Rule(
        code="KT238",
        severity="advice",
        title="A hyperband that promotes no trial",
        explanation="Katib's hyperband gets no further than its first bracket, in which every trial gets the lowest "
        "budget: r_l itself if it is below eta. What remains is a random search with that budget.",
        remedy="use random with the budget that you want, or medianstop or another algorithm for early stopping",
        fails=_spec(_algorithm("hyperband", _BANDS), "parallelTrialCount: 9, maxTrialCount: 9", _EPOCHS),
        source="katib v0.19.0, pkg/suggestion/v1beta1/hyperband; katib issue 1366",
    ),
    Rule(
        code="KT223",
        severity="wrong",
        title="A resource outside its parameter's space",
        explanation="hyperband sends its own budget in the resource parameter and ignores the bounds or list there.",
        remedy="make the space of the resource contain r_l and its fractions by eta",
        fails=_spec(
            _algorithm("hyperband", "r_l=1000 eta=10 resource_name=epochs"),
            "parallelTrialCount: 1000, maxTrialCount: 1000",
            _EPOCHS,
        ),
    ),
    Rule(
        code="KT224",
        severity="hangs",
        title="pbt over a double without a step",
        explanation="pbt lists the values of each parameter. For a double it needs a step.",
        remedy="write feasibleSpace.step",
        fails=_spec(_algorithm("pbt", _PBT), "resumePolicy: FromVolume", _rate("min: '0.01', max: '0.1'")),
    ),
    Rule(
        code="KT225",
        severity="fails",
        title="A nasConfig that the engine refuses",
        explanation="enas needs the sizes and the number of layers of the graph; enas and darts need operations with "
        "parameters. darts answers only one request and fails at the second.",
        remedy="write what is missing; for darts set maxTrialCount to parallelTrialCount",
        fails=_nas("inputSizes: [32]"),
        passes=_nas("inputSizes: [32], outputSizes: [10]"),
    ),
    Rule(
        code="KT226",
        severity="hangs",
        title="Nothing to search",
        explanation="With nasConfig and an algorithm that searches parameters, the engine gets an empty space.",
        remedy="write parameters, or use enas or darts",
        fails="spec: {parameters: null, nasConfig: {graphConfig: {numLayers: 1}}}",
    ),
    Rule(
        code="KT227",
        severity="hangs",
        title="No suggestion to ask for",
        explanation="Some engines fail if they are asked for 0 suggestions.",
        remedy="set parallelTrialCount to 1 or more",
        fails="",
    ),
    Rule(
        code="KT228",
        severity="advice",
        title="A maximum that is never drawn",
        explanation="sobol rounds integers down, so max is never drawn.",
        remedy="raise max by one step, and let the training program handle the difference",
        fails=_spec(_algorithm("sobol"), _rate("min: '1', max: '10'", "int")),
    ),
    Rule(
        code="KT229",
        severity="fails",
        title="A setting that medianstop refuses",
        explanation="The webhook does not check the settings of early stopping. The service does, and the Experiment "
        "ends Failed.",
        remedy="write min_trials_required and start_step as integers of at least 1, and no other setting",
        fails=_stopping("0"),
        passes=_stopping("4"),
    ),
    Rule(
        code="KT268",
        severity="fails",
        title="A setting that kftune's early stopping service refuses",
        explanation="The webhook does not check the settings of early stopping. The service does, and the Experiment "
        "ends Failed.",
        remedy="write the settings as in a study's stopping, each value as text",
        fails="spec: {earlyStopping: {algorithmName: kftune-bandit, algorithmSettings: [{name: slack, value: '0.1'}]}}",
        passes="spec: {earlyStopping: {algorithmName: kftune-bandit, "
        "algorithmSettings: [{name: slack_factor, value: '0.1'}]}}",
    ),
)
