"""The steps between an event and a status: queue, observe, plan, act, report.

Belongs here: what happens when, over the ports of domain. Forbidden here: httpx, kubernetes, kopf, the clock, the
environment; every decision about an upload is taken in domain.plan, not here.

Triggers, each of which only queues a key: a resource, a Secret that it names, its account or the account's
credential appears or changes; a retry is due; the annotation reconcile-requested-at changes.
"""
