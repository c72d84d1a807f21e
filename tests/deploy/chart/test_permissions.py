"""What the chart lets the operator do, for all namespaces and for some."""

from typing import Any

import pytest

from dev.helm import Helm, HelmError
from tests.support.rendering import CLUSTER_SCOPED, Rendered, Rule, render, rule_for

GROUP = "scm.certops.dev"
WATCHING: dict[str, Any] = {"watchNamespaces": ["shop", "payments"]}
WITH_ACCOUNTS = WATCHING | {"clusterAccounts": {"enabled": True}}
UPLOADS = "scm-csr-operator-uploads"


def roles(rendered: Rendered) -> set[tuple[str, str, str]]:
    """Name the Roles and ClusterRoles that the operator's ServiceAccount has, each by where it holds."""
    account = rendered.one("ServiceAccount")["metadata"]
    subject = {"kind": "ServiceAccount", "name": account["name"], "namespace": account["namespace"]}
    return {
        (binding["roleRef"]["kind"], binding["metadata"].get("namespace", ""), binding["roleRef"]["name"])
        for kind in ("RoleBinding", "ClusterRoleBinding")
        for binding in rendered.all(kind)
        if binding["subjects"] == [subject]
    }


def granted(rendered: Rendered) -> list[Rule]:
    """Return all rules that the operator's ServiceAccount has."""
    rules = rendered.rules
    return [rule for role in roles(rendered) for rule in rules[role]]


def test_all_namespaces_take_a_cluster_role(helm: Helm) -> None:
    """And a Role for the Lease, in the operator's own namespace alone."""
    assert roles(render(helm)) == {
        ("ClusterRole", "", "scm-csr-operator"),
        ("Role", "scm-csr-operator", "scm-csr-operator"),
    }


def test_some_namespaces_take_roles_and_nothing_cluster_wide(helm: Helm) -> None:
    """One in each of them, and one for the Lease; beside the CRDs there is no cluster-scoped object at all."""
    rendered = render(helm, **WATCHING)

    assert roles(rendered) == {
        ("Role", "shop", UPLOADS),
        ("Role", "payments", UPLOADS),
        ("Role", "scm-csr-operator", "scm-csr-operator"),
    }
    cluster_scoped = {manifest["kind"] for manifest in rendered.manifests} & CLUSTER_SCOPED
    assert cluster_scoped == {"CustomResourceDefinition"}


def test_what_is_made_for_some_namespaces_stays_there(helm: Helm) -> None:
    """No object goes anywhere but to these namespaces and to the release's."""
    rendered = render(helm, **WATCHING, crds={"install": False})
    namespaces = {manifest["metadata"].get("namespace") for manifest in rendered.manifests}

    assert namespaces == {"scm-csr-operator", "shop", "payments"}


def test_cluster_accounts_take_a_cluster_role_for_themselves(helm: Helm) -> None:
    """It has no other kind; their Secrets are in the operator's namespace, and Events about them in `default`."""
    rendered = render(helm, **WITH_ACCOUNTS)
    rules = rendered.rules
    name = "scm-csr-operator-cluster-accounts"

    assert roles(rendered) - roles(render(helm, **WATCHING)) == {
        ("ClusterRole", "", name),
        ("Role", "scm-csr-operator", "scm-csr-operator-credentials"),
        ("Role", "default", name),
    }
    assert rules["ClusterRole", "", name] == [
        {"apiGroups": [GROUP], "resources": ["clusterscmaccounts"], "verbs": ["list", "watch"]},
        {"apiGroups": [GROUP], "resources": ["clusterscmaccounts/status"], "verbs": ["patch"]},
    ]
    assert [rule["resources"] for rule in rules["Role", "scm-csr-operator", "scm-csr-operator-credentials"]] == [
        ["secrets"]
    ]
    assert [rule["resources"] for rule in rules["Role", "default", name]] == [["events"]]


@pytest.mark.parametrize("values", [{}, WATCHING, WITH_ACCOUNTS], ids=["all", "some", "cluster accounts"])
def test_the_operator_can_do_little(helm: Helm, values: dict[str, Any]) -> None:
    """Nothing with a wildcard; it deletes nothing, and creates Events and its Lease alone."""
    for rule in granted(render(helm, **values)):
        assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]
        assert not {"delete", "deletecollection", "bind", "escalate", "impersonate"} & set(rule["verbs"])
        if "create" in rule["verbs"]:
            assert rule["resources"] in (["events"], ["leases"])


@pytest.mark.parametrize("values", [{}, WATCHING], ids=["all", "some"])
def test_the_lease_is_the_only_one(helm: Helm, values: dict[str, Any]) -> None:
    """No Lease but its own can be read or written; create can't be limited to a name."""
    rules = [rule for rule in granted(render(helm, **values)) if "leases" in rule["resources"]]

    assert [(rule["verbs"], rule.get("resourceNames")) for rule in rules] == [
        (["create"], None),
        (["get", "update"], ["scm-csr-operator"]),
    ]


@pytest.mark.parametrize("values", [{}, WATCHING, WITH_ACCOUNTS], ids=["all", "some", "cluster accounts"])
def test_without_a_watch_secrets_can_only_be_read_one_by_one(helm: Helm, values: dict[str, Any]) -> None:
    """secrets.watch: false takes list and watch away, everywhere."""
    watching = [rule for rule in granted(render(helm, **values)) if "secrets" in rule["resources"]]
    reading = [
        rule for rule in granted(render(helm, **values, secrets={"watch": False})) if "secrets" in rule["resources"]
    ]

    assert {tuple(rule["verbs"]) for rule in watching} == {("get", "list", "watch")}
    assert {tuple(rule["verbs"]) for rule in reading} == {("get",)}
    assert len(reading) == len(watching)


