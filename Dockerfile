# Build:
#   docker build --build-arg VERSION=0.1.0 --build-arg REVISION="$(git rev-parse HEAD)" -t fail2ban-exporter .
#
# Run:
#   docker run -d --name fail2ban-exporter -p 127.0.0.1:9191:9191 -v /run:/run:ro -v /etc/fail2ban:/etc/fail2ban:ro \
#     -v fail2ban-exporter:/state --cap-drop ALL --read-only --security-opt no-new-privileges \
#     fail2ban-exporter --recovery.state-file=/state/state.json
#
# It mounts /run, not /run/fail2ban: systemd makes that folder anew whenever fail2ban starts, and a mount of the folder
# itself would go on showing the old one. Settings are arguments (--probe.interval=5s) or, better, environment
# variables, since the health check has to know the address: -e FAIL2BAN_EXPORTER_WEB__LISTEN_ADDRESS=:9292

ARG BASE_IMAGE=python:3.13-slim-bookworm

FROM ${BASE_IMAGE} AS builder

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore

WORKDIR /src

# The tools that build are in a venv of their own and stay in this stage; the other one is what the image gets.
COPY requirements/build.txt requirements/geoip.txt requirements/
RUN python -m venv /build \
    && /build/bin/pip install --no-cache-dir --require-hashes -r requirements/build.txt \
    && python -m venv --without-pip /opt/fail2ban-exporter \
    && /build/bin/pip --python /opt/fail2ban-exporter/bin/python install --no-cache-dir --no-compile \
        --require-hashes -r requirements/geoip.txt

COPY pyproject.toml README.md LICENSE ./
COPY exporter/ exporter/
# Bytecode is written here, once: a read-only root can't take it later. Checked by content, since layers lose times.
RUN /build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /build/bin/pip --python /opt/fail2ban-exporter/bin/python install --no-cache-dir --no-compile \
        --no-index --no-deps --find-links /wheels fail2ban-exporter \
    && /opt/fail2ban-exporter/bin/python -m compileall -q --invalidation-mode unchecked-hash \
        /opt/fail2ban-exporter/lib


FROM ${BASE_IMAGE}

ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="fail2ban-exporter" \
      org.opencontainers.image.description="Prometheus exporter that says whether fail2ban still guards the host" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

COPY --from=builder /opt/fail2ban-exporter /opt/fail2ban-exporter

ENV PATH=/opt/fail2ban-exporter/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

# fail2ban's socket is in a folder that its owner, root, alone may enter. Owning it is enough: no capability is needed,
# so drop them all as above. Any other user would need CAP_DAC_OVERRIDE, which opens every file to it.
# hadolint ignore=DL3002
USER 0:0

WORKDIR /
EXPOSE 9191
STOPSIGNAL SIGTERM

HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
    CMD ["/opt/fail2ban-exporter/bin/python", "-I", "-m", "exporter.healthcheck"]

ENTRYPOINT ["/opt/fail2ban-exporter/bin/fail2ban-exporter"]
