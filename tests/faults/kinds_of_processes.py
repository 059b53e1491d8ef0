"""Faults of the processes: they die at a chosen point or anywhere, are told to stop, or stand still."""

import signal

from tests.faults.kinds import KINDS, Scene, kind

POINTS = {
    "F1 web killed between commit and send": "web_dies_before_send",
    "F2 web killed before its commit": "web_dies_before_commit",
    "F4 worker killed between fill commit and ack": "worker_dies_before_ack",
    "F5 worker killed inside the fill": "worker_dies_before_commit",
    "F26 time limit before the commit": "time_limit_before_commit",
    "F26 time limit after the commit": "time_limit_after_commit",
    "F26 shutdown before the commit": "shutdown_before_commit",
    "F26 shutdown after the commit": "shutdown_after_commit",
}
for _name, _point in POINTS.items():
    KINDS[_name] = lambda scene, point=_point: scene.reach(point)


@kind("F6", "kill -9 of a web process")
def kill_web_child(scene: Scene) -> None:
    """Kill one of gunicorn's workers."""
    scene.chance.choice(scene.system.webs[0].children()).kill()


@kind("F6", "kill -9 of the web command")
def kill_web(scene: Scene) -> None:
    """Kill gunicorn with all its workers."""
    scene.system.webs[0].kill()


@kind("F6", "kill -9 of a worker process")
def kill_worker_child(scene: Scene) -> None:
    """Kill one of the processes that execute."""
    scene.chance.choice(scene.system.worker_children()).kill()


@kind("F6", "kill -9 of a worker command")
def kill_worker(scene: Scene) -> None:
    """Kill a worker command with all its processes."""
    scene.chance.choice(scene.system.workers).kill()


@kind("F6", "kill -9 of Dramatiq's main process")
def orphan_workers(scene: Scene) -> None:
    """Leave orphans that work beside a new set, and end them a while later."""
    command = scene.chance.choice(scene.system.workers)
    command.signal(signal.SIGKILL)
    scene.last_for(2, 5)
    command.kill()


@kind("F7", "SIGTERM to the whole dyno")
def stop_dyno(scene: Scene) -> None:
    """Signal every process; each must end within the time that a host allows."""
    commands = [*scene.system.webs, *scene.system.workers]
    for command in commands:
        command.signal_all(signal.SIGTERM)
    for command in commands:
        command.wait(25)


@kind("F7", "SIGTERM to a worker command")
def stop_worker(scene: Scene) -> None:
    """Signal the processes of one worker command."""
    command = scene.chance.choice(scene.system.workers)
    command.signal_all(signal.SIGTERM)
    command.wait(25)


@kind("F20", "a worker with a wrong clock")
def wrong_clock(scene: Scene) -> None:
    """Let a worker join whose clock is wrong, and leave again."""
    worker = scene.system.starter._start(
        "worker", {"TRADEPOST_CLOCK_OFF_S": str(scene.chance.choice((90, -90, 86_400, -86_400)))}
    )
    scene.last_for(4, 6)
    worker.terminate()


@kind("F16", "SIGSTOP of a worker")
def suspend_worker(scene: Scene) -> None:
    """Let a worker stand still anywhere, sometimes for longer than every limit."""
    scene.chance.choice(scene.system.workers).signal_all(signal.SIGSTOP)
    scene.last_for(3, 14)


@kind("F16", "SIGSTOP of a worker inside a fill")
def suspend_fill(scene: Scene) -> None:
    """Let a worker stand still while it holds its locks."""
    scene.reach("worker_sleeps_before_commit", "0.5")
    for command in scene.system.workers:
        command.signal_all(signal.SIGSTOP)
    scene.last_for(5, 12)
