import contextlib

from dev.node import addresses


def test_nodes_on_one_machine_have_blocks_of_their_own() -> None:
    """Two nodes never give out the same address."""
    with contextlib.closing(addresses.Block()) as one, contextlib.closing(addresses.Block()) as other:
        assert one.host != other.host
        assert one.take().rsplit(".", 1)[0] != other.take().rsplit(".", 1)[0]


def test_an_address_is_given_out_again_as_late_as_possible() -> None:
    """What was given back comes after all that have not been used."""
    with contextlib.closing(addresses.Block()) as block:
        first = block.take()
        block.give_back(first)
        assert first not in [block.take() for _ in range(252)]
        assert block.take() == first


def test_the_api_sees_another_first_number() -> None:
    """The two translations are each other's inverse, and touch nothing but the first number."""
    assert addresses.public("127.18.127.2") == "198.18.127.2"
    assert addresses.loopback("198.18.198.2") == "127.18.198.2"
