"""Rules for what the suggestion engines do with an admitted search."""

from __future__ import annotations

from kftune.lint.rules.rule import Rule, Severity

_KATIB = "katib v0.19.0, pkg/suggestion/v1beta1; recorded runs of the engines"
_UNITS = "{name: units, parameterType: categorical, feasibleSpace: {list: ['32', '64']}}"


def _rate(space: str, kind: str = "double") -> str:
    """Parameters with another feasible space for the first."""
    first = f"{{name: learning_rate, parameterType: {kind}, feasibleSpace: {{{space}}}}}"
    return f"parameters: [{first}, {_UNITS}]"


def _algorithm(name: str, settings: str = "") -> str:
    given = ", ".join(
        f"{{name: {pair.split('=')[0]}, value: '{pair.split('=')[1]}'}}" for pair in settings.split() if "=" in pair
    )
    return f"algorithm: {{algorithmName: {name}, algorithmSettings: [{given}]}}"


def _spec(*parts: str) -> str:
    return f"spec: {{{', '.join(parts)}}}"


def _rule(
    code: str, severity: Severity, title: str, explanation: str, remedy: str, fails: str, passes: str = ""
) -> Rule:
    return Rule(code, severity, title, explanation, remedy, _KATIB, fails, passes)


_BANDS = "r_l=9 eta=3 resource_name=epochs"
_EPOCHS = (
    "parameters: [{name: epochs, parameterType: int, feasibleSpace: {min: '1', max: '9'}}, "
    "{name: learning_rate, parameterType: double, feasibleSpace: {min: '0.01', max: '0.1'}}], "
    "trialTemplate: {trialParameters: [{name: lr, reference: learning_rate}, {name: units, reference: epochs}]}"
)
_PBT = "suggestion_trial_dir=/opt/katib/data n_population=5 truncation_threshold=0.4"

_NAS = (
    "spec: {algorithm: {algorithmName: enas}, parameters: null, trialTemplate: {trialParameters: ["
    "{name: lr, reference: architecture}, {name: units, reference: nn_config}]}, "
)
_OPERATION = (
    "{operationType: convolution, parameters: [{name: filter_size, parameterType: categorical, "
    "feasibleSpace: {list: ['3', '5']}}]}"
)

