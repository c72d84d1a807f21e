"""What the operator says of itself to those who run it: logs, metrics, and whether it lives and is ready.

Belongs here: formats, destinations, names of metrics and checks, and the server that answers for them.
Forbidden here: what is said and measured; each room logs through ``logging``, and is told by app whom to count for.
"""
