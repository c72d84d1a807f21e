"""A stand-in for the SSL Certificate Manager (SCM) and its identity service (IAM): HTTP on loopback, faults on command.

What belongs here: what the two services answer, with their quirks (`iam`, `scm`, `csr`, `store`), what makes them
misbehave on command (`fault_rules`, `fault_actions`, `faults`), and what shows what happened (`requests_log`, `admin`,
`page`). `app` puts them together; `python -m scm_simulator` runs it.

Forbidden here: any import of `scm_operator`. The simulator is written from the services' contracts alone, so that a
misreading of them in the operator is not repeated on the other side of the wire. It listens on loopback only, keeps
everything in memory, and writes neither tokens nor passwords nor keys to its output or its log of requests.
"""
