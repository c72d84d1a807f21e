"""Values and decisions: what a resource asks for, what is known, and what has to be done next.

Belongs here: frozen values, their parsers, the plan (a pure function), conditions, the error tree, the ports.
Forbidden here: I/O, clocks, the environment, randomness, asyncio, any framework. ``cryptography`` only in csr.
"""
