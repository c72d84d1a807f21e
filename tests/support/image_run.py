"""What a built image is tried with: the operator in it, on a real control plane, until an upload is Ready."""

import pathlib
import urllib.parse

import httpx
import yaml

from dev import processes
from dev.control_plane import ControlPlane
from tests.support import image_checks, keys, simulator, world
from tests.support.image_container import Container, service_account

_INSTALL = world.ROOT / "deploy" / "install.yaml"
_PYTHON = f"/{image_checks.APPLICATION}/bin/python"
_SOMEBODY = (1_000_660_000, 0)  # as clusters choose that give each namespace users of its own
_TRAP = "raise SystemExit('a module of the folder that it was started in was imported')\n"
_GRACE = 60.0
_UPLOAD = "shop-tls"


def starts_as_anybody(container: Container) -> None:
    """It starts as any user, also one that the image doesn't know."""
    container.run("--help", user=_SOMEBODY)


def imports_nothing_from_the_folder(container: Container, *, folder: pathlib.Path) -> None:
    """Modules in the folder that it is started in are not imported, whatever their names."""
    trap = folder / "trap"
    trap.mkdir(mode=0o755)
    for name in ("logging", "operator", "scm_operator"):
        (trap / f"{name}.py").write_text(_TRAP)
    container.run("--help", folder="/mnt", volumes={"/mnt": trap})
    container.run("-m", "scm_operator", "--help", command=[_PYTHON], folder="/mnt", volumes={"/mnt": trap})


def trusts_the_usual_authorities(container: Container) -> None:
    """It brings the certificates that the remote service's are verified by."""
    count = "import ssl; print(ssl.create_default_context().cert_store_stats()['x509_ca'])"
    assert int(container.run("-c", count, command=[_PYTHON])) > 0, "it has no certificate authority"


def an_upload_becomes_ready(container: Container, *, folder: pathlib.Path) -> str:
    """It uploads, reports its health, and ends in order; return what the upload's status says."""
    with ControlPlane.start() as plane, simulator.running(folder) as scm:
        shop = _installed(plane, scm)
        account = service_account(plane, "scm-csr-operator", namespace=world.OPERATOR_NAMESPACE, folder=folder)
        port = processes.free_port()
        with container.start(folder / "operator.log", environ=_environ(plane, port=port), account=account) as operator:
            try:
                status = shop.ready(_UPLOAD)
                _is_well(port)
            except Exception as error:
                raise AssertionError(f"{error}\n{operator.tail()}") from error
            operator.process.terminate()
            code = operator.wait(seconds=_GRACE)
            assert code == 0, f"after SIGTERM it ended with {code}:\n{operator.tail()}"
        (entry,) = scm.entries(name=_UPLOAD)
        assert entry["id"] == status["scmID"], f"SCM has {entry['id']}, the status says {status['scmID']}"
        return f"{_UPLOAD} is in SCM as {entry['id']}"


def _installed(plane: ControlPlane, scm: simulator.Simulator) -> world.Namespace:
    """Install what users install in one command, all but Pods, which nothing runs here; add an upload to be done."""
    plane.kubectl("apply", "--server-side", "-f", _INSTALL)
    plane.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")
    plane.kubectl("create", "namespace", "shop")
    shop = world.Namespace("shop", plane, scm)
    shop.account()
    shop.secret(_UPLOAD, {"tls.csr": keys.make_csr(), "tls.key": keys.key_pem()})
    shop.upload(_UPLOAD, key=_UPLOAD)
    return shop


def _is_well(port: int) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        for path in ("/livez", "/readyz", "/metrics"):
            answer = client.get(path)
            assert answer.status_code == httpx.codes.OK, f"{path} answers {answer.status_code}: {answer.text[:500]}"


def _environ(plane: ControlPlane, *, port: int) -> dict[str, str]:
    """Return what a Pod of the installation has, and what leads it to the simulator and to a free port."""
    server = urllib.parse.urlsplit(plane.server)
    return {
        **_environ_of_the_deployment(),
        "KUBERNETES_SERVICE_HOST": str(server.hostname),
        "KUBERNETES_SERVICE_PORT": str(server.port),
        "SCM_OPERATOR_ALLOW_INSECURE_LOOPBACK": "true",
        "SCM_OPERATOR_LISTEN": f"127.0.0.1:{port}",
    }


def _environ_of_the_deployment() -> dict[str, str]:
    (deployment,) = [each for each in yaml.safe_load_all(_INSTALL.read_text()) if each["kind"] == "Deployment"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    namespace = deployment["metadata"]["namespace"]
    return {each["name"]: each.get("value", namespace) for each in container["env"]}
