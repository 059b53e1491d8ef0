# One image for every process: `web` is the default command, the Procfile has the commands of worker and release.
FROM python:3.13-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
COPY requirements.txt requirements-tracing.txt ./
# `--build-arg TRACING=1` installs the packages that send traces.
ARG TRACING=
# Without pip, because no package is installed at run time, and the image is 17 MB smaller.
RUN python -m venv --without-pip /venv && pip --python /venv/bin/python install --only-binary :all: \
    -r requirements.txt ${TRACING:+-r requirements-tracing.txt}
# The command `tradepost`, in place: it expects the code where the next stage puts it.
WORKDIR /srv/tradepost
COPY pyproject.toml ./
COPY api/__init__.py api/
RUN pip --python /venv/bin/python install --no-deps --editable .

FROM python:3.13-slim
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PORT=8000 LISTEN_ON=all
COPY --from=build /venv /venv
WORKDIR /srv/tradepost
COPY gunicorn.conf.py Procfile LICENSE ./
COPY config config
COPY data data
COPY schemas schemas
COPY models models
COPY runtime runtime
COPY trading trading
COPY actors actors
COPY api api
COPY serving serving
# A numeric user needs no entry in /etc/passwd, and an orchestrator can see that it is not root.
USER 10001:10001
EXPOSE 8000
# Live, not ready: an unreachable database is no reason to restart the process. http.client uses no proxy.
HEALTHCHECK --interval=15s --timeout=3s --start-period=15s CMD ["python", "-c", \
    "import http.client as http, os, sys; link = http.HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=2); \
    link.request('GET', '/health/live'); sys.exit(link.getresponse().status != 200)"]
CMD ["gunicorn", "api:create_app()"]
