"""Do a study, its hyperparameter class and its training script still say the same?

`step` finds the script that a study runs, `reading` tells from its source which arguments it takes, `compare` puts the
three side by side. Nothing of the script is run. What cannot be told from the source is left open, never guessed.
"""
