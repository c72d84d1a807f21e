import asyncio
from typing import Any

import aiohttp
import pytest

from tests.unit.simulator import harness

UPLOAD: dict[str, Any] = {"operation": "UploadCsr"}
UTF_8 = "; charset=utf-8"


async def statuses(client: harness.Client, count: int) -> list[int]:
    """Upload so many times and return the statuses."""
    return [(await client.upload()).status for _ in range(count)]


@pytest.mark.parametrize(
    ("fields", "content_type", "body"),
    [
        ({"errorMsg": "later"}, f"application/json{UTF_8}", {"error_code": "SCM.0007", "error_msg": "later"}),
        (
            {"errorCode": "SCM.4001"},
            f"application/json{UTF_8}",
            {"error_code": "SCM.4001", "error_msg": "Service Unavailable"},
        ),
        (
            {"form": "keystone", "errorMsg": "later"},
            f"application/json{UTF_8}",
            {"error": {"code": 503, "message": "later", "title": "Service Unavailable"}},
        ),
        ({"form": "html"}, f"text/html{UTF_8}", None),
        ({"form": "empty"}, None, None),
    ],
    ids=["scm", "code", "keystone", "html", "empty"],
)
async def test_status_in_each_form(
    client: harness.Client, fields: dict[str, str], content_type: str | None, body: object
) -> None:
    """A status comes with the error body of the chosen form."""
    await client.faults({"do": {"status": {"code": 503, **fields}}})
    answer = await client.upload()
    assert (answer.status, answer.json) == (503, body)
    assert answer.headers.get("Content-Type") == content_type


async def test_gateway_form_has_the_request_id(client: harness.Client) -> None:
    """An error of the gateway repeats the request id in its body."""
    await client.faults({"do": {"status": {"code": 504, "errorCode": "APIGW.0201", "form": "gateway"}}})
    answer = await client.upload()
    assert answer.json == {
        "error_code": "APIGW.0201",
        "error_msg": "Gateway Timeout",
        "request_id": answer.headers["X-Request-Id"],
    }


async def test_status_may_have_headers(client: harness.Client) -> None:
    """A rule can add headers, such as Retry-After."""
    await client.faults({"do": {"status": {"code": 503, "headers": {"Retry-After": "7"}}}})
    assert (await client.upload()).headers["Retry-After"] == "7"


@pytest.mark.parametrize(
    ("action", "stored"),
    [
        ({"status": {"code": 500}}, 0),
        ({"status": {"code": 500, "afterStore": True}}, 1),
        ({"redirect": "https://example.com/"}, 0),
        ({"throttle": {"requests": 0, "windowSeconds": 1}}, 0),
        ({"malformedJson": True}, 1),
        ({"withoutId": True}, 1),
        ({"hugeAnswer": {"bytes": 1}}, 1),
        ({"delay": {"seconds": 1}}, 1),
    ],
    ids=str,
)
async def test_which_faults_store_the_entry(client: harness.Client, action: object, stored: int) -> None:
    """Refusals come before an entry is stored, spoiled answers after it."""
    await client.faults({"do": action})
    await client.upload()
    assert len(await client.stored()) == stored


@pytest.mark.parametrize(("stage", "stored"), [("before-store", 0), ("after-store", 1)])
async def test_reset_breaks_the_connection(client: harness.Client, stage: str, stored: int) -> None:
    """The connection is reset (RST), before the entry is stored or after it."""
    await client.faults({"do": {"reset": stage}})
    with pytest.raises(aiohttp.ClientOSError) as caught:
        await client.upload()
    assert isinstance(caught.value, ConnectionResetError) or "reset by peer" in str(caught.value)
    assert len(await client.stored()) == stored


async def test_malformed_json_is_no_json(client: harness.Client) -> None:
    """The answer says 200 and JSON, and can't be parsed."""
    await client.faults({"do": {"malformedJson": True}})
    answer = await client.upload()
    assert (answer.status, answer.json) == (200, None)
    assert answer.text.startswith('{"id"')


async def test_without_id_keeps_the_rest(client: harness.Client) -> None:
    """Only the id is missing from the answer."""
    await client.faults({"do": {"withoutId": True}})
    assert (await client.upload("shop")).json == {"name": "shop", "create_time": 1_685_325_399_000}


async def test_huge_answer_is_still_json(client: harness.Client) -> None:
    """The answer has at least so many bytes and all its fields."""
    await client.faults({"do": {"hugeAnswer": {"bytes": 100_000}}})
    answer = await client.upload()
    assert (len(answer.text) >= 100_000, "id" in answer.json) == (True, True)


