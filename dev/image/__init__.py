"""The operator's image: built from the Dockerfile by whichever engine this machine has.

``python -m dev.image`` is ``make image``; tests/image builds with the same commands. What an image is made of stands in
the Dockerfile alone; here is what differs between machines: the engine, the version control, the package index.
"""
