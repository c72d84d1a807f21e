import base64
import functools
import hashlib
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given
from hypothesis import strategies as st

from scm_operator.domain import csr, errors
from scm_operator.domain.reasons import Reason
from tests.support import builders, sm2
from tests.support import pem as pems

SOURCE = "Secret 'shop-tls', key 'tls.csr'"
SUBJECT_ALT_NAME = x509.ObjectIdentifier("2.5.29.17")
Edit = Callable[[bytes], bytes]


def parse(value: bytes) -> csr.CertificateRequest:
    """Parse a value as a CSR."""
    return csr.parse_request(value, source=SOURCE)


def parse_key(value: bytes) -> csr.PrivateKey:
    """Parse a value as a private key."""
    return csr.parse_private_key(value, source=SOURCE)


def refusal_of(value: bytes) -> errors.NeedsChange:
    """Return how a CSR is refused."""
    with pytest.raises(errors.NeedsChange) as refused:
        parse(value)
    return refused.value


def key_refusal_of(value: bytes) -> errors.NeedsChange:
    """Return how a private key is refused."""
    with pytest.raises(errors.NeedsChange) as refused:
        parse_key(value)
    return refused.value


def der_of(pem: bytes) -> bytes:
    """Decode a PEM block."""
    return base64.b64decode(b"".join(pem.strip().splitlines()[1:-1]))


