# The operator's image, for amd64 and arm64: `make image` builds it, `make image-test` builds it on a Debian of its own
# and runs it.
#
# The base is any image of a Debian with python3 (3.11 or newer) that can make virtual environments, and with
# ca-certificates. To pin it by digest, as the release does:
#   docker buildx imagetools inspect docker.io/library/python:3.14-slim-trixie      # prints the digest
#   make image BASE=docker.io/library/python:3.14-slim-trixie@sha256:...
ARG BASE=docker.io/library/python:3.14-slim-trixie

# What needs pip: nothing of this stage but its last folder gets into the image.
FROM ${BASE} AS application
# Where a machine has a package index or an authority of its own, pip is told by secrets, which stay out of all layers.
ENV PIP_CONFIG_FILE=/run/secrets/pip-conf \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ONLY_BINARY=:all: \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY requirements/build.txt requirements/runtime.txt requirements/
# Everything that comes from outside, as locked. Wheels only: no compiler is needed, and nobody's setup.py is run.
RUN --mount=type=secret,id=pip-conf --mount=type=secret,id=pip-cert \
    python3 -m venv tools \
    && tools/bin/python -m pip install --quiet --require-hashes --requirement requirements/build.txt \
    && tools/bin/python -m pip wheel --quiet --require-hashes --requirement requirements/runtime.txt --wheel-dir wheels
COPY pyproject.toml README.md ./
COPY operator operator
# The simulator has no place in a cluster: .dockerignore keeps it out of the wheel, and of all commands one is kept.
# Bytecode is compiled here, once and for all: it is not checked against its source again, so no time stamp matters, and
# nothing is ever written.
RUN tools/bin/python -m pip wheel --quiet --no-index --no-deps --no-build-isolation --wheel-dir wheels . \
    && python3 -m venv --without-pip /opt/scm-csr-operator \
    && tools/bin/python -m pip --python /opt/scm-csr-operator/bin/python install --quiet --no-index --no-compile \
        --find-links wheels scm-csr-operator \
    && find /opt/scm-csr-operator/bin ! -type d ! -name 'python*' ! -name scm-operator -delete \
    && python3 -m compileall -q --invalidation-mode unchecked-hash /opt/scm-csr-operator/lib

# The base without what only builds, and without anything that a user who isn't root could write or rise by.
FROM ${BASE} AS system
RUN rm -rf /usr/local/bin/idle* /usr/local/bin/pip* /usr/local/bin/pydoc* /usr/local/bin/python*-config \
        /usr/local/lib/python3*/ensurepip /usr/local/lib/python3*/idlelib /usr/local/lib/python3*/site-packages/* \
        /usr/lib/python3*/ensurepip /usr/lib/python3/dist-packages/* /usr/share/python-wheels \
    && python3 -m compileall -q -f --invalidation-mode unchecked-hash \
        "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
    && find / -xdev -type f -perm /6000 -exec chmod a-s {} + \
    && find / -xdev -type d -perm -o=w ! -path /tmp -exec chmod o-w {} + \
    && echo 'scm-operator:x:65532:65532::/:/usr/sbin/nologin' >> /etc/passwd \
    && echo 'scm-operator:x:65532:' >> /etc/group

FROM scratch
# All of it, so that what was removed is in no layer: on top of the base, it would stay in the layers below.
# hadolint ignore=DL3067
COPY --from=system / /
COPY --from=application /opt/scm-csr-operator /opt/scm-csr-operator
ARG BASE
ARG VERSION=unknown
ARG REVISION=unknown
ARG SOURCE=https://github.com/certops/scm-csr-operator
ARG LICENSES=NOASSERTION
LABEL org.opencontainers.image.title="scm-csr-operator" \
      org.opencontainers.image.description="A Kubernetes operator that uploads certificate signing requests to the SSL Certificate Manager (SCM)" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.licenses="${LICENSES}" \
      org.opencontainers.image.base.name="${BASE}"
# Nothing that lies in the folder it is started in is ever imported. A home must be named: the user may be any number.
ENV HOME=/ \
    PATH=/opt/scm-csr-operator/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1
WORKDIR /
EXPOSE 8080
USER 65532:65532
ENTRYPOINT ["/opt/scm-csr-operator/bin/scm-operator"]
