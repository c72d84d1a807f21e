"""The Kubernetes API: the only room that knows the ``kubernetes`` package (its asyncio client, kubernetes.aio).

Belongs here: adapters for the ports of domain, lists and watches. Forbidden here: decisions about uploads, SCM, kopf.

Every failure leaves this room as domain.errors.ApiServerError; a message names the request, never a body.
"""

GROUP = "scm.certops.dev"
VERSION = "v1alpha1"
UPLOADS = "certificaterequestuploads"
ACCOUNTS = "scmaccounts"
CLUSTER_ACCOUNTS = "clusterscmaccounts"