def pem_of(der: bytes, *, label: str = "CERTIFICATE REQUEST", width: int = 64) -> bytes:
    """Write a PEM block with lines of any width."""
    text = base64.b64encode(der).decode()
    lines = [text[at : at + width] for at in range(0, len(text), width)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode()


def relabelled(pem: bytes, label: str) -> bytes:
    """Exchange the label of a block."""
    return pem_of(der_of(pem), label=label)


def resigned(pem: bytes, edit: Edit) -> bytes:
    """Edit what is signed in a CSR of the ED25519 key (keeping its length), and sign it anew."""
    key = builders.make_key("ED25519")
    assert isinstance(key, ed25519.Ed25519PrivateKey)
    signed = x509.load_pem_x509_csr(pem).tbs_certrequest_bytes
    edited = edit(signed)
    assert (edited != signed, len(edited)) == (True, len(signed))
    return pem_of(der_of(pem).replace(signed, edited)[:-64] + key.sign(edited))


def exchange(old: str, new: str) -> Edit:
    """Return an edit that exchanges one sequence of bytes, given in hexadecimal, for another."""

    def edit(der: bytes) -> bytes:
        assert der.count(bytes.fromhex(old)) == 1
        return der.replace(bytes.fromhex(old), bytes.fromhex(new))

    return edit


def ed25519_csr(*, common_name: str = "shop.example.com", **extensions: bytes) -> bytes:
    """Make a CSR of the ED25519 key with extensions given by OID (dots written as ``_``) and raw value."""
    raw = [x509.UnrecognizedExtension(oid_of(name), value) for name, value in extensions.items()]
    return builders.make_csr(builders.make_key("ED25519"), common_name=common_name, extensions=raw)


def oid_of(name: str) -> x509.ObjectIdentifier:
    """Return the OID that is written as ``oid_2_5_29_17``."""
    return x509.ObjectIdentifier(name.removeprefix("oid_").replace("_", "."))


@functools.cache
def csr_of_length(least: int) -> bytes:
    """Make the shortest CSR whose PEM has at least so many characters (2,000 and more)."""
    for padding in range(1_000, 2_000):
        pem = ed25519_csr(oid_1_2_3_4=b"x" * padding)
        if len(pem) >= least:
            return pem
    raise AssertionError("unreachable")


EC_CSR = builders.make_csr(dns_names=["shop.example.com", "www.shop.example.com"])
EC_KEY = builders.key_pem()
TEXT = st.text("-\u2026= \r\n\x00:aZ9é", max_size=50)


# What passes


@pytest.mark.parametrize("kind", ["EC_P256", "EC_P384", "ED25519", "RSA_2048", "RSA_4096"])
def test_a_csr_and_its_key_pass(kind: builders.Kind) -> None:
    """A CSR and its key pass as they are, whatever algorithm they are of, and the algorithm is told."""
    key = builders.make_key(kind)
    request, private_key = builders.make_csr(key), builders.key_pem(key)

    content = csr.content_of(parse(request), parse_key(private_key))

    assert (content.csr_pem.encode(), (content.private_key_pem or "").encode()) == (request, private_key)
    assert content.summary.key_algorithm == kind


def test_an_rsa_4096_key_of_3272_characters_passes() -> None:
    """A key has no greatest length: the longest usual one is longer than any CSR may be."""
    pem = builders.key_pem(builders.make_key("RSA_4096"))
    assert (len(pem), len(parse_key(pem).pem)) == (3_272, 3_272)


@pytest.mark.parametrize(
    ("kind", "form"),
    [("EC_P256", "PKCS#8"), ("EC_P256", "SEC1"), ("EC_P384", "SEC1"), ("RSA_4096", "PKCS#8"), ("RSA_4096", "PKCS#1")],
)
def test_a_key_passes_in_each_of_its_forms(kind: builders.Kind, form: builders.Format) -> None:
    """A key is sent in the form that it has (PKCS#8, PKCS#1 or SEC1), and is matched to its CSR in each."""
    key = builders.make_key(kind)
    content = csr.content_of(parse(builders.make_csr(key)), parse_key(builders.key_pem(key, form=form)))
    assert (content.private_key_pem or "").encode() == builders.key_pem(key, form=form)


def test_parameters_in_front_of_an_ec_key_are_dropped() -> None:
    """The block EC PARAMETERS that openssl writes in front of a key isn't sent, and isn't in the way."""
    sec1 = builders.key_pem(form="SEC1")
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    assert parse_key(parameters + sec1) == parse_key(sec1)


def test_an_sm2_csr_passes_unverified() -> None:
    """A CSR of an algorithm that can't be read here passes, even with another signature: SCM is the judge of it."""
    damaged = der_of(sm2.CSR)[:-1] + b"\x00"
    assert parse(sm2.CSR).pem.encode() == sm2.CSR
    assert parse(pem_of(damaged)).pem.encode() == pem_of(damaged)


def test_an_sm2_csr_is_described() -> None:
    """What is shown of a CSR needs no knowledge of its algorithm."""
    assert parse(sm2.CSR).summary == builders.make_summary(
        common_name="sm2.example", dns_name_count=0, key_algorithm="SM2"
    )


def test_a_csr_of_an_unknown_algorithm_says_so() -> None:
    """A key of which nothing can be read is shown as unknown."""
    unknown = der_of(sm2.CSR).replace(bytes.fromhex("2a811ccf55018375"), bytes.fromhex("2a811ccf55018379"))
    assert parse(pem_of(unknown)).summary.key_algorithm == "unknown"


@pytest.mark.parametrize("key", [sm2.KEY, sm2.KEY_WITH_PARAMETERS], ids=["alone", "with parameters"])
def test_an_sm2_key_passes_unmatched(key: bytes) -> None:
    """A key that can't be read here passes; whether it is the CSR's is for SCM to say."""
    content = csr.content_of(parse(sm2.CSR), parse_key(key))
    assert (content.private_key_pem or "").encode() == sm2.KEY


@pytest.mark.parametrize("number", [0, 1, 2])
def test_dns_names_are_counted(number: int) -> None:
    """The DNS names of the subject alternative names are counted; the common name is none of them."""
    pem = builders.make_csr(dns_names=[f"{n}.example.com" for n in range(number)])
    assert parse(pem).summary.dns_name_count == number


def test_other_alternative_names_are_not_counted() -> None:
    """An e-mail address among the subject alternative names is no DNS name."""
    names = [x509.DNSName("shop.example.com"), x509.RFC822Name("me@example.com")]
    pem = builders.make_csr(extensions=[x509.SubjectAlternativeName(names)])
    assert parse(pem).summary.dns_name_count == 1


def test_a_csr_without_common_name_passes() -> None:
    """An empty subject is shown as an empty common name."""
    assert parse(builders.make_csr(common_name=None)).summary.common_name == ""


def test_a_common_name_is_fit_to_be_shown() -> None:
    """Control characters in a common name don't reach the status, and neither does a PEM block."""
    pem = builders.make_csr(common_name="a\nb-----BEGIN PRIVATE KEY-----MIIE")
    assert parse(pem).summary.common_name == "a b[PEM removed]"


@pytest.mark.filterwarnings("ignore:Attribute's length")
def test_a_common_name_is_shown_up_to_64_characters() -> None:
    """A common name longer than RFC 5280 allows is cut in what is shown, and sent as it is."""
    key = builders.make_key("ED25519")
    assert isinstance(key, ed25519.Ed25519PrivateKey)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "x" * 65)])
    made = x509.CertificateSigningRequestBuilder(subject).sign(key, None).public_bytes(serialization.Encoding.PEM)
    pem = resigned(made, exchange("060355040a", "0603550403"))
    request = parse(pem)
    assert (request.summary.common_name, request.pem.encode()) == ("x" * 64, pem)


