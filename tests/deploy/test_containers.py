"""Containers: the files that the Dockerfile copies run as its user, on a read-only root."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
import yaml

import config
from models.dumps import DUMP_OPTIONS
from tests.acceptance.conftest import Trader
from tests.deploy.test_dynos import PROCFILE
from tests.support.processes import ROOT, Running, dead_proxies, free_port
from trading.upkeep.verify import verify

DOCKERFILE = (ROOT / "Dockerfile").read_text()
STAGE = DOCKERFILE.rpartition("\nFROM ")[2]
COPIED = [name for names in re.findall(r"^COPY ([^-].*) \S+$", STAGE, re.MULTILINE) for name in names.split()]
USER = re.findall(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)[-1]
HEALTH_CHECK = shlex.join(
    json.loads(re.findall(r"^HEALTHCHECK .*?CMD (\[.*?\])$", DOCKERFILE.replace("\\\n", ""), re.MULTILINE)[0])
)
WEB = shlex.join(json.loads(re.findall(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)[0]))
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
COMPOSE_EXTERNAL = yaml.safe_load((ROOT / "compose.external.yaml").read_text())["services"]
# A mount namespace of its own: the tree at /mnt, nothing that can be written to but /tmp and /dev/shm, as in Docker,
# and no privilege left but to read, since the Python of these tests may lie in root's home.
CONTAINER = """
mount -o remount,bind,ro / && mount --bind "$TREE" /mnt && mount --bind "$VENV" /media
mount -t tmpfs tmpfs /dev/shm && mount -t tmpfs tmpfs /tmp
mkdir -p "$VENV" && mount --bind /media "$VENV"  # which may be below /tmp
cd /mnt && exec setpriv --reuid {} --regid {} --clear-groups --no-new-privs --inh-caps=-all,+dac_read_search \
    --ambient-caps=-all,+dac_read_search --bounding-set=-all,+dac_read_search "$@"
""".format(*USER)
# python:3.13-slim unpacked, as docs/deploy/docker.md assumes it.
BASE_IMAGE_MB = 150
ELSEWHERE = {
    "DATABASE_URL": "postgres://u:p@db.example.com/d?sslmode=require",
    "REDIS_URL": "rediss://redis.example.com:6379",
}
WORKER_SETTINGS = ("ORDER_WORKER_INTERVAL_MS", "ORDER_WORKER_BATCH_LIMIT")


class Containers:
    """Run commands as in a container of the image."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, environment
        self.tree = folder / "image"
        self.started: list[Running] = []
        self.tree.mkdir()
        for name in COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, self.tree / name)
        subprocess.run(["chmod", "-R", "u=rwX,go=rX", str(self.tree)], check=True)

    def command(self, command: str) -> list[str]:
        """Return a command line that runs a shell command in a container."""
        return ["unshare", "--mount", "sh", "-ec", CONTAINER, "container", "sh", "-c", command]

    def run(self, command: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        environment = self._environment(settings)
        return subprocess.run(self.command(command), env=environment, capture_output=True, text=True, timeout=60)

    def start(self, command: str, **settings: str) -> Running:
        """Start a command that goes on."""
        port = free_port()
        environment = self._environment({"PORT": str(port), **settings})
        log_path = self.folder / f"container-{len(self.started)}.log"
        running = Running(shlex.join(self.command(f"exec {command}")), environment, log_path, port)
        self.started.append(running)
        return running

    def _environment(self, settings: dict[str, str]) -> dict[str, str]:
        places = {"TREE": str(self.tree), "VENV": sys.prefix}
        return {**self.environment, **places, "PYTHONDONTWRITEBYTECODE": "1", **settings}


@pytest.fixture
def containers(tmp_path: Path, process_environment: dict[str, str], production: dict[str, str]) -> Iterator[Containers]:
    """Return a runner of commands as in a container."""
    if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("setpriv"):
        pytest.skip("a read-only root needs root, unshare and setpriv")
    containers = Containers(tmp_path, process_environment | production)
    yield containers
    for running in containers.started:
        running.kill()


def test_an_order_goes_through_containers_on_a_read_only_root(
    containers: Containers, account: Callable[..., Any]
) -> None:
    places = containers.run("id -u; for place in /mnt /media /var/tmp /tmp; do touch $place/x && echo $place; done")
    assert places.stdout.split() == [USER[0], "/tmp"], places.stderr

    release = containers.run(shlex.join(COMPOSE["release"]["command"]))
    assert release.returncode == 0, release.stderr
    web = containers.start(WEB)
    settings = {name: filled_in(COMPOSE["worker"]["environment"])[name] for name in WORKER_SETTINGS}
    worker = containers.start(shlex.join(command_of("worker")), **settings)
    web.wait_until_ready()
    worker.wait_for_log("ready for action")

    trader = Trader(web, account().token)
    answer = trader.place()
    assert answer.status_code == 202
    trader.wait_for(answer.json()["orderId"])
    assert verify() == []

    assert containers.run(HEALTH_CHECK, PORT=str(web.port), **dead_proxies()).returncode == 0
    assert [running.terminate(30) for running in (web, worker)] == [0, 0]
    assert containers.run(HEALTH_CHECK, PORT=str(web.port)).returncode != 0


def command_of(service: str) -> list[str]:
    """Return the command of a service's container; compose writes $ as $$."""
    return [part.replace("$$", "$") for part in COMPOSE[service]["command"]]


def test_the_composed_services_are_those_of_the_procfile_and_may_do_nothing_else() -> None:
    assert shlex.join(command_of("release")) == PROCFILE["release"]
    assert command_of("worker") == ["sh", "-c", f"exec {PROCFILE['worker']}"]
    assert shlex.split(PROCFILE["web"]) == shlex.split(WEB)
    for name in PROCFILE:
        service = COMPOSE[name]
        assert service["read_only"] is True
        assert (service["tmpfs"], service["cap_drop"]) == (["/tmp"], ["ALL"])
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert config.load(filled_in(service["environment"])).is_production
    worker = config.load({name: filled_in(COMPOSE["worker"]["environment"])[name] for name in WORKER_SETTINGS})
    assert (worker.order_worker_interval_ms, worker.order_worker_batch_limit) == (750, 50)
    assert all("test" in COMPOSE[name]["healthcheck"] for name in ("postgres", "valkey"))


@pytest.mark.parametrize("services", [COMPOSE, COMPOSE_EXTERNAL], ids=["servers within", "servers elsewhere"])
def test_every_setting_of_the_env_file_counts_but_those_that_compose_has_to_set(services: dict[str, Any]) -> None:
    for name in PROCFILE:
        service = services[name]
        assert service["env_file"] == ".env"
        fixed = {key for key, value in service["environment"].items() if not str(value).startswith("${")}
        assert fixed <= {"TRADEPOST_ENV", "DATABASE_URL", "REDIS_URL", "PORT"}
        assert service["environment"]["PORT"] == 8000  # PORT of .env is the machine's


@pytest.mark.parametrize("services", [COMPOSE, COMPOSE_EXTERNAL], ids=["servers within", "servers elsewhere"])
def test_only_the_proxy_listens_to_other_machines_and_every_log_is_bounded(services: dict[str, Any]) -> None:
    ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert ports == {"web": ["${BIND:-127.0.0.1}:${PORT:-8000}:8000"], "caddy": ["80:80", "443:443", "443:443/udp"]}
    assert services["caddy"]["profiles"] == ["tls"]
    for name, service in services.items():
        if service.get("restart"):
            assert set(service["logging"]["options"]) == {"max-size", "max-file"}, name


def filled_in(environment: dict[str, Any]) -> dict[str, str]:
    """Return a service's environment with something for each variable that the operator has to set, or may."""
    with_defaults = {key: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value)) for key, value in environment.items()}
    return {key: re.sub(r"\$\{\w+:\?[^}]*\}", "4b7a9c21d0e35f68", value) for key, value in with_defaults.items()}