@pytest.mark.parametrize(
    "action", [{"malformedJson": True}, {"withoutId": True}, {"hugeAnswer": {"bytes": 9}}], ids=str
)
async def test_answers_without_json_are_not_spoiled(client: harness.Client, action: object) -> None:
    """What has no JSON in it stays as it is."""
    await client.faults({"do": action})
    assert (await client.call("GET", "/nothing")).status == 404


async def test_redirect_is_302(client: harness.Client) -> None:
    """The client is sent elsewhere."""
    await client.faults({"do": {"redirect": "https://example.com/x"}})
    answer = await client.upload()
    assert (answer.status, answer.headers["Location"]) == (302, "https://example.com/x")


@pytest.mark.parametrize("late", [False, True])
async def test_delay_waits_and_goes_on(client: harness.Client, *, late: bool) -> None:
    """A delayed request is answered as if nothing had been."""
    await client.faults({"do": {"delay": {"seconds": 1.5, "afterStore": late}}})
    assert (await client.upload()).status == 200
    assert client.sleep.waits == [1.5]


async def test_throttle_refuses_what_is_too_much_in_a_window(client: harness.Client) -> None:
    """In each window so many requests pass; the others are 429 with the gateway's text."""
    await client.faults({"match": UPLOAD, "do": {"throttle": {"requests": 2, "windowSeconds": 60}}})
    assert await statuses(client, 2) == [200, 200]
    answer = await client.upload()
    assert (answer.status, answer.json["error_code"]) == (429, "APIGW.0308")
    assert answer.json["error_msg"] == (
        "The throttling threshold has been reached: policy user over ratelimit,limit:2,time:1 minute"
    )
    assert "Retry-After" not in answer.headers


async def test_throttle_begins_a_new_window(client: harness.Client) -> None:
    """When the window is over, requests pass again."""
    await client.faults({"do": {"throttle": {"requests": 1, "windowSeconds": 10}}})
    before = await statuses(client, 2)
    client.clock.advance(10)
    assert before + await statuses(client, 2) == [200, 429, 200, 429]


async def test_throttle_may_say_when_to_retry(client: harness.Client) -> None:
    """Retry-After comes if it is asked for."""
    await client.faults({"do": {"throttle": {"requests": 0, "windowSeconds": 9.5, "retryAfter": True}}})
    assert (await client.upload()).headers["Retry-After"] == "10"


async def test_a_stale_list_lacks_what_is_new(client: harness.Client) -> None:
    """An entry is not in the list, nor in its total, before so many seconds are over; showing it works at once."""
    await client.faults({"match": {"operation": "ListCsr"}, "do": {"staleList": {"seconds": 5}}})
    entry_id = (await client.upload()).json["id"]

    assert (await client.call("GET", "/v3/scm/csr")).json == {"csr_list": [], "total": 0}
    assert (await client.call("GET", f"/v3/scm/csr/{entry_id}")).status == 200
    client.clock.advance(5)
    assert (await client.call("GET", "/v3/scm/csr")).json["total"] == 1


async def test_calls_select_the_nth(client: harness.Client) -> None:
    """A rule fires at the calls whose numbers it lists, counted from 1."""
    await client.faults({"match": {"calls": [1, 3]}, "do": {"status": {"code": 500}}})
    assert await statuses(client, 4) == [500, 200, 500, 200]


async def test_only_matching_calls_are_counted(client: harness.Client) -> None:
    """Requests that a rule isn't for don't count as its calls."""
    await client.faults({"match": {"method": "POST", "calls": [1]}, "do": {"status": {"code": 500}}})
    await client.call("GET", "/v3/scm/csr")
    assert await statuses(client, 1) == [500]


async def test_times_limits_the_firings(client: harness.Client) -> None:
    """A rule fires so many times at most."""
    await client.faults({"match": {"times": 2}, "do": {"status": {"code": 500}}})
    assert await statuses(client, 3) == [500, 500, 200]


@pytest.mark.parametrize(
    ("match", "fires"),
    [
        ({}, True),
        ({"method": "POST"}, True),
        ({"method": "GET"}, False),
        ({"path": "/v3/scm/csr/upload"}, True),
        ({"path": "/v3/scm/csr"}, False),
        ({"path": "/v3/*"}, True),
        ({"path": "*/upload"}, True),
        ({"path": "/v3/scm/csr/uploa?"}, False),
        ({"operation": "UploadCsr"}, True),
        ({"operation": "ListCsr"}, False),
        ({"name": "shop-tls"}, True),
        ({"name": "shop"}, False),
        ({"method": "POST", "name": "shop"}, False),
        ({"probability": 0}, False),
        ({"probability": 1}, True),
    ],
    ids=str,
)
async def test_match(client: harness.Client, match: object, *, fires: bool) -> None:
    """A rule is for the requests that fit all it asks: method, path (* is any text), operation, CSR name."""
    await client.faults({"match": match, "do": {"status": {"code": 500}}})
    assert ((await client.upload("shop-tls")).status == 500) is fires