# How it is normalised


@pytest.mark.parametrize(
    "edit",
    [
        lambda pem: pem.replace(b"\n", b"\r\n"),
        lambda pem: pem.replace(b"\n", b"\r"),
        lambda pem: relabelled(pem, "NEW CERTIFICATE REQUEST"),
        lambda pem: b"Subject: shop\n\n" + pem + b"-- \nhave fun \xe2\x80\xa6\n",
        lambda pem: b"\xef\xbb\xbf" + pem,
        lambda pem: pem.strip(),
        lambda pem: b"\n\n  " + pem + b"\n\n",
        lambda pem: pem_of(der_of(pem), width=76),
        lambda pem: pem_of(der_of(pem), width=10_000),
        lambda pem: pem.replace(b"\n", b" \n\t"),
    ],
    ids=["crlf", "cr", "new", "text", "bom", "stripped", "blank lines", "76 columns", "one line", "indented"],
)
def test_a_csr_is_the_same_however_it_is_written(edit: Edit) -> None:
    """Line ends, line lengths, the older label and text around the block change neither what is sent nor its hash."""
    assert parse(edit(EC_CSR)) == parse(EC_CSR)


@pytest.mark.parametrize(
    "edit",
    [lambda pem: pem.replace(b"\n", b"\r\n"), lambda pem: b"Bag Attributes\n" + pem, lambda pem: pem.strip()],
    ids=["crlf", "text", "stripped"],
)
def test_a_key_is_the_same_however_it_is_written(edit: Edit) -> None:
    """Line ends and text around the block don't change the key that is sent."""
    assert parse_key(edit(EC_KEY)) == parse_key(EC_KEY)


@given(before=TEXT, after=TEXT, width=st.integers(1, 100))
def test_text_around_a_block_changes_nothing(before: str, after: str, width: int) -> None:
    """Whatever stands around the block, and however long its lines are, the same CSR is sent."""
    block = pem_of(der_of(EC_CSR), width=width)
    assert parse(before.encode() + b"\n" + block + after.encode()) == parse(EC_CSR)


@given(width=st.integers(1, 100), line_end=st.sampled_from(["\n", "\r\n", "\r"]))
def test_normalising_twice_changes_nothing(width: int, line_end: str) -> None:
    """What was normalised is normal: 64 columns, one kind of line end, a final newline."""
    once = parse(pem_of(der_of(EC_CSR), width=width).replace(b"\n", line_end.encode()))
    assert parse(once.pem.encode()) == once


# Its hash


def test_the_hash_is_that_of_the_csrs_der() -> None:
    """The hash can be recomputed from the CSR with everyday tools."""
    content = csr.content_of(parse(EC_CSR), None)
    assert content.hash == f"sha256:{hashlib.sha256(der_of(EC_CSR)).hexdigest()}"


def test_the_hash_tells_whether_a_key_goes_along() -> None:
    """The same CSR with a key is other content."""
    request = parse(EC_CSR)
    assert csr.content_of(request, parse_key(EC_KEY)).hash == csr.content_of(request, None).hash + "+key"


def test_the_hash_says_nothing_of_the_key() -> None:
    """The same key in another form, or a key that isn't matched, is the same content."""
    request = parse(EC_CSR)
    keys = [EC_KEY, builders.key_pem(form="SEC1"), sm2.KEY]
    assert len({csr.content_of(request, parse_key(key)).hash for key in keys}) == 1


