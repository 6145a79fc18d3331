"""The interactive demo: a web page, served on this machine, that runs the tasks of a model."""
