"""References to variables, $(NAME), in commands, arguments and values of variables.

https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
"""

import re
from collections.abc import Mapping

# A pair of dollars is one that begins no reference; a name is whatever stands before the next bracket.
_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace references by values; one to an unknown variable stays as it is, and ``$$(NAME)`` becomes ``$(NAME)``."""

    def value(found: re.Match[str]) -> str:
        name = found[1]
        return "$" if name is None else variables.get(name, found[0])

    return _REFERENCE.sub(value, text)