@pytest.mark.parametrize("values", [{}, WATCHING, WITH_ACCOUNTS], ids=["all", "some", "cluster accounts"])
def test_secrets_can_be_limited_to_names(helm: Helm, values: dict[str, Any]) -> None:
    """secrets.names: every rule about Secrets has these names, and no verb that would go round them."""
    rendered = render(helm, **values, secrets={"watch": False, "names": ["shop-tls", "scm-iam"]})
    rules = [rule for rule in granted(rendered) if "secrets" in rule["resources"]]

    assert rules
    for rule in rules:
        assert (rule["verbs"], rule["resourceNames"]) == (["get"], ["shop-tls", "scm-iam"])


def test_names_with_a_watch_are_refused(helm: Helm) -> None:
    """A watch can't be limited to names: the message says what to set."""
    with pytest.raises(HelmError, match=r"set secrets\.watch to false as well"):
        render(helm, secrets={"names": ["shop-tls"]})


def test_events_can_be_written_wherever_there_is_something_to_tell(helm: Helm) -> None:
    """For all namespaces by the ClusterRole; for some in each of them, and about orphans in the operator's own."""
    everywhere = render(helm).rules["ClusterRole", "", "scm-csr-operator"]
    some = render(helm, **WATCHING).rules

    assert rule_for(everywhere, "events")["verbs"] == ["create"]
    for role in (("Role", "shop", UPLOADS), ("Role", "scm-csr-operator", "scm-csr-operator")):
        assert rule_for(some[role], "events")["verbs"] == ["create"]


def test_an_installation_for_all_namespaces_shows_itself(helm: Helm) -> None:
    """By a ClusterRole that has the same name everywhere, and lets every ServiceAccount get itself and nothing else."""
    rendered = render(helm)
    name = "scm-csr-operator-cluster-wide"

    assert rendered.one("ClusterRole", name)["metadata"]["annotations"] == {
        "scm.certops.dev/installation": "scm-csr-operator/scm-csr-operator"
    }
    assert rendered.rules["ClusterRole", "", name] == [
        {
            "apiGroups": ["rbac.authorization.k8s.io"],
            "resources": ["clusterroles"],
            "resourceNames": [name],
            "verbs": ["get"],
        }
    ]
    binding = rendered.one("ClusterRoleBinding", name)
    assert [(subject["kind"], subject["name"]) for subject in binding["subjects"]] == [
        ("Group", "system:serviceaccounts")
    ]


def test_people_with_kubernetes_roles_get_the_new_kinds(helm: Helm) -> None:
    """Role view sees uploads and accounts, edit changes them; nobody gets a status, or a ClusterScmAccount."""
    rendered = render(helm)
    view, edit = (rendered.one("ClusterRole", f"scm-csr-operator-{name}") for name in ("view", "edit"))

    assert view["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-view"] == "true"
    assert "rbac.authorization.k8s.io/aggregate-to-view" not in edit["metadata"]["labels"]
    assert edit["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-edit"] == "true"
    for role in (view, edit):
        (rule,) = role["rules"]
        assert rule["resources"] == ["certificaterequestuploads", "scmaccounts"]
    assert view["rules"][0]["verbs"] == ["get", "list", "watch"]


def test_people_can_be_left_as_they_are(helm: Helm) -> None:
    """Each of the two roles can be left out."""
    rendered = render(helm, rbac={"aggregateToView": False, "aggregateToEdit": False})

    assert {role["metadata"]["name"] for role in rendered.all("ClusterRole")} == {
        "scm-csr-operator",
        "scm-csr-operator-cluster-wide",
    }


@pytest.mark.parametrize("values", [{}, WITH_ACCOUNTS], ids=["all", "some"])
def test_somebody_else_can_make_the_roles(helm: Helm, values: dict[str, Any]) -> None:
    """rbac.create: false leaves all of them out."""
    rendered = render(helm, **values, rbac={"create": False})

    assert not {manifest["kind"] for manifest in rendered.manifests} & {
        "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding",
    }  # fmt: skip


def test_a_service_account_can_be_had_or_made(helm: Helm) -> None:
    """The bindings and the Pods follow; no other Pod under it gets a token unasked."""
    made = render(helm, serviceAccount={"name": "csr", "annotations": {"role": "pki"}})
    had = render(helm, serviceAccount={"create": False, "name": "csr"})

    assert made.one("ServiceAccount", "csr")["metadata"]["annotations"] == {"role": "pki"}
    assert made.one("ServiceAccount", "csr")["automountServiceAccountToken"] is False
    assert had.all("ServiceAccount") == []
    for rendered in (made, had):
        assert (rendered.pod["serviceAccountName"], rendered.pod["automountServiceAccountToken"]) == ("csr", True)
        (subject,) = rendered.one("ClusterRoleBinding")["subjects"]
        assert subject == {"kind": "ServiceAccount", "name": "csr", "namespace": "scm-csr-operator"}


def test_the_service_account_of_every_pod_is_never_given_permissions(helm: Helm) -> None:
    """Without a name it would be the one called default."""
    with pytest.raises(HelmError, match=r"set serviceAccount\.name to one that exists"):
        render(helm, serviceAccount={"create": False})
