"""What a pipeline's tune step runs on a cluster: creates an Experiment, waits for it, writes the best values.

`kftune.render.tuning.launcher_command` makes its command line. It can be started again at any moment, since the
Experiment's name comes from the run: a second launcher attaches to the Experiment of the first.
"""
