import asyncio


def pytest_sessionstart() -> None:
    """Say once that there is no event loop yet.

    Up to Python 3.13 asking for one makes one, unless somebody has said so; looptime's plugin asks before each test,
    and nobody would close what it gets.
    """
    asyncio.set_event_loop(None)