RULES = (
    _rule(
        "KT201",
        "hangs",
        "A bound or a step that the engine cannot read",
        "Bounds are text, and the webhook does not look into it. Each engine reads it in its own way: 10.0 is no "
        "integer to most, ' 10' is none to Go. What it cannot read, it cannot search: every request fails.",
        "write integers as 10 and numbers as 0.1, without blanks and without other signs",
        _spec(_rate("min: abc, max: '1'")),
    ),
    _rule(
        "KT202",
        "hangs",
        "Bounds that give no range",
        "Most engines need min below max, and finite bounds; then every request for suggestions fails.",
        "put the smaller bound in min; a value that does not vary is better written into the command",
        _spec(_rate("min: '1', max: '0.1'")),
    ),
    _rule(
        "KT203",
        "hangs",
        "A list without items",
        "The webhook takes an empty list, and no engine can choose from it.",
        "give the values to choose from",
        _spec(
            "parameters: [{name: learning_rate, parameterType: categorical, feasibleSpace: {list: []}}, " + _UNITS + "]"
        ),
    ),
    _rule(
        "KT204",
        "hangs",
        "A step that is not above 0",
        "With a step of 0, below 0 or without end the engines fail, or give 'nan' to every trial.",
        "give a step above 0, or leave it out",
        _spec(_algorithm("tpe"), _rate("min: '1', max: '9', step: '0'", "int")),
    ),
    _rule(
        "KT205",
        "hangs",
        "A logarithm of 0",
        "A logarithmic range must lie above 0. On Katib 0.19 bayesianoptimization draws every double on a log scale, "
        "whatever the distribution is.",
        "give bounds above 0, or another algorithm or distribution",
        _spec(_rate("min: '0', max: '1', distribution: logUniform")),
    ),
    _rule(
        "KT206",
        "wrong",
        "A distribution for which the parameter disappears",
        "multivariate-tpe and grid know neither normal nor logNormal: the parameter is missing from every suggestion.",
        "use uniform or logUniform, or the algorithm random or tpe",
        _spec(_algorithm("multivariate-tpe"), _rate("min: '0.01', max: '0.1', distribution: normal")),
    ),
    _rule(
        "KT207",
        "advice",
        "A distribution that is ignored",
        "cmaes, sobol, hyperband and pbt draw uniformly whatever is asked for, and bayesianoptimization draws doubles "
        "on a log scale. With 100 trials and more this is counted as wrong; with fewer nobody can tell.",
        "use an algorithm that honours the distribution, such as random or tpe, or search the exponent",
        _spec(_algorithm("sobol"), _rate("min: '0.001', max: '1', distribution: logUniform"), "maxTrialCount: 200"),
    ),
    _rule(
        "KT208",
        "wrong",
        "Values beside the step",
        "random and tpe round to multiples of the step instead of min + k * step; bayesianoptimization and hyperband "
        "ignore it, multivariate-tpe does with logUniform.",
        "make min a multiple of the step (random, tpe), or give the values as a list",
        _spec(_rate("min: '1', max: '10', step: '4'", "int")),
        _spec(_rate("min: '0', max: '8', step: '4'", "int")),
    ),
    _rule(
        "KT209",
        "wrong",
        "Values outside of the bounds",
        "Rounding to a step lifts values above max where max - min is no whole number of steps.",
        "make max - min a whole number of steps",
        _spec(_algorithm("pbt", _PBT), "resumePolicy: FromVolume", _rate("min: '1', max: '10', step: '10'", "int")),
    ),
    _rule(
        "KT210",
        "wrong",
        "A normal distribution that is not cut",
        "min and max only set the middle and the width: values leave them.",
        "use uniform or logUniform, or let the training program cut the value",
        _spec(_rate("min: '1', max: '2', distribution: normal")),
    ),
    _rule(
        "KT211",
        "wrong",
        "Values that are no numbers",
        "Infinite bounds, and ranges below 0 on a log scale, give 'inf' or 'nan' to every trial.",
        "give finite bounds",
        _spec(_algorithm("bayesianoptimization"), _rate("min: '-2', max: '-1'")),
    ),
    _rule(
        "KT212",
        "hangs",
        "A parameter type that no engine knows",
        "The webhook takes the type unknown, and no engine does.",
        "write double, int, discrete or categorical",
        _spec(_rate("min: '1', max: '2'", "unknown")),
    ),
    _rule(
        "KT213",
        "wrong",
        "Two parameters of one name",
        "The webhook does not compare names. Some engines refuse them, others search only the last.",
        "give each parameter a name of its own",
        "spec: {parameters: [{name: learning_rate, parameterType: double, feasibleSpace: {min: '1', max: '2'}}, "
        "{name: learning_rate, parameterType: double, feasibleSpace: {min: '1', max: '2'}}, " + _UNITS + "]}",
    ),
    _rule(
        "KT214",
        "fails",
        "A setting that the engine refuses",
        "The webhook does not look at settings; the engine does, once, and the Experiment ends Failed.",
        "give the setting by its name and within its range, or remove it",
        _spec(_algorithm("random", "seed=7")),
        _spec(_algorithm("random", "random_state=7")),
    ),
    _rule(
        "KT215",
        "hangs",
        "A setting that breaks the engine later",
        "Some values pass the engine's check and make every request, or one in the middle, fail.",
        "give a value within the range that the engine can use",
        _spec(_algorithm("random", "random_state=4294967296")),
    ),
    _rule(
        "KT216",
        "advice",
        "A setting that is ignored",
        "hyperband and pbt do not look at settings that they do not know.",
        "remove the setting, or correct its name",
        _spec(
            _algorithm("pbt", _PBT + " seed=7"),
            "resumePolicy: FromVolume",
            _rate("min: '0', max: '8', step: '1'", "int"),
        ),
    ),
    _rule(
        "KT217",
        "fails",
        "A grid over a double without a step",
        "grid makes a list of values of each parameter, and a double needs a step for that.",
        "give feasibleSpace.step",
        _spec(_algorithm("grid"), _rate("min: '0.01', max: '0.1'")),
        _spec(_algorithm("grid"), _rate("min: '0.5', max: '4.5', step: '0.5'")),
    ),
    _rule(
        "KT218",
        "fails",
        "More trials than the grid has points",
        "grid compares maxTrialCount with its points once, and the Experiment ends Failed.",
        "lower maxTrialCount to the number of points",
        _spec(_algorithm("grid"), _rate("min: '0', max: '1', step: '1'", "int")),
    ),
    _rule(
        "KT219",
        "wrong",
        "A grid that loses its last point",
        "The points are counted with floating point numbers, and where the step is no binary fraction the last one may "
        "be lost: 0.1 to 0.7 by 0.1 ends at 0.6.",
        "write the values as a list, or raise max by half a step",
        _spec(_algorithm("grid"), _rate("min: '0', max: '0.3', step: '0.05'"), "maxTrialCount: 12"),
    ),
    _rule(
        "KT220",
        "hangs",
        "A space too large for the engine",
        "grid and pbt make all their points at once: too many do not fit into memory, or into the 60 seconds that "
        "Katib waits.",
        "use a coarser step, fewer parameters, or another algorithm",
        _spec(_algorithm("grid"), _rate("min: '0', max: '100000000'", "int")),
    ),
    _rule(
        "KT221",
        "fails",
        "cmaes with fewer than two numbers",
        "cmaes searches a space of at least two dimensions, and lists are none.",
        "use another algorithm, or search two or more numbers",
        _spec(_algorithm("cmaes")),
    ),
    _rule(
        "KT222",
        "hangs",
        "hyperband beyond its first bracket",
        "hyperband needs parallelTrialCount of at least eta to the number of halvings. After the first bracket it "
        "gives fewer suggestions than Katib asks for, and Katib asks again for ever.",
        "set maxTrialCount to parallelTrialCount, or use another algorithm with early stopping",
        _spec(_algorithm("hyperband", _BANDS), "parallelTrialCount: 9, maxTrialCount: 27", _EPOCHS),
        _spec(_algorithm("hyperband", _BANDS), "parallelTrialCount: 9, maxTrialCount: 9", _EPOCHS),
    ),
    _rule(
        "KT223",
        "wrong",
        "A budget that the parameter does not allow",
        "hyperband sends its own budget in the resource parameter, whatever the bounds or the list of it are.",
        "make the space of the resource hold r_l and its fractions by eta",
        _spec(
            _algorithm("hyperband", "r_l=1000 eta=10 resource_name=epochs"),
            "parallelTrialCount: 1000, maxTrialCount: 1000",
            _EPOCHS,
        ),
    ),
    _rule(
        "KT224",
        "hangs",
        "pbt over a double without a step",
        "pbt makes a list of values of each parameter, and a double needs a step for that.",
        "give feasibleSpace.step",
        _spec(_algorithm("pbt", _PBT), "resumePolicy: FromVolume", _rate("min: '0.01', max: '0.1'")),
    ),
    _rule(
        "KT225",
        "fails",
        "A nasConfig that the engine refuses",
        "enas wants the sizes and the number of layers of the graph, and both want operations with parameters. darts "
        "answers one request only, and fails at the second.",
        "give what is missing; for darts set maxTrialCount to parallelTrialCount",
        _NAS + "nasConfig: {graphConfig: {numLayers: 8, inputSizes: [32]}, operations: [" + _OPERATION + "]}}",
        _NAS
        + "nasConfig: {graphConfig: {numLayers: 8, inputSizes: [32], outputSizes: [10]}, operations: ["
        + _OPERATION
        + "]}}",
    ),
    _rule(
        "KT226",
        "hangs",
        "Nothing to search",
        "An Experiment with nasConfig and an algorithm for parameters gives the engine an empty space.",
        "give parameters, or use enas or darts",
        "spec: {parameters: null, nasConfig: {graphConfig: {numLayers: 1}}}",
    ),
    _rule(
        "KT227",
        "hangs",
        "No suggestion to ask for",
        "Some engines fail when they are asked for nothing.",
        "set parallelTrialCount to 1 or more",
        "",
    ),
    _rule(
        "KT228",
        "advice",
        "A maximum that is never drawn",
        "sobol rounds integers down, so that max never comes.",
        "raise max by one step, and let the training program take the difference",
        _spec(_algorithm("sobol"), _rate("min: '1', max: '10'", "int")),
    ),
    _rule(
        "KT229",
        "fails",
        "A setting that medianstop refuses",
        "The webhook does not look at the settings of early stopping; its service does, and it ends Failed.",
        "give min_trials_required and start_step as integers of at least 1, and nothing else",
        "spec: {earlyStopping: {algorithmName: medianstop, algorithmSettings: [{name: start_step, value: '0'}]}}",
        "spec: {earlyStopping: {algorithmName: medianstop, algorithmSettings: [{name: start_step, value: '4'}]}}",
    ),
)