async def test_same_seed_gives_the_same_run(client: harness.Client) -> None:
    """With a seed, probability repeats itself; with another it doesn't."""
    rule = {"match": {"probability": 0.5}, "do": {"status": {"code": 500}}}
    runs = []
    for seed in (1, 1, 2):
        await client.faults(rule, seed=seed)
        runs.append(await statuses(client, 20))
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]
    assert {200, 500} == set(runs[0])


async def test_a_rule_more_does_not_change_the_others_luck(client: harness.Client) -> None:
    """Each rule has dice of its own."""
    rule = {"name": "dice", "match": {"probability": 0.5}, "do": {"status": {"code": 500}}}
    other = {"name": "other", "match": {"probability": 0.5}, "do": {"delay": {"seconds": 1}}}
    await client.faults(rule)
    alone = await statuses(client, 20)
    await client.faults(other, rule)
    assert await statuses(client, 20) == alone


async def test_first_rule_that_answers_wins(client: harness.Client) -> None:
    """Of several rules that decide on the answer, the first does, and the others don't fire."""
    await client.faults({"do": {"status": {"code": 500}}}, {"do": {"status": {"code": 503}}})
    assert await statuses(client, 1) == [500]
    assert [rule["fired"] for rule in (await client.admin("GET", "faults")).json["rules"]] == [1, 0]


async def test_delay_goes_with_an_answer(client: harness.Client) -> None:
    """A delay and an error add up."""
    await client.faults({"do": {"delay": {"seconds": 3}}}, {"do": {"status": {"code": 500}}})
    assert (await statuses(client, 1), client.sleep.waits) == ([500], [3])


@pytest.mark.parametrize(("hold", "stored"), [(True, 0), ("before-store", 0), ("after-store", 1)])
async def test_held_request_waits_for_release(client: harness.Client, hold: object, stored: int) -> None:
    """A held request is handled only after its release, or answered only then."""
    await client.faults({"hold": hold})
    uploading = asyncio.create_task(client.upload())
    await client.until_held()
    assert (len(await client.stored()), uploading.done()) == (stored, False)
    assert (await client.admin("POST", "release")).json == {"released": 1}
    assert (await uploading).status == 200
    assert len(await client.stored()) == 1


async def test_held_request_is_handled_even_if_its_sender_has_gone(client: harness.Client) -> None:
    """What a client gave up waiting for can still be stored later."""
    await client.faults({"hold": True})
    uploading = asyncio.create_task(client.upload())
    await client.until_held()
    uploading.cancel()
    await asyncio.gather(uploading, return_exceptions=True)
    await client.admin("POST", "release")
    await client.until("requests", lambda answer: answer["requests"][0]["status"] == 200)
    assert len(await client.stored()) == 1


async def test_hold_goes_with_an_answer(client: harness.Client) -> None:
    """A rule may hold a request and then refuse it."""
    await client.faults({"hold": True, "do": {"status": {"code": 503}}})
    uploading = asyncio.create_task(client.upload())
    await client.until_held()
    await client.admin("POST", "release")
    assert (await uploading).status == 503


async def test_release_of_one_rule(client: harness.Client) -> None:
    """Only what the named rule holds goes on."""
    await client.faults({"name": "mine", "hold": True})
    uploading = asyncio.create_task(client.upload())
    await client.until_held()
    assert (await client.admin("POST", "release", json={"rule": "other"})).json == {"released": 0}
    assert (await client.admin("POST", "release", json={"rule": "mine"})).json == {"released": 1}
    assert (await uploading).status == 200


async def test_faults_are_for_iam_too(client: harness.Client) -> None:
    """A token can be refused as an upload can."""
    await client.faults({"match": {"operation": "CreateToken"}, "do": {"status": {"code": 500, "form": "keystone"}}})
    assert (await client.authenticate(harness.credentials())).status == 500
    assert (await client.upload()).status == 200


async def test_faults_spare_the_simulators_own_endpoints(client: harness.Client) -> None:
    """Under /_simulator/ nothing goes wrong on command."""
    await client.faults({"do": {"reset": "before-store"}})
    assert (await client.admin("GET", "csrs")).status == 200


