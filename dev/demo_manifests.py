"""The demo's manifests: the examples of ``crds/examples``, and what is made from pieces of them.

They are texts, changed as texts: so they keep their comments for whoever looks at them.
"""

import re
import textwrap

from dev import demo_screen

EXAMPLES = demo_screen.CHECKOUT / "crds" / "examples"
ACCOUNT = EXAMPLES / "clusterscmaccount-password.yaml"
CSR_ONLY = EXAMPLES / "upload-csr-only.yaml"
KEY_IN_SAME_SECRET = EXAMPLES / "upload-key-in-same-secret.yaml"
KEY_IN_OWN_SECRET = EXAMPLES / "upload-key-in-own-secret.yaml"

DOMAIN, USER, PROJECT = "acme", "cert-bot", "cn-north-4"
"""Who the example account logs in as; the simulator must know them."""

WRONG_KEY = "wrong-key"
"""The upload that is to fail."""

VALUES = """\
# The chart's values for this machine.
extraEnv:
  # The simulator is reached by plain http on loopback.
  - name: SCM_OPERATOR_ALLOW_INSECURE_LOOPBACK
    value: "true"
  # All Pods of this node share one network: each listens at its own address alone.
  - name: POD_IP
    valueFrom: {fieldRef: {fieldPath: status.podIP}}
  - name: SCM_OPERATOR_LISTEN
    value: $(POD_IP):8080
settings:
  logFormat: text
startupProbe: {periodSeconds: 1}
readinessProbe: {periodSeconds: 1}
"""

_WRONG_KEY = """\
# Refused on purpose: the private key belongs to another CSR.
apiVersion: v1
kind: Secret
metadata:
  name: {name}
type: Opaque
stringData:
  tls.csr: |
{csr}
  tls.key: |
{key}
---
apiVersion: scm.certops.dev/v1alpha1
kind: CertificateRequestUpload
metadata:
  name: {name}
spec:
  csrSecretRef:
    name: {name}
  privateKeySecretRef:
    name: {name}
"""


def account(example: str, *, name: str, url: str) -> str:
    """Name the example account anew, and lead it to the simulator: its address for SCM and IAM instead of a region.

    Raises:
        ValueError: The example has another form than expected.

    """
    text = _replace(r"^( *)name: production$", rf"\1name: {name}", text=example)
    text = _replace(r"^( *)region: .*$", rf"\1endpoint: {url}", text=text)
    return _replace(r"^( *)password:$", rf"\1password:\n\1  iamEndpoint: {url}", text=text)


def upload_alone(example: str) -> str:
    """Leave the Secrets out of an example.

    Raises:
        ValueError: It doesn't hold exactly one upload.

    """
    documents = re.split(r"^---\n", example, flags=re.MULTILINE)
    (found,) = [text for text in documents if re.search(r"^kind: CertificateRequestUpload$", text, flags=re.MULTILINE)]
    return found


def wrong_key(*, csr_of: str, key_of: str) -> str:
    """Make an upload of one example's CSR with another's private key, both in one Secret.

    Raises:
        ValueError: An example doesn't hold exactly one of what is taken from it.

    """
    csr = _pem(csr_of, label="CERTIFICATE REQUEST")
    key = _pem(key_of, label="PRIVATE KEY")
    return _WRONG_KEY.format(name=WRONG_KEY, csr=csr, key=key)


def _pem(text: str, *, label: str) -> str:
    (block,) = re.findall(rf"^ *-----BEGIN {label}-----$.*?^ *-----END {label}-----$", text, re.MULTILINE | re.DOTALL)
    return textwrap.indent(textwrap.dedent(block), "    ")


def _replace(pattern: str, replacement: str, *, text: str) -> str:
    changed, times = re.subn(pattern, replacement, text, flags=re.MULTILINE)
    if times != 1:
        raise ValueError(f"{pattern} fits {times} lines of the example account, not one")
    return changed
