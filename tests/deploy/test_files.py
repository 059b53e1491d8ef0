"""The files of the deployments: each is accepted by the tool that knows its format, and says what the others say."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.test_dynos import PROCFILE
from tests.support.processes import ROOT

TOOLS = ROOT / ".venv-deploy" / "bin"
TEMPLATE = ROOT / "docs/deploy/cloudformation.yaml"
UNIT = ROOT / "docs/deploy/tradepost@.service"


class TemplateLoader(yaml.SafeLoader):
    """A loader that reads CloudFormation's functions, such as !Ref, as their arguments."""


TemplateLoader.add_multi_constructor("!", lambda loader, _, node: _argument(loader, node))


def _argument(loader: Any, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    assert isinstance(node, yaml.SequenceNode)
    return loader.construct_sequence(node, deep=True)


RESOURCES = yaml.load(TEMPLATE.read_text(), TemplateLoader)["Resources"]


def check(program: Path, *arguments: str | Path) -> None:
    """Run a tool, and fail with its words if it complains."""
    done = subprocess.run([program, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def tool(name: str) -> Path:
    """Return a tool of `make check-deploy`."""
    if not (TOOLS / name).exists():
        pytest.skip(f"{name} is not installed: `make check-deploy` installs it in a venv of its own")
    return TOOLS / name


def test_hadolint_accepts_the_dockerfile() -> None:
    check(Path(sys.executable).with_name("hadolint"), "--no-color", "Dockerfile")


@pytest.mark.parametrize("name", ["compose.yaml", "compose.external.yaml"])
def test_the_compose_specification_accepts_the_file(name: str) -> None:
    check(tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", name)


def test_cfn_lint_accepts_the_templates() -> None:
    templates = TEMPLATE, ROOT / "examples/lambda/template.yaml"
    check(tool("cfn-lint"), "--non-zero-exit-code", "informational", "--template", *templates)


def test_the_tasks_run_the_procfiles_commands_in_a_locked_container() -> None:
    for name, image in (("Web", "Image"), ("Worker", "Image"), ("Release", "ReleaseImage")):
        (container,) = RESOURCES[f"{name}Task"]["Properties"]["ContainerDefinitions"]
        assert (container["Image"], container["User"]) == (image, "10001:10001")
        assert container["ReadonlyRootFilesystem"] is True
        assert container["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
    (worker,) = RESOURCES["WorkerTask"]["Properties"]["ContainerDefinitions"]
    assert worker["Command"] == ["sh", "-c", f"exec {PROCFILE['worker']}"]
    (release,) = RESOURCES["ReleaseTask"]["Properties"]["ContainerDefinitions"]
    assert " ".join(release["Command"]) == PROCFILE["release"]


def test_a_deployment_that_fails_is_taken_back_and_the_cache_has_no_cluster_mode() -> None:
    for name in ("WebService", "WorkerService"):
        deployment = RESOURCES[name]["Properties"]["DeploymentConfiguration"]
        assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
    assert RESOURCES["Cache"]["Properties"]["ClusterMode"] == "disabled"
    assert "Serverless" not in {resource["Type"].rpartition("::")[2] for resource in RESOURCES.values()}


def test_all_tasks_have_the_same_settings_and_no_secret_in_the_open() -> None:
    tasks = [one["Properties"] for one in RESOURCES.values() if one["Type"] == "AWS::ECS::TaskDefinition"]
    containers = [container for task in tasks for container in task["ContainerDefinitions"]]
    assert len(containers) == 4
    for container in containers:
        for part in ("Environment", "Secrets", "LogConfiguration"):
            assert container[part] == containers[0][part]
        assert not {one["Name"] for one in container["Environment"]} & {"PGPASSWORD", "CRON_SECRET", "METRICS_TOKEN"}


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed, which verifies the unit")
    (tmp_path / "tradepost@web.service").write_text(UNIT.read_text())
    check(Path(program), "verify", "--man=no", tmp_path / "tradepost@web.service")


@pytest.mark.parametrize("name", PROCFILE)
def test_the_unit_runs_the_procfiles_command(name: str) -> None:
    start = re.findall(r"^ExecStart=/bin/sh -c '(.*)'$", UNIT.read_text(), re.MULTILINE)[0]
    words = start.replace("$$", "$").replace("%i", name).replace("eval exec", "eval show")
    shown = "show() { printf '%s\\n' \"$@\"; }; " + words
    done = subprocess.run(["/bin/sh", "-c", shown], cwd=ROOT, capture_output=True, text=True, check=True)
    wanted = PROCFILE[name].replace("${WORKER_PROCESSES:-1}", "1").replace("${WORKER_THREADS:-4}", "4")
    assert done.stdout.split("\n")[:-1] == shlex.split(wanted)
