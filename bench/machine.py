"""The machine on which something was measured, in a line."""

import os
import platform


def describe() -> str:
    """Return the processor's kind and count, and what runs Python; nothing that names the machine."""
    return f"{os.cpu_count()} cores ({platform.machine()}), Linux, CPython {platform.python_version()}"