def test_another_csr_of_the_same_key_has_another_hash() -> None:
    """A CSR made anew, for the same key and name, is other content."""
    first, second = parse(builders.make_csr()), parse(builders.make_csr())
    assert csr.content_of(first, None).hash != csr.content_of(second, None).hash


# What is refused


def test_the_greatest_length_is_2555_characters() -> None:
    """The limit is the one of SCM's documentation."""
    assert csr.MAX_CSR_LENGTH == 2_555


def test_a_csr_of_at_most_2555_characters_passes() -> None:
    """PEM grows in steps of four characters and a newline, so 2,553 is the longest that fits into 2,555."""
    pem = csr_of_length(2_553)
    assert (len(pem), len(parse(pem).pem)) == (2_553, 2_553)


def test_a_csr_of_more_than_2555_characters_is_refused() -> None:
    """2,557 characters, the next length that a PEM can have, are too many; the message says how many there are."""
    pem = csr_of_length(2_554)
    refusal = refusal_of(pem)
    assert (len(pem), refusal.reason) == (2_557, Reason.CSR_TOO_LARGE)
    assert refusal.message.startswith(f"{SOURCE}: the CSR has 2557 characters, SCM takes at most 2555.")


def test_the_length_is_that_of_the_normalised_csr() -> None:
    """Windows line ends and text around a CSR don't make it too long, and long lines don't make it fit."""
    fits, too_long = csr_of_length(2_553), csr_of_length(2_554)
    assert parse(b"text\n" * 1_000 + fits.replace(b"\n", b"\r\n")).pem.encode() == fits
    assert refusal_of(pem_of(der_of(too_long), width=10_000)).reason == Reason.CSR_TOO_LARGE


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"", "is empty; expected one PEM block BEGIN CERTIFICATE REQUEST."),
        (b" \r\n", "is empty; expected one PEM block BEGIN CERTIFICATE REQUEST."),
        (b"\xff\xfe", "is not text (binary data, maybe DER)"),
        (der_of(EC_CSR), "is not text (binary data, maybe DER)"),
        (b"hello", "found no PEM block"),
        (base64.b64encode(EC_CSR), "found no PEM block"),
        (b"-----begin certificate request-----\nAAAA\n-----end certificate request-----\n", "found no PEM block"),
        (EC_KEY, "found a PEM block PRIVATE KEY"),
        (relabelled(EC_CSR, "CERTIFICATE"), "found a PEM block CERTIFICATE;"),
        (EC_CSR + EC_CSR, "found 2 PEM blocks (CERTIFICATE REQUEST, CERTIFICATE REQUEST)"),
        (EC_CSR + EC_KEY, "found 2 PEM blocks (CERTIFICATE REQUEST, PRIVATE KEY)"),
        (EC_CSR[:200], "the CERTIFICATE REQUEST block is incomplete (truncated?)"),
        (EC_CSR[-200:], "the CERTIFICATE REQUEST block is incomplete (truncated?)"),
        (EC_CSR.replace(b"END CERT", b"END NEW CERT"), "the CERTIFICATE REQUEST block is incomplete (truncated?)"),
        (EC_CSR.replace(b"\nM", b"\n!", 1), "the CERTIFICATE REQUEST block is not valid base64."),
        (EC_CSR.replace(b"\nM", b"\n!M", 1), "the CERTIFICATE REQUEST block is not valid base64."),
        (pem_of(b"a").replace(b"=", b""), "the CERTIFICATE REQUEST block is not valid base64."),
        (EC_CSR.replace(b"\nM", "\nÄ".encode(), 1), "the CERTIFICATE REQUEST block is not valid base64."),
        (pem_of(b""), "is not a valid PKCS#10 request (truncated or damaged)."),
        (pem_of(der_of(EC_CSR)[:-3]), "is not a valid PKCS#10 request (truncated or damaged)."),
        (pem_of(der_of(EC_CSR) + b"\x00"), "is not a valid PKCS#10 request (truncated or damaged)."),
        (pem_of(b"\x30\x00"), "is not a valid PKCS#10 request (truncated or damaged)."),
        (relabelled(EC_KEY, "CERTIFICATE REQUEST"), "is not a valid PKCS#10 request (truncated or damaged)."),
    ],
    ids=[
        "empty",
        "white space",
        "not UTF-8",
        "DER",
        "text",
        "base64 of a PEM",
        "lower case",
        "key",
        "certificate",
        "two CSRs",
        "CSR and key",
        "begin without end",
        "end without begin",
        "ends do not match",
        "not base64",
        "stray character",
        "no padding",
        "not ASCII",
        "block without content",
        "truncated DER",
        "trailing DER",
        "no CSR",
        "key under a CSR's label",
    ],
)
def test_what_is_no_csr_is_refused(value: bytes, said: str) -> None:
    """A value that isn't one whole CSR is InvalidCSR, and the message says where it stands and what was found."""
    refusal = refusal_of(value)
    assert refusal.reason == Reason.INVALID_CSR
    assert refusal.message.startswith(SOURCE)
    assert said in refusal.message


