import pytest

from dev.node import expansion

VARIABLES = {"NAME": "shop", "EMPTY": "", "DOLLAR": "$(NAME)", "a.b": "dotted"}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("", ""),
        ("plain", "plain"),
        ("$(NAME)", "shop"),
        ("$(NAME)-$(NAME)", "shop-shop"),
        ("<$(EMPTY)>", "<>"),
        ("$(a.b)", "dotted"),
        ("$(DOLLAR)", "$(NAME)"),  # once, not again
        ("$(OTHER)", "$(OTHER)"),
        ("$()", "$()"),
        ("$$(NAME)", "$(NAME)"),
        ("$$$(NAME)", "$shop"),
        ("$$$$(NAME)", "$$(NAME)"),
        ("$$", "$"),
        ("$NAME", "$NAME"),
        ("$(NAME", "$(NAME"),
        ("$(NAME $(NAME)", "$(NAME $(NAME)"),
        ("cost: 5$", "cost: 5$"),
        ("${NAME}", "${NAME}"),
    ],
)
def test_references_become_values(text: str, expanded: str) -> None:
    """A reference to a known variable is replaced, anything else stays, and a pair of dollars is one."""
    assert expansion.expand(text, VARIABLES) == expanded
