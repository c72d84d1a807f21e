import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scm_operator.domain import errors
from scm_operator.domain.reasons import AccountReason, Reason
from tests.support import builders

# Unicode's property Bidi_Control (PropList.txt): with one of these a text can show itself in another order.
BIDI_CONTROLS = [
    "\N{ARABIC LETTER MARK}",
    "\N{LEFT-TO-RIGHT MARK}",
    "\N{RIGHT-TO-LEFT MARK}",
    "\N{LEFT-TO-RIGHT EMBEDDING}",
    "\N{RIGHT-TO-LEFT EMBEDDING}",
    "\N{POP DIRECTIONAL FORMATTING}",
    "\N{LEFT-TO-RIGHT OVERRIDE}",
    "\N{RIGHT-TO-LEFT OVERRIDE}",
    "\N{LEFT-TO-RIGHT ISOLATE}",
    "\N{RIGHT-TO-LEFT ISOLATE}",
    "\N{FIRST STRONG ISOLATE}",
    "\N{POP DIRECTIONAL ISOLATE}",
]
BLOCK = builders.key_pem().decode()
BODY = BLOCK.splitlines()[1]


@pytest.mark.parametrize(
    ("error", "parent"),
    [
        (errors.RetryLater, errors.Obstacle),
        (errors.AccountObstacle, errors.RetryLater),
        (errors.NeedsChange, errors.Obstacle),
        (errors.Blocked, errors.Obstacle),
        (errors.OutcomeUnknown, errors.Obstacle),
        (errors.Conflict, errors.ApiServerError),
        (errors.Gone, errors.ApiServerError),
    ],
)
def test_the_tree_is_as_it_is_drawn(error: type[Exception], parent: type[Exception]) -> None:
    """Each error is told apart from its siblings, and caught with its parent."""
    assert error.__bases__ == (parent,)


@pytest.mark.parametrize("error", [errors.Obstacle, errors.AccountFault, errors.ApiServerError, errors.InvalidResource])
def test_each_tree_stands_alone(error: type[Exception]) -> None:
    """An obstacle, a faulty account, a failing API server and a broken resource are never taken for one another."""
    assert error.__bases__ == (Exception,)


@pytest.mark.parametrize("error", [errors.Obstacle, errors.RetryLater, errors.NeedsChange, errors.Blocked])
def test_an_obstacle_has_a_reason_and_a_message(error: type[errors.Obstacle]) -> None:
    """What a status says is in each obstacle, and in its text."""
    raised = error(Reason.REJECTED, "change it")
    assert (raised.reason, raised.message, str(raised)) == (Reason.REJECTED, "change it", "Rejected: change it")


def test_a_retry_may_have_a_least_delay() -> None:
    """The service may ask for a delay; without one the backoff decides, and it is a quick one."""
    asked = errors.RetryLater(Reason.THROTTLED, "m", retry_after=7.0)
    plain = errors.RetryLater(Reason.UNREACHABLE, "m")
    assert [(each.retry_after, each.slow) for each in (asked, plain)] == [(7.0, False), (None, False)]


def test_a_refused_account_is_retried_slowly() -> None:
    """Nothing but a person is likely to end it, and the account has a reason of its own."""
    refused = errors.AccountObstacle(
        Reason.AUTHENTICATION_FAILED, "m", account_reason=AccountReason.LOGIN_FAILED, retry_after=1.0
    )
    assert (refused.slow, refused.retry_after) == (True, 1.0)
    assert (refused.reason, refused.account_reason) == (Reason.AUTHENTICATION_FAILED, AccountReason.LOGIN_FAILED)


def test_an_unknown_outcome_has_one_reason() -> None:
    """Whatever happened to the POST, the reason is OutcomeUnknown."""
    raised = errors.OutcomeUnknown("the connection broke.")
    assert (raised.reason, raised.message) == (Reason.OUTCOME_UNKNOWN, "the connection broke.")


