import json
import pathlib

import httpx
import pytest

from dev.control_plane import ControlPlaneError
from dev.node import launch
from tests.support import installation, pods
from tests.support.installation import Object, Stage
from tests.support.pods import Pods
from tests.support.waiting import until

READY: Object = {
    "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 1, "failureThreshold": 1}
}
LIVE: Object = {
    "livenessProbe": {"httpGet": {"path": "/live", "port": 8080}, "periodSeconds": 1, "failureThreshold": 2}
}


@pytest.fixture
def run(stage: Stage, request: pytest.FixtureRequest) -> Pods:
    """Pods in a namespace of the test's own."""
    stage.node.check()
    return Pods(stage.namespace_for(request.node.name), stage.node)


def deployment(name: str, *containers: Object, replicas: int) -> str:
    """Return the manifests of a Deployment of these containers and of its Service."""
    labels = {"app": name}
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": list(containers)}},
    }
    service = {"selector": labels, "ports": [{"port": 80, "targetPort": "http"}]}
    items = [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": service},
    ]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def test_a_deployment_becomes_available(stage: Stage, run: Pods) -> None:
    """The real controllers make its Pods, the scheduler binds them, and each answers at its own address."""
    manifests = deployment("web", pods.server(**READY), replicas=2)
    stage.plane.kubectl("-n", run.namespace.name, "apply", "-f", "-", input=manifests)
    run.namespace.kubectl("wait", "--for=condition=Available", "--timeout=20s", "deployment/web")
    until(lambda: list(run.endpoints("web").values()) == [True, True], what="two ready endpoints")
    for address in run.endpoints("web"):
        assert httpx.get(f"http://{launch.reached_at(address)}:8080/", timeout=10).status_code == 200


def test_a_pod_that_is_not_ready_is_no_endpoint(run: Pods) -> None:
    """A readiness probe that fails takes the Pod out of its Service, and one that succeeds brings it back."""
    run.run("web", pods.server(**READY))
    run.namespace.kubectl("label", "pod", "web", "app=web")
    service = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]}
    run.namespace.apply("Service", "web", spec=service)
    until(lambda: list(run.endpoints("web").values()) == [True], what="a ready endpoint")
    run.turn("web", "/ready")
    until(lambda: list(run.endpoints("web").values()) == [False], what="an endpoint that isn't ready")
    assert run.restarts("web") == 0
    run.turn("web", "/ready")
    until(lambda: list(run.endpoints("web").values()) == [True], what="a ready endpoint again")
    assert any("503" in message for message in run.events("web", "Unhealthy"))


def test_a_container_that_fails_is_started_again_ever_later(run: Pods) -> None:
    """It shows how it ended and that it waits, and the logs of all its runs are kept."""
    run.run("crash", pods.container("print('a run'); raise SystemExit(3)"))
    assert "restarting failed container=main" in run.waits_with("crash", "CrashLoopBackOff")
    until(lambda: run.restarts("crash") >= 2, what="a second restart")
    ended = run.container("crash")["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (3, "Error")
    assert run.said("crash", "a run\na run\na run\n")
    assert run.get("crash")["status"]["phase"] == "Running"


def test_a_container_that_is_not_alive_is_ended_and_started_again(run: Pods) -> None:
    """A liveness probe that fails as often as it may is followed by SIGTERM and a restart."""
    run.run("web", pods.server(**LIVE))
    run.wait("web")
    run.turn("web", "/live")
    until(lambda: run.restarts("web") == 1, what="a restart")
    assert run.container("web")["lastState"]["terminated"]["exitCode"] == 128 + 15
    assert "failed its liveness probe" in run.events("web", "Killing")[0]
    run.wait("web")


def test_nothing_else_is_probed_before_a_container_has_started(run: Pods) -> None:
    """Until its startup probe succeeds, it counts neither as ready nor as dead."""
    dead: Object = {"livenessProbe": {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1}}
    program = "import time; print('up', flush=True); time.sleep(600)"
    startup: Object = {"startupProbe": {"exec": {"command": ["test", "-e", "started"]}, "periodSeconds": 1}}
    run.run("slow", pods.container(program, **startup, **dead))
    assert run.events("slow", "Unhealthy")[0].startswith("Startup probe failed")
    status = run.container("slow")
    assert (status["started"], status["ready"], status["restartCount"]) == (False, False, 0)


def test_a_deleted_pod_is_asked_to_end(run: Pods) -> None:
    """It gets SIGTERM, and is gone from the API as soon as it has ended, long before its grace period is over."""
    program = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print('asked'), sys.exit(0)))
