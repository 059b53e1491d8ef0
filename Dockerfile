# One image for every process: `web` is the default command, the Procfile has those of worker and release.
FROM python:3.13-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /venv
COPY requirements.txt .
RUN /venv/bin/pip install --only-binary :all: -r requirements.txt

FROM python:3.13-slim
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PORT=8000
RUN useradd --system --uid 10001 --create-home tradepost
COPY --from=build /venv /venv
WORKDIR /srv/tradepost
COPY config.py gunicorn.conf.py Procfile LICENSE ./
COPY schemas schemas
COPY models models
COPY trading trading
COPY actors actors
COPY api api
USER tradepost
EXPOSE 8000
# Live, not ready: a database that is away is no reason to restart the process.
HEALTHCHECK --interval=15s --timeout=3s --start-period=15s CMD ["python", "-c", \
    "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/health/live', timeout=2)"]
CMD ["gunicorn", "api:create_app()"]
