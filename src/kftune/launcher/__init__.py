"""The program of a pipeline's tune step on a cluster: creates an Experiment, waits for it, writes the best values.

`kftune.render.tuning.launcher_command` makes its command line. It can be started again at any time: the Experiment's
name comes from the run, so a second launcher attaches to the Experiment of the first one.
"""