print('up')
while True: time.sleep(60)
"""
    run.run("polite", pods.container(program), terminationGracePeriodSeconds=600)
    run.said("polite", "up")
    run.namespace.kubectl("delete", "pod", "polite", "--wait=false")
    run.wait("polite", "delete")
    assert run.said("polite", "asked")


def test_a_pod_that_does_not_end_is_killed_after_its_grace_period(run: Pods) -> None:
    """A process that ignores SIGTERM is gone when its Pod is."""
    program = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up')\nwhile True: signal.pause()"
    run.run("stubborn", pods.container(program), terminationGracePeriodSeconds=1)
    run.said("stubborn", "up")
    alive = f"/proc/{run.node.pid(run.namespace.name, 'stubborn')}"
    assert pathlib.Path(alive).exists()
    run.namespace.kubectl("delete", "pod", "stubborn", "--wait=false")
    run.wait("stubborn", "delete")
    assert not pathlib.Path(alive).exists()


def test_a_pod_deleted_by_force_is_killed_at_once(run: Pods) -> None:
    """Its object is gone already, so nobody waits for the grace period."""
    program = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up')\nwhile True: signal.pause()"
    run.run("forced", pods.container(program), terminationGracePeriodSeconds=600)
    run.said("forced", "up")
    alive = pathlib.Path(f"/proc/{run.node.pid(run.namespace.name, 'forced')}")
    run.namespace.kubectl("delete", "pod", "forced", "--grace-period=0", "--force")
    until(lambda: not alive.exists(), what="the process to be gone")


def test_a_pre_stop_hook_goes_before_the_signal(run: Pods) -> None:
    """What it runs is done when SIGTERM comes."""
    program = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print('hook ran' if os.path.exists('hook') else 'no hook'), sys.exit(0)))
print('up')
while True: time.sleep(60)
"""
    hook: Object = {"lifecycle": {"preStop": {"exec": {"command": ["touch", "hook"]}}}}
    run.run("hooked", pods.container(program, **hook))
    run.said("hooked", "up")
    run.namespace.kubectl("delete", "pod", "hooked", "--wait=false")
    run.wait("hooked", "delete")
    assert run.said("hooked", "hook ran")


def test_what_a_container_leaves_behind_ends_with_it(run: Pods) -> None:
    """A process that its parent has forgotten is killed when the container ends, as it would be with a container."""
    program = "import subprocess; print(subprocess.Popen(['sleep', '600']).pid)"
    run.run("parent", pods.container(program), restartPolicy="Never")
    run.wait("parent", "jsonpath={.status.phase}=Succeeded")
    assert not pathlib.Path(f"/proc/{run.said('parent', '').split()[0]}").exists()


WHO_AM_I = """
import json, os, ssl, urllib.error, urllib.request
config = json.load(open(os.environ['KUBECONFIG']))
cluster, user = config['clusters'][0]['cluster'], config['users'][0]['user']
import base64
context = ssl.create_default_context(cadata=base64.b64decode(cluster['certificate-authority-data']).decode())
def ask(path, body=None):
    headers = {'Authorization': 'Bearer ' + open(user['tokenFile']).read(), 'Content-Type': 'application/json'}
    request = urllib.request.Request(cluster['server'] + path, data=body and json.dumps(body).encode(), headers=headers)
    try:
        return json.load(urllib.request.urlopen(request, context=context))
    except urllib.error.HTTPError as error:
        return json.load(error)
review = {'apiVersion': 'authentication.k8s.io/v1', 'kind': 'SelfSubjectReview'}
found = ask('/apis/authentication.k8s.io/v1/selfsubjectreviews', review)['status']['userInfo']
print(found['username'], found['extra']['authentication.kubernetes.io/pod-name'])
print(ask('/api/v1/namespaces/default/secrets')['message'])
"""


def test_a_pod_is_its_service_account(run: Pods) -> None:
    """The API server knows it as its ServiceAccount and as this Pod, and RBAC refuses what isn't granted."""
    run.namespace.kubectl("create", "serviceaccount", "reader")
    run.run("whoami", pods.container(WHO_AM_I), serviceAccountName="reader", restartPolicy="Never")
    user = f"system:serviceaccount:{run.namespace.name}:reader"
    log = run.said("whoami", "cannot list")
    assert log.startswith(f"{user} ['whoami']\n")
    assert f'User "{user}" cannot list resource "secrets"' in log


def test_a_pod_without_a_token_has_no_identity(run: Pods) -> None:
    """Where the ServiceAccount's token isn't mounted, no kubeconfig is given."""
    program = "import os; print('KUBECONFIG' in os.environ)"
    run.run("nobody", pods.container(program), automountServiceAccountToken=False, restartPolicy="Never")
    assert run.said("nobody", "\n") == "False\n"


