import json
import pathlib
from typing import Any

import pytest

from tests.support import rbac_use
from tests.support.rbac_use import Account, Audit, Permission, Request

OPERATOR = Account("ops", "operator", "u-1")
SUBJECT = {"kind": "ServiceAccount", "name": "operator", "namespace": "ops"}


def event(verb: str, code: int = 200, *, uid: str = "u-1", **reference: str) -> dict[str, Any]:
    """Return what the audit has of one request."""
    return {
        "user": {"username": "system:serviceaccount:ops:operator", "uid": uid},
        "verb": verb,
        "objectRef": reference,
        "requestURI": "/",
        "responseStatus": {"code": code},
    }


def audit(path: pathlib.Path, *events: dict[str, Any]) -> Audit:
    """Write an audit and read it as the operator's."""
    path.write_text("".join(json.dumps(each) + "\n" for each in events))
    return Audit.read(path, account=OPERATOR)


def role(name: str, *rules: dict[str, Any], namespace: str = "") -> dict[str, Any]:
    """Return a Role, or without a namespace a ClusterRole."""
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"kind": "Role" if namespace else "ClusterRole", "metadata": metadata, "rules": list(rules)}


def binding(kind: str, name: str, *subjects: dict[str, str], namespace: str = "") -> dict[str, Any]:
    """Return a binding of a Role or ClusterRole."""
    return {"metadata": {"namespace": namespace}, "roleRef": {"kind": kind, "name": name}, "subjects": list(subjects)}


def permissions(**found: list[dict[str, Any]]) -> list[str]:
    """Return the operator's permissions as texts, with where they hold."""
    everything: dict[str, list[Any]] = {
        "roles": [],
        "clusterroles": [],
        "rolebindings": [],
        "clusterrolebindings": [],
    } | found
    return [f"{each} in {each.namespace}" for each in rbac_use.permissions(everything, account=OPERATOR)]


READ = {"apiGroups": ["", "apps"], "resources": ["things"], "verbs": ["get", "list"]}


def test_a_rule_is_as_many_permissions_as_it_has_verbs_groups_and_resources() -> None:
    """Each is looked at for itself: one that is used excuses no other."""
    found = permissions(
        roles=[role("reader", READ, namespace="team")],
        rolebindings=[binding("Role", "reader", SUBJECT, namespace="team")],
    )
    assert found == [
        "Role team/reader: get things in team",
        "Role team/reader: list things in team",
        "Role team/reader: get things.apps in team",
        "Role team/reader: list things.apps in team",
    ]


def test_a_cluster_role_holds_where_it_is_bound() -> None:
    """Everywhere by a ClusterRoleBinding, in one namespace by a RoleBinding."""
    rule = READ | {"apiGroups": [""], "verbs": ["get"]}
    found = permissions(
        clusterroles=[role("reader", rule)],
        rolebindings=[binding("ClusterRole", "reader", SUBJECT, namespace="team")],
        clusterrolebindings=[binding("ClusterRole", "reader", SUBJECT)],
    )
    assert found == ["ClusterRole reader: get things in team", "ClusterRole reader: get things in "]


@pytest.mark.parametrize(
    "subject",
    [
        {"kind": "ServiceAccount", "name": "operator", "namespace": "other"},
        {"kind": "User", "name": "operator", "namespace": "ops"},
        {"kind": "Group", "name": "system:serviceaccounts"},
    ],
)
def test_what_is_bound_to_others_is_not_its_own(subject: dict[str, str]) -> None:
    """A namesake elsewhere is another, and what a group has is everybody's."""
    bound = [binding("ClusterRole", "reader", subject)]
    assert permissions(clusterroles=[role("reader", READ)], clusterrolebindings=bound) == []


def test_requests_of_other_accounts_are_left_out(tmp_path: pathlib.Path) -> None:
    """An account of the same name that was there before has another uid; a half line is none yet."""
    path = tmp_path / "audit"
    mine = event("get", resource="pods", name="a", namespace="team")
    found = audit(path, mine, event("delete", uid="u-0", resource="pods"))
    assert found.allowed == {Request("get", "pods", namespace="team", name="a")}
    path.write_text(path.read_text() + '{"user":')
    assert Audit.read(path, account=OPERATOR) == found


def test_a_refused_request_uses_nothing(tmp_path: pathlib.Path) -> None:
    """What was forbidden is told of; any other failure was allowed."""
    found = audit(tmp_path / "audit", event("get", 403, resource="secrets"), event("patch", 409, resource="pods"))
    assert found.refused == {Request("get", "secrets")}
    assert found.allowed == {Request("patch", "pods")}


def test_a_request_without_a_resource_is_its_path(tmp_path: pathlib.Path) -> None:
    """Discovery and the like are known by where they went."""
    asked = event("get", 403) | {"objectRef": None, "requestURI": "/apis?timeout=5s"}
    assert [str(each) for each in audit(tmp_path / "audit", asked).refused] == ["get /apis"]


@pytest.mark.parametrize(
    ("permission", "used"),
    [
        (Permission("r", "patch", "pods/status", namespace="team"), True),
        (Permission("r", "patch", "pods/status"), True),
        (Permission("r", "*", "pods/status", "*"), True),
        (Permission("r", "patch", "pods/status", names=("a", "b")), True),
        (Permission("r", "patch", "pods/status", names=("b",)), False),
        (Permission("r", "patch", "pods", namespace="team"), False),
        (Permission("r", "get", "pods/status"), False),
        (Permission("r", "patch", "pods/status", "apps"), False),
        (Permission("r", "patch", "pods/status", namespace="other"), False),
    ],
)
def test_a_permission_is_used_by_a_request_that_it_covers(
    tmp_path: pathlib.Path, permission: Permission, *, used: bool
) -> None:
    """Verb, group, resource with subresource, namespace and name all have to fit."""
    asked = event("patch", resource="pods", subresource="status", namespace="team", name="a")
    found = audit(tmp_path / "audit", asked)
    assert found.too_much([permission]) == ([] if used else [str(permission)])


def test_a_permission_that_is_there_twice_is_too_much(tmp_path: pathlib.Path) -> None:
    """Either could be taken away; one that is the only one for any request could not."""
    found = audit(tmp_path / "audit", event("get", resource="pods", namespace="team"), event("get", resource="pods"))
    twice = [Permission("r", "get", "pods", namespace="team"), Permission("s", "get", "pods", namespace="team")]
    assert found.too_much(twice) == ["r: get pods", "s: get pods"]
    assert found.too_much([twice[0], Permission("everywhere", "get", "pods")]) == ["r: get pods"]
