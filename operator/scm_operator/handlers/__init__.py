"""kopf: hosts the watches on our three kinds, and tells of what they show.

Belongs here: kopf's handlers, settings and login, of a few lines each. Forbidden here: everything else; kopf is an
informer (docs/adr says why), its persistence, retries, finalizers and Events stay unused.
"""