@pytest.mark.parametrize("kind", ["EC_P256", "EC_P384", "ED25519", "RSA_4096"])
def test_a_csr_with_a_wrong_signature_is_refused(kind: builders.Kind) -> None:
    """A CSR that was changed after it was signed is InvalidCSR."""
    pem = builders.make_csr(builders.make_key(kind), common_name="a.example.com")
    refusal = refusal_of(pem_of(der_of(pem).replace(b"a.example", b"b.example")))
    assert (refusal.reason, "signature does not fit" in refusal.message) == (Reason.INVALID_CSR, True)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"", "is empty; expected one PEM block BEGIN PRIVATE KEY."),
        (b"\xff\xfe", "is not text (binary data, maybe DER)"),
        (der_of(EC_KEY), "is not text (binary data, maybe DER)"),
        (b"hello", "found no PEM block"),
        (EC_CSR, "found a PEM block CERTIFICATE REQUEST"),
        (relabelled(EC_KEY, "OPENSSH PRIVATE KEY"), "found a PEM block OPENSSH PRIVATE KEY"),
        (EC_KEY + EC_KEY, "found 2 PEM blocks (PRIVATE KEY, PRIVATE KEY)"),
        (EC_KEY[:100], "the PRIVATE KEY block is incomplete (truncated?)"),
        (EC_KEY.replace(b"\nM", b"\n!", 1), "the PRIVATE KEY block is not valid base64."),
        (pem_of(b"", label="PRIVATE KEY"), "the PRIVATE KEY block is not a valid private key (truncated or damaged)."),
        (pem_of(der_of(EC_KEY)[:-3], label="PRIVATE KEY"), "is not a valid private key (truncated or damaged)."),
        (relabelled(EC_CSR, "RSA PRIVATE KEY"), "the RSA PRIVATE KEY block is not a valid private key"),
        (builders.key_pem(passphrase=b"secret"), "the private key is encrypted, and SCM takes only unencrypted keys"),
        (
            builders.key_pem(form="SEC1", passphrase=b"secret"),
            "the private key is encrypted, and SCM takes only unencrypted keys",
        ),
        (
            builders.key_pem(builders.make_key("RSA_4096"), form="PKCS#1", passphrase=b"secret"),
            "the private key is encrypted, and SCM takes only unencrypted keys",
        ),
    ],
    ids=[
        "empty",
        "not UTF-8",
        "DER",
        "text",
        "CSR",
        "OpenSSH",
        "two keys",
        "begin without end",
        "not base64",
        "block without content",
        "truncated DER",
        "CSR under a key's label",
        "encrypted PKCS#8",
        "encrypted SEC1 (Proc-Type)",
        "encrypted PKCS#1 (Proc-Type)",
    ],
)
def test_what_is_no_key_is_refused(value: bytes, said: str) -> None:
    """A value that isn't one whole unencrypted key is InvalidPrivateKey, and the message says what was found."""
    refusal = key_refusal_of(value)
    assert refusal.reason == Reason.INVALID_PRIVATE_KEY
    assert refusal.message.startswith(SOURCE)
    assert said in refusal.message


@pytest.mark.parametrize("other", ["EC_P256", "EC_P384", "ED25519", "RSA_4096"])
def test_the_key_of_another_csr_is_refused(other: builders.Kind) -> None:
    """A key that isn't the CSR's, of the same algorithm or another, is KeyMismatch."""
    key = builders.make_key(other, number=0 if other == "RSA_4096" else 1)
    with pytest.raises(errors.NeedsChange) as refused:
        csr.content_of(parse(EC_CSR), parse_key(builders.key_pem(key)))
    assert refused.value.reason == Reason.KEY_MISMATCH


