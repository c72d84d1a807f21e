import datetime
import io

from dev import demo_changes, demo_cluster

NOW = datetime.datetime(2026, 5, 1, 12, 1, 3, 412_345, tzinfo=datetime.UTC)

NEW = "ADDED|default/shop-tls|||||"
WAITING = "MODIFIED|default/shop-tls|False|WaitingForSecret|||Secret 'shop-tls' does not exist."
UPLOADED = "MODIFIED|default/shop-tls|True|Uploaded|1f0a|2026-05-01T12:01:03.400Z|Uploaded to SCM as 1f0a."


def take(*lines: str) -> list[str]:
    """Give lines of the watch to fresh changes, and return all that they tell."""
    changes = demo_changes.Changes()
    return [text for line in lines for text in changes.take(line, now=NOW)]


def test_an_upload_without_a_condition_is_no_news() -> None:
    """That an upload is there was said by the command that made it."""
    assert take(NEW) == []


def test_a_change_says_what_was_and_what_is() -> None:
    """A change is a line with the time, the upload, and the Ready condition before and after; the message follows."""
    assert take(NEW, WAITING) == [
        "  12:01:03.412  default/shop-tls         new → False WaitingForSecret",
        "                Secret 'shop-tls' does not exist.",
    ]


def test_an_upload_that_is_ready_shows_its_place_in_scm() -> None:
    """Beside True Uploaded stand the id and the create time that SCM gave."""
    assert take(WAITING, UPLOADED)[2:] == [
        "  12:01:03.412  default/shop-tls         False WaitingForSecret → True Uploaded",
        "                scmID=1f0a  createTime=2026-05-01T12:01:03.400Z",
    ]


def test_the_same_condition_again_is_no_news() -> None:
    """Another field of the resource may change as often as it likes."""
    assert take(UPLOADED, UPLOADED, UPLOADED.replace("1f0a.", "1f0a!")) == take(UPLOADED)


def test_a_deleted_upload_is_news_once_and_then_forgotten() -> None:
    """The deletion is a line; an upload of the same name that comes later is new."""
    deleted = UPLOADED.replace("MODIFIED", "DELETED")
    assert take(UPLOADED, deleted)[2:] == ["  12:01:03.412  default/shop-tls         True Uploaded → deleted"]
    assert take(UPLOADED, deleted, UPLOADED)[3:] == take(UPLOADED)


def test_each_upload_has_a_state_of_its_own() -> None:
    """One upload's change says nothing of another's state."""
    other = WAITING.replace("default/shop-tls", "team/payments")
    news = take(UPLOADED, other)
    assert news[2] == "  12:01:03.412  team/payments            new → False WaitingForSecret"


def test_a_long_message_is_wrapped_whole() -> None:
    """No word of a message is lost, and no line longer than 110 columns."""
    message = "the private key does not belong to the CSR: put another | one there. " * 4
    _, *detail = take(f"MODIFIED|default/shop-tls|False|KeyMismatch|||{message}")
    assert " ".join(line.strip() for line in detail) == message.strip()
    assert max(map(len, detail)) <= 110


def test_what_is_no_line_of_the_watch_is_passed_over() -> None:
    """Warnings of kubectl are in the same log."""
    assert take("Warning: something is deprecated", "") == []


def test_the_last_seen_reason_can_be_asked_for() -> None:
    """An upload that was not seen has no reason."""
    changes = demo_changes.Changes()
    assert changes.reason("default/shop-tls") == ""
    changes.take(WAITING, now=NOW)
    assert changes.reason("default/shop-tls") == "WaitingForSecret"


def test_a_line_is_read_when_it_is_complete() -> None:
    """A program may be in the middle of a line, or of a character, when its log is read."""
    log = io.BytesIO()
    lines = demo_cluster.NewLines(log)

    def write(added: bytes) -> list[str]:
        log.write(added)
        log.seek(-len(added), io.SEEK_CUR)
        return lines.read()

    assert write(b"one\ntwo \xe2") == ["one"]
    assert write(b"\x86\x92\n") == ["two →"]
    assert lines.read() == []
