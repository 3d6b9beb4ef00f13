"""Reads what a training script takes, and which metrics it prints, from its source. No code of the script is run.

`reading` finds the arguments: one module reads those of argparse, others those of other libraries. What the source does
not show is left open, never guessed.
"""
