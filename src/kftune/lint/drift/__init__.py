"""Compares a study, its hyperparameter class and its training script.

`step` finds the script that a study runs, `kftune.scripts` reads the arguments that it takes, and `compare` compares
them with the class and the study. No code of the script is run. What the source does not show is left open.
"""