def test_an_accounts_fault_has_a_reason_and_a_message() -> None:
    """What the account's status says is in the fault, and in its text."""
    raised = errors.AccountFault(AccountReason.CREDENTIAL_INVALID, "is empty")
    assert (raised.reason, raised.message) == (AccountReason.CREDENTIAL_INVALID, "is empty")
    assert str(raised) == "CredentialInvalid: is empty"


def test_the_api_server_may_ask_for_a_delay() -> None:
    """Without one, the next try may come at once."""
    assert errors.ApiServerError("m").retry_after == 0
    assert errors.Conflict("m", retry_after=3.0).retry_after == 3.0


def test_plain_text_stays_as_it_is() -> None:
    """Text of a service that is fit to be shown is shown as it is, in any language."""
    assert errors.foreign_text("证书请求错误: invalid csr, see <a>") == "证书请求错误: invalid csr, see <a>"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (BLOCK, "[PEM removed]"),
        (f"bad key {BLOCK}, sorry", "bad key [PEM removed] , sorry"),
        (f"{BLOCK}{BLOCK}", "[PEM removed] [PEM removed]"),
        (BLOCK.replace("\n", "\\n"), "[PEM removed]\\n"),
        (BLOCK.replace("\n", "\r\n"), "[PEM removed]"),
        (BLOCK.replace("\n", " "), "[PEM removed]"),
        (f"cut {BLOCK[:100]}", "cut [PEM removed]"),
        (f"cut {BLOCK[:-10]}", "cut [PEM removed]"),
        (BLOCK.replace("PRIVATE", "RSA PRIVATE"), "[PEM removed]"),
    ],
    ids=["alone", "in text", "two", "escaped", "CRLF", "one line", "cut early", "cut late", "another label"],
)
def test_pem_blocks_are_removed(text: str, shown: str) -> None:
    """A key or CSR that a service repeats isn't shown, even if it is cut off."""
    assert errors.foreign_text(text) == shown


@pytest.mark.parametrize("character", [chr(code) for code in [*range(32), *range(0x7F, 0xA0)]], ids=ascii)
def test_control_characters_are_removed(character: str) -> None:
    """No character that moves a terminal's cursor, rings its bell or breaks a line is shown."""
    assert errors.foreign_text(f"a{character}b") == "a b"


@pytest.mark.parametrize("character", BIDI_CONTROLS, ids=ascii)
def test_bidi_characters_are_removed(character: str) -> None:
    """No character that makes a text show itself in another order is shown."""
    assert errors.foreign_text(f"a{character}b") == "a b"


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\u200b", "\ufeff"], ids=ascii)
def test_invisible_characters_are_removed(character: str) -> None:
    """No character that breaks a line or can't be seen is shown."""
    assert errors.foreign_text(f"a{character}b") == "a b"


@pytest.mark.parametrize(("length", "shown"), [(255, 255), (256, 256), (257, 256), (1_000_000, 256)])
def test_text_has_at_most_256_characters(length: int, shown: int) -> None:
    """A longer text is cut, and an ellipsis says so."""
    text = errors.foreign_text("x" * length)
    assert (len(text), text.endswith("…")) == (shown, length > 256)


FOREIGN = st.lists(
    st.text("a\n-\u202e", max_size=20)
    | st.sampled_from(["-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", BODY, "x" * 300])
).map("".join)


@given(FOREIGN)
def test_any_text_becomes_fit_to_be_shown(text: str) -> None:
    """Whatever a service says, what is shown is short, printable, and holds no beginning of a PEM block."""
    shown = errors.foreign_text(text)
    assert len(shown) <= 256
    assert shown == shown.strip()
    assert all(character.isprintable() for character in shown)
    assert "-----BEGIN PRIVATE KEY-----" not in shown


@given(FOREIGN)
@example("-----BEGIN PRIVATE KEY-----")
def test_what_was_made_fit_stays_as_it_is(text: str) -> None:
    """Making a text fit twice changes nothing."""
    once = errors.foreign_text(text)
    assert errors.foreign_text(once) == once


def test_half_a_surrogate_pair_is_not_shown() -> None:
    """JSON can hold half of a surrogate pair, which no log and no API server can take."""
    assert errors.foreign_text("a\ud800b").encode()