def test_variables_and_files_come_from_config_maps_and_secrets(run: Pods) -> None:
    """A container waits for what is missing, says so, and starts when it is there; a mounted path leads to its file."""
    program = "import os, sys; print(os.environ['LEVEL'], open(os.environ['FILE']).read(), open(sys.argv[1]).read())"
    level = {"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "level"}}}
    main = pods.container(program, env=[level, {"name": "FILE", "value": "/etc/tls/password"}])
    main["args"].append("/etc/pod/tier")
    main["volumeMounts"] = [{"name": "tls", "mountPath": "/etc/tls"}, {"name": "pod", "mountPath": "/etc/pod"}]
    tier = {"path": "tier", "fieldRef": {"fieldPath": "metadata.name"}}
    volumes = [{"name": "tls", "secret": {"secretName": "tls"}}, {"name": "pod", "downwardAPI": {"items": [tier]}}]
    run.run("reader", main, volumes=volumes, restartPolicy="Never")
    assert "Secret" in run.events("reader", "FailedMount")[0]
    run.namespace.secret("tls", {"password": b"secret"})
    assert "ConfigMap" in run.waits_with("reader", "CreateContainerConfigError")
    run.namespace.apply("ConfigMap", "settings", data={"level": "info"})
    assert run.said("reader", "\n") == "info secret reader\n"


def test_an_image_without_a_program_is_said_so(run: Pods) -> None:
    """As in a cluster an image that can't be pulled; the message names the images that the node knows."""
    run.run("unknown", {"name": "main", "image": "example.com/other:1"})
    message = run.waits_with("unknown", "ImagePullBackOff")
    assert "example.com/other:1" in message
    assert installation.PYTHON in message
    run.namespace.kubectl("delete", "pod", "unknown", "--timeout=20s")


def test_a_program_that_is_not_there_is_said_so(run: Pods) -> None:
    """A command that can't be started counts as a run that has failed."""
    run.run("lost", pods.container("") | {"command": ["no-such-program"]})
    run.waits_with("lost", "CrashLoopBackOff")
    ended = run.container("lost")["lastState"]["terminated"]
    assert ended["reason"] == "StartError"
    assert "no-such-program" in ended["message"]


def test_a_job_runs_to_its_end(run: Pods) -> None:
    """A Pod that is restarted only on failure is started again until it succeeds, and then is done."""
    program = "import os\nif not os.path.exists('seen'): open('seen', 'w').close(); raise SystemExit(1)"
    template = {"spec": {"restartPolicy": "OnFailure", "containers": [pods.container(program)]}}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once"}, "spec": {"template": template}}
    run.namespace.plane.kubectl("-n", run.namespace.name, "apply", "-f", "-", input=json.dumps(job))
    run.namespace.kubectl("wait", "--for=condition=Complete", "--timeout=20s", "job/once")
    pod = run.namespace.kubectl("get", "pods", "-o", "name").strip().removeprefix("pod/")
    assert run.restarts(pod) == 1
    assert run.get(pod)["status"]["phase"] == "Succeeded"


def test_init_containers_run_before_the_others(run: Pods) -> None:
    """One after the other, each to its end; of one that goes on (a sidecar) only the start is waited for."""
    first = pods.container("open('log', 'a').write('first ')", name="first")
    program = f"with open('log', 'a') as log: log.write('beside ')\n{pods.SLEEP}"
    started = {"startupProbe": {"exec": {"command": ["grep", "beside", "log"]}, "periodSeconds": 1}}
    beside = pods.container(program, name="beside", restartPolicy="Always", **started)
    second = pods.container("open('log', 'a').write('second ')", name="second")
    main = pods.container("print(open('log').read())")
    run.run("ordered", main, initContainers=[first, beside, second], restartPolicy="Never")
    run.wait("ordered", "jsonpath={.status.phase}=Succeeded")
    assert run.node.logs(run.namespace.name, "ordered", container="main") == "first beside second \n"


def test_a_failing_init_container_keeps_the_others_from_starting(run: Pods) -> None:
    """A Pod that is never restarted has failed then."""
    first = pods.container("raise SystemExit(4)", name="first")
    run.run("stuck", pods.container(pods.SLEEP), initContainers=[first], restartPolicy="Never")
    run.wait("stuck", "jsonpath={.status.phase}=Failed")
    with pytest.raises(launch.NodeError, match="container main of Pod"):
        run.node.logs(run.namespace.name, "stuck", container="main")


def test_pod_security_is_enforced(run: Pods) -> None:
    """In a namespace that enforces "restricted", a Pod that asks for nothing is refused, one that fits runs."""
    label = "pod-security.kubernetes.io/enforce=restricted"
    run.namespace.plane.kubectl("label", "namespace", run.namespace.name, label)
    with pytest.raises(ControlPlaneError, match="violates PodSecurity"):
        run.run("loose", pods.container(pods.SLEEP))
    context = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    whole = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    run.run("strict", pods.container(pods.SLEEP, securityContext=context), securityContext=whole)
    run.wait("strict")