@pytest.mark.parametrize("opening", ["-----BEGIN X-----\n", "-----BEGIN CERTIFICATE REQUEST-----\n"])
def test_a_megabyte_of_opening_lines_is_refused(opening: str) -> None:
    """The largest value that a Secret can hold, made to be slow to search, is refused like any other."""
    value = opening.encode() * (2**20 // len(opening))
    assert "block is incomplete" in refusal_of(value).message
    assert "block is incomplete" in key_refusal_of(value).message


def test_a_message_names_a_few_blocks_only() -> None:
    """A value with a great many blocks doesn't make the message long."""
    message = refusal_of(b"-----BEGIN X-----\n-----END X-----\n" * 1_000).message
    assert "found 1000 PEM blocks (X, X, X, X);" in message


# Nothing but a refusal, whatever it is


def outcome(parser: Callable[[bytes], object], value: bytes) -> object:
    """Return what parsing comes to: a value or a refusal; anything else is let through."""
    try:
        return parser(value)
    except errors.NeedsChange as refusal:
        return refusal.reason


PIECES = st.one_of(
    st.sampled_from(["CERTIFICATE REQUEST", "PRIVATE KEY", "EC PARAMETERS", "ENCRYPTED PRIVATE KEY"]).flatmap(
        lambda label: st.sampled_from([f"-----BEGIN {label}-----\n".encode(), f"-----END {label}-----\n".encode()])
    ),
    st.sampled_from([EC_CSR, EC_KEY, sm2.CSR, EC_CSR[36:-34], b"Proc-Type: 4,ENCRYPTED\n\n"]),
    st.binary(max_size=30),
    st.binary(max_size=30).map(base64.b64encode),
)


@given(st.lists(PIECES, max_size=6).map(b"".join))
def test_any_bytes_are_parsed_or_refused(value: bytes) -> None:
    """No value makes the parsers fail in another way than by saying what to change."""
    outcome(parse, value)
    outcome(parse_key, value)


@given(st.binary(max_size=200), st.sampled_from(["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"]))
def test_any_der_is_parsed_or_refused(der: bytes, label: str) -> None:
    """No content of a well-formed block makes the parsers fail in another way."""
    outcome(parse, pem_of(der))
    outcome(parse_key, pem_of(der, label=label))


@given(at=st.integers(0, len(der_of(sm2.CSR)) - 1), value=st.integers(0, 255))
def test_a_damaged_csr_is_parsed_or_refused(at: int, value: int) -> None:
    """One byte changed anywhere in a CSR that isn't verified leads to no other failure."""
    damaged = bytearray(der_of(sm2.CSR))
    damaged[at] = value
    outcome(parse, pem_of(bytes(damaged)))


@given(at=st.integers(0, len(der_of(EC_KEY)) - 1), value=st.integers(0, 255))
def test_a_damaged_key_is_parsed_or_refused(at: int, value: int) -> None:
    """One byte changed anywhere in a key leads to no other failure."""
    damaged = bytearray(der_of(EC_KEY))
    damaged[at] = value
    outcome(parse_key, pem_of(bytes(damaged), label="PRIVATE KEY"))


def test_a_csr_of_an_unknown_version_is_refused() -> None:
    """PKCS#10 has one version; a CSR of another is InvalidCSR."""
    pem = resigned(ed25519_csr(), lambda der: der.replace(b"\x02\x01\x00", b"\x02\x01\x01", 1))
    assert refusal_of(pem).reason == Reason.INVALID_CSR


@pytest.mark.parametrize(
    "pem",
    [
        resigned(ed25519_csr(oid_1_2_3_4=b"a", oid_1_2_3_5=b"b"), exchange("06032a0305", "06032a0304")),
        ed25519_csr(oid_2_5_29_17=bytes.fromhex("3002a300")),
        resigned(ed25519_csr(common_name="\x00abc"), exchange("0603550403" + "0c04", "0603550403" + "0304")),
    ],
    ids=["an extension twice", "an x400Address", "a bit string as common name"],
)
def test_a_well_signed_oddity_is_parsed_or_refused(pem: bytes) -> None:
    """What the library finds odd in a CSR that is signed well ends in a value or a refusal."""
    outcome(parse, pem)


def test_an_attribute_of_an_unusual_length_passes_silently() -> None:
    """A CSR with a country of more than two letters passes without a warning: SCM is the judge of it."""
    pem = resigned(ed25519_csr(common_name="Germany"), exchange("0603550403", "0603550406"))
    assert parse(pem).summary.common_name == ""


# What is never told


CANARY = "aCanaryThatMustNotSing"


@pytest.mark.parametrize("label", ["CERTIFICATE REQUEST", "PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY"])
@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN {label}-----\n{canary}\n-----END {label}-----\n",
        "-----BEGIN {label}-----\n{canary}!\n-----END {label}-----\n",
        "-----BEGIN {label}-----\n{canary}\n",
        "-----BEGIN {label}-----\nProc-Type: 4,ENCRYPTED\n\n{canary}\n-----END {label}-----\n",
        "{canary}\n-----BEGIN X-----\n{canary}\n-----END X-----\n",
        "{canary}",
        "{canary}\udcff",
    ],
    ids=["damaged", "not base64", "truncated", "encrypted", "another block", "text", "binary"],
)
def test_a_refusal_never_quotes_the_value(text: str, label: str) -> None:
    """Nothing of a Secret's value is in the message of a refusal, nor in what it prints."""
    value = text.format(label=label, canary=CANARY).encode(errors="surrogateescape")
    for refusal in (refusal_of(value), key_refusal_of(value)):
        assert CANARY not in f"{refusal} {refusal!r} {refusal.message}"


