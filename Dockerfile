# syntax=docker/dockerfile:1

# Build: the wheel, and beside it everything it needs, as wheels.
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
COPY mappings ./mappings
RUN python -m pip wheel --no-cache-dir --wheel-dir /wheels .

# Run: no compiler, no sources, no root.
FROM python:3.11-slim-bookworm
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    python -m pip install --no-cache-dir --no-index --find-links /wheels crossdock \
 && python -m compileall -q "$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
 && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin crossdock \
 && install -d -o crossdock -g crossdock -m 0750 /data

# Everything that is written is in /data: the root file system may be read-only.
USER crossdock
WORKDIR /data
VOLUME /data
EXPOSE 8080

HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]

# SIGTERM drains; give it longer than server.shutdown_grace: docker stop --time 30.
STOPSIGNAL SIGTERM
ENTRYPOINT ["crossdock"]
CMD ["serve", "--config", "/etc/crossdock/crossdock.yaml"]
