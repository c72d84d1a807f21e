import pytest

from tests.support import markdown

PAGE = """\
# A page

See [there](other.md#what-it-is) and `[not](a-link)`.

```sh
make one
```

## What `it` is: a "thing"?

```yaml
a: 1
```

## What `it` is: a "thing"?

    indented
"""


def test_blocks_know_where_they_are() -> None:
    """Each has its line, the heading above it, its language and its text."""
    page = markdown.parse(PAGE, path="page.md")

    assert page.blocks == (
        markdown.Block("page.md", 5, "A page", "sh", "make one\n"),
        markdown.Block("page.md", 11, 'What `it` is: a "thing"?', "yaml", "a: 1\n"),
    )
    assert page.sections("yaml") == {'What `it` is: a "thing"?': [page.blocks[1]]}


def test_anchors_are_githubs() -> None:
    """Letters, digits, spaces as dashes; a heading that comes again is numbered."""
    assert markdown.parse(PAGE, path="page.md").anchors == {"a-page", "what-it-is-a-thing", "what-it-is-a-thing-1"}


def test_links_in_code_are_none() -> None:
    """What stands in backticks leads nowhere."""
    assert markdown.parse(PAGE, path="page.md").links == ("other.md#what-it-is",)


def test_indented_code_is_seen() -> None:
    """It would escape whoever looks for fences only."""
    assert markdown.parse(PAGE, path="page.md").indented == (17,)


def test_a_fence_that_nothing_closes_is_a_failure() -> None:
    """The rest of the page would be taken for code, and its commands for none."""
    with pytest.raises(AssertionError, match=r"page\.md:1: nothing closes this fence"):
        markdown.parse("```sh\nmake one\n", path="page.md")