def test_a_repr_shows_neither_csr_nor_key() -> None:
    """What is logged of parsed values by mistake holds no line of a CSR and no line of a key."""
    request, key = parse(EC_CSR), parse_key(EC_KEY)
    shown = repr((request, key, csr.content_of(request, key)))
    public = builders.make_key().public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    spki = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    secrets = [*EC_CSR.decode().split(), *EC_KEY.decode().split(), repr(spki)[2:-1]]
    assert [secret for secret in secrets if len(secret) > 8 and secret in shown] == []


# What one person's key could do to all


@pytest.mark.parametrize("oid", ["2a8648ce380401", "2a8648ce3e0201", "2a864886f70d010301"], ids=["DSA", "DH", "PKCS#3"])
def test_a_key_that_is_costly_to_load_is_refused_unloaded(oid: str) -> None:
    """A DSA or DH key is refused by its algorithm: loading a long one takes minutes, in which nobody is served."""
    algorithm = bytes.fromhex(f"06{len(oid) // 2:02x}{oid}")
    header = bytes.fromhex("020100") + bytes([0x30, len(algorithm)]) + algorithm
    der = bytes([0x30, len(header)]) + header
    with pytest.raises(errors.NeedsChange, match="DSA or DH") as refusal:
        parse_key(pem_of(der, label="PRIVATE KEY"))
    assert refusal.value.reason == Reason.INVALID_PRIVATE_KEY


def test_a_key_of_endless_length_is_refused_unloaded() -> None:
    """A key beyond 16 KiB is none that SCM would take."""
    with pytest.raises(errors.NeedsChange, match="too long"):
        parse_key(pem_of(b"0" * (16 * 1024 + 1), label="PRIVATE KEY"))


@pytest.mark.parametrize("oid", ["2a864886f70d010105", "2a864886f70d010104"], ids=["SHA-1", "MD5"])
def test_a_signature_that_the_library_will_not_check_passes_unverified(oid: str) -> None:
    """SHA-1 and MD5 are broken, and the library calls every signature over them wrong: SCM is the judge of them."""
    with_sha256 = der_of(pems.csr(pems.rsa_key(2048)))
    pem = pem_of(with_sha256.replace(bytes.fromhex("2a864886f70d01010b"), bytes.fromhex(oid)))
    assert parse(pem).pem.encode() == pem


