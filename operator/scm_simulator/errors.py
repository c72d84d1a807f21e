"""The forms in which the real services and their gateway refuse a request.

Sources: the status code pages of the SCM and IAM references; the API gateway's error codes.
"""

import http
from typing import Final, Literal, get_args

from aiohttp import web

ErrorForm = Literal["scm", "gateway", "keystone", "html", "empty"]
ERROR_FORMS: Final[tuple[ErrorForm, ...]] = get_args(ErrorForm)

BAD_PARAMETER: Final = "SCM.0005"
KEY_UNREADABLE: Final = "SCM.0012"
KEY_MISMATCH: Final = "SCM.0014"
KEY_EMPTY: Final = "SCM.0059"
KEY_NOT_PEM: Final = "SCM.0114"
CSR_MISSING: Final = "SCM.0707"
TENANT_MISMATCH: Final = "SCM.0002"
TOKEN_REFUSED: Final = "SCM.1000"  # noqa: S105 - an error code
SERVICE_FAILED: Final = "SCM.0007"
GATEWAY_AUTHENTICATION: Final = "APIGW.0301"
GATEWAY_THROTTLED: Final = "APIGW.0308"

_PAGE: Final = """\
<html>
<head><title>{status} {phrase}</title></head>
<body>
<center><h1>{status} {phrase}</h1></center>
<hr><center>api-gateway</center>
</body>
</html>
"""


class RefusedError(Exception):
    """An answer other than success, as one of the services or the gateway gives it."""

    def __init__(self, message: str, *, status: int, code: str = "", form: ErrorForm = "scm") -> None:
        """Hold what `render` needs; `code` is the service's own, such as SCM.0707."""
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.form: ErrorForm = form


def render(form: ErrorForm, *, status: int, code: str, message: str, request_id: str) -> web.Response:
    """Write an error in one of its forms."""
    match form:
        case "scm":
            return web.json_response({"error_code": code, "error_msg": message}, status=status)
        case "gateway":
            body = {"error_code": code, "error_msg": message, "request_id": request_id}
            return web.json_response(body, status=status)
        case "keystone":
            body_of_error = {"code": status, "message": message, "title": phrase_of(status)}
            return web.json_response({"error": body_of_error}, status=status)
        case "html":
            page = _PAGE.format(status=status, phrase=phrase_of(status))
            return web.Response(text=page, status=status, content_type="text/html")
        case "empty":
            return web.Response(status=status)


def phrase_of(status: int) -> str:
    """Return a status' standard phrase (RFC 9110), or a plain word for one that has none."""
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Status"
