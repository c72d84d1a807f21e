"""The remote service: SSL Certificate Manager (SCM) and, for a password account, its identity service (IAM).

Belongs here: what is sent and how answers read (`wire`; of SCM's entries `entries`), what an answer means for the
caller (`errors`), connections, TLS, proxies and whether a request reached the service (`transport`), where tokens come
from (`auth`), and one client for one account behind the port CsrStore (`client`).

Forbidden here: retries beyond the one after a 401 (the reconciler decides), Kubernetes, kopf, settings of the
environment other than the proxy variables. ``httpx`` and ``aiohttp`` stay in here: nothing but the tree of
domain.errors leaves this room, and no message, chain or log record of it holds a token, a password, a key or a CSR.
"""