def test_an_sm2_key_under_its_own_label_passes() -> None:
    """OpenSSL writes an SM2 key as SM2 PRIVATE KEY as well."""
    pem = relabelled(sm2.KEY, "SM2 PRIVATE KEY")
    assert parse_key(pem).pem.encode() == pem


ONE_LINE = base64.b64encode(der_of(EC_CSR)).decode()
SHOWN_FORMS = {
    "as it was sent": parse(EC_CSR).pem,
    "Windows line ends": EC_CSR.decode().replace("\n", "\r\n"),
    "old Mac line ends": EC_CSR.decode().replace("\n", "\r"),
    "no final newline": EC_CSR.decode().rstrip(),
    "NEW": relabelled(EC_CSR, "NEW CERTIFICATE REQUEST").decode(),
    "text around": f"Subject: CN=shop\n{EC_CSR.decode()}\nend",
    "other lines": pem_of(der_of(EC_CSR), width=76).decode(),
    "one line": pem_of(der_of(EC_CSR), width=10_000).decode(),
    "spaces for newlines": EC_CSR.decode().replace("\n", " "),
    "no newlines at all": f"-----BEGIN CERTIFICATE REQUEST-----{ONE_LINE}-----END CERTIFICATE REQUEST-----",
    "beside a certificate": relabelled(EC_CSR, "CERTIFICATE").decode() + EC_CSR.decode(),
}


@pytest.mark.parametrize("text", SHOWN_FORMS.values(), ids=SHOWN_FORMS)
def test_a_csr_that_a_service_shows_has_the_hash_that_was_sent(text: str) -> None:
    """However a service writes it, the hash of a CSR's DER is the one in the hash of the content."""
    content = csr.content_of(parse(EC_CSR), parse_key(EC_KEY))
    assert content.hash == f"sha256:{csr.digest_of_pem(text)}+key"


@pytest.mark.parametrize("kind", ["EC_P384", "RSA_2048", "ED25519"])
def test_a_shown_csr_of_any_kind_has_the_hash_that_was_sent(kind: builders.Kind) -> None:
    """The hash needs no knowledge of the key."""
    request = parse(builders.make_csr(builders.make_key(kind)))
    assert csr.digest_of_pem(request.pem) == request.der_digest


def test_a_shown_csr_of_an_unknown_algorithm_has_the_hash_that_was_sent() -> None:
    """What passes unverified when it is sent is recognised too."""
    assert csr.digest_of_pem(sm2.CSR.decode()) == parse(sm2.CSR).der_digest


UNREADABLE = {
    "empty": "",
    "example of the documents": "xxxxxx",
    "no frame": ONE_LINE,
    "cut off": EC_CSR.decode()[:200],
    "cut off, and framed again": pem_of(der_of(EC_CSR)[:150]).decode(),
    "followed by more": pem_of(der_of(EC_CSR) + b"\x00").decode(),
    "no base64": EC_CSR.decode().replace("\nM", "\n!", 1),
    "not ASCII": EC_CSR.decode().replace("\nM", "\nÄ", 1),
    "nothing framed": pem_of(b"").decode(),
    "two": EC_CSR.decode() * 2,
    "another label": relabelled(EC_CSR, "CERTIFICATE").decode(),
    "a key": EC_KEY.decode(),
    "lone surrogates": "\ud800" + EC_CSR.decode().replace("\nM", "\n\udfff", 1),
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_a_shown_csr_that_cannot_be_read_has_no_hash(text: str) -> None:
    """What isn't surely one whole CSR is neither the one sought nor surely another."""
    assert csr.digest_of_pem(text) is None


@given(st.text() | st.builds(lambda body: pem_of(body).decode(), st.binary()))
def test_any_text_of_a_service_has_a_hash_or_none(text: str) -> None:
    """No text of a service makes an exception."""
    assert csr.digest_of_pem(text) is None


@given(at=st.integers(0, len(der_of(EC_CSR)) - 1), value=st.integers(0, 255))
def test_a_damaged_shown_csr_is_never_taken_for_the_one_sent(at: int, value: int) -> None:
    """A changed byte gives another hash, or none."""
    der = bytearray(der_of(EC_CSR))
    changed = der[at] != value
    der[at] = value
    assert (csr.digest_of_pem(pem_of(bytes(der)).decode()) == parse(EC_CSR).der_digest) != changed