async def test_in_force_with_counts(client: harness.Client) -> None:
    """GET faults repeats the rules with how many requests each counted, fired at and holds."""
    rule = {"match": {"calls": [2]}, "do": {"status": {"code": 500}}}
    await client.faults(rule, seed=7)
    await statuses(client, 3)
    counts = {"name": "rule-1", "calls": 3, "fired": 1, "held": 0}
    assert (await client.admin("GET", "faults")).json == {"seed": 7, "rules": [rule | counts]}


REFUSED: list[tuple[object, str]] = [
    ([], "the body must be an object, not a list"),
    ({}, "rules is missing"),
    ({"rules": {}}, "rules must be a list, not an object"),
    ({"rules": [], "seeds": 1}, "seeds is unknown (allowed here: rules, seed)"),
    ({"rules": [], "seed": "x"}, "seed must be a whole number from 0 to 9223372036854775808"),
    ({"rules": [{}]}, "rules[0] must have do or hold"),
    ({"rules": [{"name": "a", "hold": True}] * 2}, "rules[1].name must be unique, a is there already"),
    ({"rules": [{"hold": "later"}]}, "rules[0].hold must be one of before-store, after-store"),
    ({"rules": [{"hold": True, "if": 1}]}, "rules[0].if is unknown (allowed here: name, match, do, hold)"),
]
MATCHES: list[tuple[dict[str, object], str]] = [
    ({"verb": "GET"}, " is unknown (allowed here: method, path, operation, name, calls, probability, times)"),
    ({"calls": [0]}, "[0] must be a whole number from 1 to 1000000000"),
    ({"probability": 2}, " must be a number from 0 to 1"),
    ({"times": True}, " must be a whole number from 1 to 1000000000"),
]
KINDS = "status, delay, reset, malformedJson, withoutId, hugeAnswer, redirect, throttle, staleList"
NO_CODE: dict[str, Any] = {"code": 500, "form": "html", "errorCode": "x"}
ACTIONS: list[tuple[object, str]] = [
    ({}, f" must have exactly one of {KINDS}"),
    ({"reset": "after-store", "withoutId": True}, f" must have exactly one of {KINDS}"),
    ({"explode": True}, f".explode is unknown (allowed here: {KINDS})"),
    ({"status": {}}, ".status.code is missing"),
    ({"status": {"code": 99}}, ".status.code must be a whole number from 200 to 599"),
    ({"status": {"code": 500, "form": "xml"}}, ".status.form must be one of scm, gateway, keystone, html, empty"),
    ({"status": NO_CODE}, ".status.errorCode has no place in an error of form html"),
    ({"status": {"code": 500, "headers": {"a": "b\r\n"}}}, ".status.headers.a must be printable"),
    ({"status": {"code": 500, "headers": {"a b": "c"}}}, ".status.headers has a key that is no name of a header"),
    ({"delay": {"seconds": -1}}, ".delay.seconds must be a number from 0 to 86400"),
    ({"reset": "now"}, ".reset must be one of before-store, after-store"),
    ({"malformedJson": False}, ".malformedJson must be true"),
    ({"withoutId": 1}, ".withoutId must be true"),
    ({"hugeAnswer": {"bytes": 0}}, ".hugeAnswer.bytes must be a whole number from 1 to 100000000"),
    ({"redirect": "\n"}, ".redirect must be a URL"),
    ({"throttle": {"requests": 1}}, ".throttle.windowSeconds is missing"),
    ({"staleList": {}}, ".staleList.seconds is missing"),
]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        *REFUSED,
        *(
            ({"rules": [{"match": match, "hold": True}]}, f"rules[0].match.{next(iter(match))}{end}")
            for match, end in MATCHES
        ),
        *(({"rules": [{"do": action}]}, f"rules[0].do{end}") for action, end in ACTIONS),
    ],
    ids=str,
)
async def test_wrong_rules_are_refused(client: harness.Client, body: object, message: str) -> None:
    """A rule that can't be understood is 400, and the message names the field."""
    answer = await client.admin("PUT", "faults", json=body)
    assert (answer.status, answer.json) == (400, {"error": message})


async def test_calls_and_probability_exclude_each_other(client: harness.Client) -> None:
    """A rule fires at given calls or by chance, not both."""
    rule = {"match": {"calls": [1], "probability": 0.5}, "hold": True}
    answer = await client.admin("PUT", "faults", json={"rules": [rule]})
    assert answer.json == {"error": "rules[0].match must not have both calls and probability"}


async def test_refused_rules_leave_those_in_force(client: harness.Client) -> None:
    """Rules are replaced as a whole or not at all."""
    await client.faults({"do": {"status": {"code": 500}}})
    await client.admin("PUT", "faults", json={"rules": [{}]})
    assert await statuses(client, 1) == [500]
