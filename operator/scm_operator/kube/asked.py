"""What a request asks for, named as in RBAC and in audit logs: ``patch`` ``scmaccounts/status``.

https://kubernetes.io/docs/reference/access-authn-authz/authorization/#determine-the-request-verb
"""

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
DISCOVERY = "discovery"
"""What a path asks for that names no resource."""


def verb_and_resource(method: str, path: str, *, watch: bool = False) -> tuple[str, str]:
    """Return both of a request to a path of the API server; no name of any object is among them."""
    parts = path.split("/")  # "", "apis", group, version, ("namespaces", namespace,) resource, name, subresource
    at = 3 if parts[1] == "api" else 4
    if len(parts) > at + 2 and parts[at] == "namespaces":
        at += 2
    named = len(parts) - at
    resource = DISCOVERY if named < 1 else parts[at] if named < 3 else f"{parts[at]}/{parts[at + 2]}"
    if method == "GET":
        return "watch" if watch else "list" if named == 1 else "get", resource
    return _VERBS.get(method, "other"), resource
