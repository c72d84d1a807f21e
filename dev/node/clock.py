"""The time, as the API writes it."""

import datetime


def now() -> datetime.datetime:
    """Return the time now."""
    return datetime.datetime.now(datetime.UTC)


def seconds(moment: datetime.datetime) -> str:
    """Write a time to the second, as most of the API does."""
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def microseconds(moment: datetime.datetime) -> str:
    """Write a time to the microsecond, as Leases have it."""
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse(text: str) -> datetime.datetime:
    """Read either."""
    return datetime.datetime.fromisoformat(text)
