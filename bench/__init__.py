"""Measurements: what the figures in docs come from. Each program prints its table and the machine; none is a test."""
