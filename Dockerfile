# The image of the operator: Python, what the lock file names, no compiler and nothing that installs Python packages.
#
# BASE has Python 3.11 or newer as python3, with its venv module: an official slim image by its digest, as in
# python:3.13-slim-trixie@sha256:..., or one of your own. There is no default, so that no build takes what a tag means
# today. `.ci/image` builds the image, and finds out the digest of a tag. Where packages come from, pip is told by two
# build secrets that may be there: pip.conf, and ca.crt (certificates to trust). `.ci/image` hands these on.
ARG BASE

# hadolint ignore=DL3006
FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements.lock requirements-dev.lock ./
# Wheels only: nothing is compiled, so no compiler is needed. setuptools, which makes the operator's own wheel, is locked
# too, and stays in this stage, as pip does.
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf --mount=type=secret,id=ca.crt,target=/run/ca.crt \
    python3 -m venv /opt/build && \
    python3 -m venv --without-pip /opt/esm-operator && \
    awk '/^[a-z]/ { wanted = /^setuptools==/ } wanted' requirements-dev.lock >build.lock && \
    /opt/build/bin/pip install --quiet --require-hashes --only-binary :all: --requirement build.lock && \
    /opt/build/bin/pip --python /opt/esm-operator/bin/python install --quiet --require-hashes --only-binary :all: \
        --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
COPY .ci/trim-image .ci/
# The bytecode is made here, for the root file system is read-only where it runs.
RUN /opt/build/bin/pip wheel --quiet --no-deps --no-build-isolation --no-index --wheel-dir wheel . && \
    /opt/build/bin/pip --python /opt/esm-operator/bin/python install --quiet --no-deps --no-index wheel/*.whl && \
    sh .ci/trim-image packages /opt/esm-operator && \
    /opt/esm-operator/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/esm-operator/lib

# hadolint ignore=DL3006
FROM ${BASE} AS root
COPY .ci/trim-image /tmp/
RUN sh /tmp/trim-image base && rm /tmp/trim-image
COPY --from=build /opt/esm-operator /opt/esm-operator
COPY LICENSE /usr/share/licenses/esm-operator/

# One layer, so that what was removed is in none.
FROM scratch
# hadolint ignore=DL3067
COPY --from=root / /
ARG BASE
ARG VERSION=unknown
ARG REVISION=unknown
ARG SOURCE=""
LABEL org.opencontainers.image.title="esm-operator" \
      org.opencontainers.image.description="Keeps AWS Lambda event source mappings the way Kubernetes resources say" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.base.name="${BASE}"
ENV PATH=/opt/esm-operator/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/tmp \
    LANG=C.UTF-8 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
EXPOSE 8080 8081
ENTRYPOINT ["esm-operator"]
CMD ["run"]