def test_the_backup_service_writes_a_dump_as_the_command_does() -> None:
    backup = COMPOSE["backup"]
    assert f"pg_dump {' '.join(DUMP_OPTIONS)} " in backup["command"][-1]
    assert (backup["image"], backup["profiles"]) == (COMPOSE["postgres"]["image"], ["backup"])


def test_the_compose_file_for_external_servers_differs_in_the_servers_only() -> None:
    assert set(COMPOSE_EXTERNAL) == {*PROCFILE, "caddy"}
    assert COMPOSE_EXTERNAL["caddy"] == COMPOSE["caddy"]
    for name in PROCFILE:
        service = COMPOSE_EXTERNAL[name]
        assert but_for_servers(service) == but_for_servers(COMPOSE[name])
        assert {key: service["environment"][key] for key in ELSEWHERE} == {
            key: f"${{{key}:?set it in .env}}" for key in ELSEWHERE
        }
        assert config.load(filled_in(service["environment"] | ELSEWHERE)).is_production
        assert set(service.get("depends_on", {})) <= set(PROCFILE)


def but_for_servers(service: dict[str, Any]) -> dict[str, Any]:
    """Return a service without the settings that locate PostgreSQL and Redis."""
    where = {*ELSEWHERE, "REDIS_NAMESPACE"}
    environment = {key: value for key, value in service["environment"].items() if key not in where}
    depends_on = {name: condition for name, condition in service.get("depends_on", {}).items() if name in PROCFILE}
    return {**service, "environment": environment, "depends_on": depends_on}


def test_the_build_gets_only_the_files_that_the_dockerfile_copies() -> None:
    allowed = re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert sorted(allowed) == sorted([*COPIED, "pyproject.toml", "requirements.txt", "requirements-tracing.txt"])


def test_a_build_with_tracing_has_one_version_of_each_package() -> None:
    assert re.findall(r"\$\{TRACING:\+-r (\S+)\}", DOCKERFILE) == ["requirements-tracing.txt"]
    run, tracing = (pinned(ROOT / name) for name in ("requirements.txt", "requirements-tracing.txt"))
    assert {name: run[name] for name in run.keys() & tracing} == {name: tracing[name] for name in run.keys() & tracing}


def pinned(path: Path) -> dict[str, str]:
    """Return the packages of a file of requirements with their versions."""
    return dict(re.findall(r"^([\w-]+)==(\S+)", path.read_text(), re.MULTILINE))


def test_the_image_stays_below_250_mb() -> None:
    files = [file for name in pinned(ROOT / "requirements.txt") for file in distribution(name).files or ()]
    packages = sum(Path(file.locate()).stat().st_size for file in files if Path(file.locate()).exists())
    tree = sum(path.stat().st_size for name in COPIED for path in (ROOT / name).rglob("*") if path.is_file())
    assert (packages + tree) / 1e6 < 250 - BASE_IMAGE_MB
