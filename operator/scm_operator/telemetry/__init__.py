"""What the operator says of itself to those who run it: logs.

Belongs here: formats and destinations. Forbidden here: what is said; each room logs through ``logging``.
"""
