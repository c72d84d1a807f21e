"""The operator on a laptop: a real control plane, the demo, and the locks of the dependencies.

Programs for a terminal, started by the Makefile as ``python -m dev.<name>``; the cluster tests start the same
control plane. Nothing under ``operator/`` imports from here.
"""
