"""The operator: uploads CSRs that CertificateRequestUpload resources name to the SSL Certificate Manager (SCM).

Data flows one way: an event becomes a key, a key becomes a desired state, a desired state becomes an action, an action
becomes a status. The rooms and their directions (checked by import-linter)::

    app → handlers → (reconcile | scm | kube | settings | telemetry) → domain

The rooms in brackets don't know each other; app hands adapters to the reconciler as ports (domain.ports).
"""
