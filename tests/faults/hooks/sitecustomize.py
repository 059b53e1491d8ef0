"""Fault points around named functions; Python runs this file at the start of every process under test.

A point does nothing until a file with its name lies in TRADEPOST_FAULT_DIR. The process that reaches
the point first takes the file away and suffers the fault; so does every process that reaches a point
whose file is called NAME.always. The file's text is the fault's argument. Nothing of the product changes.
"""

import datetime
import functools
import importlib.abc
import importlib.machinery
import os
import signal
import sys
import time

FOLDER = os.environ.get("TRADEPOST_FAULT_DIR", "")
POISON = "poison"
CLOCK_OFF_S = float(os.environ.get("TRADEPOST_CLOCK_OFF_S", "0"))
PACKAGES = ("actors", "api", "models", "runtime", "schemas", "trading")


def die(text):
    """End this process as kill -9 does."""
    os.kill(os.getpid(), signal.SIGKILL)


def sleep(text):
    """Sleep for so many seconds, and write the process id to a file for the test."""
    with open(os.path.join(FOLDER, "sleeping"), "w") as note:
        note.write(str(os.getpid()))
    time.sleep(float(text))


def raise_time_limit(text):
    """Raise TimeLimitExceeded, as Dramatiq does in a thread that is over its time limit."""
    raise sys.modules["dramatiq"].middleware.TimeLimitExceeded


def raise_shutdown(text):
    """Raise Shutdown, as Dramatiq does in a thread that must end."""
    raise sys.modules["dramatiq"].middleware.Shutdown


def is_poison(*args):
    """Return True if this order is the poison."""
    return args[-1].get("client_order_id") == POISON


# name: (module, function, when, action, condition)
POINTS = {
    "web_dies_before_commit": ("trading.orders.placement_in_steps", "accept", "after", die, None),
    "web_dies_before_send": ("actors.dispatch", "dispatch", "before", die, None),
    "worker_dies_before_commit": ("trading.execution.batch", "write_batch", "after", die, None),
    "worker_dies_before_ack": ("trading.execution.executing", "_look", "after", die, None),
    "worker_sleeps_before_commit": ("trading.execution.batch", "write_batch", "after", sleep, None),
    "worker_sleeps_before_claim": ("trading.execution.executing", "_look", "before", sleep, None),
    "time_limit_before_commit": ("trading.execution.batch", "_write_positions", "after", raise_time_limit, None),
    "time_limit_after_commit": ("trading.execution.executing", "_look", "after", raise_time_limit, None),
    "shutdown_before_commit": ("trading.execution.batch", "_write_positions", "after", raise_shutdown, None),
    "shutdown_after_commit": ("trading.execution.executing", "_look", "after", raise_shutdown, None),
    "ledger_check_sleeps": ("trading.upkeep.verify", "check_and_note", "before", sleep, None),
    "web_dies_before_quotes_commit": ("trading.matching.crossing", "match", "after", die, None),
    "web_dies_before_quotes_messages": ("api.dispatching", "execute_matched", "before", die, None),
    "worker_dies_between_looks": ("trading.execution.second_look", "look_again", "before", die, None),
    "worker_dies_while_opening": ("trading.execution.marks", "open_orders", "after", die, None),
    "worker_dies_in_expiry": ("trading.execution.ends", "save_ledgers", "after", die, None),
    "worker_dies_in_settlement": ("trading.day.settling", "update_buckets", "after", die, None),
    "worker_dies_ending_for_square_off": ("trading.execution.ends", "write_ends", "after", die, None),
    "worker_dies_placing_closing_orders": ("trading.day.closing_orders", "save_ledgers", "after", die, None),
    "worker_dies_after_closing_orders": ("trading.day.closing_orders", "place_closing_orders", "after", die, None),
    "worker_dies_before_square_off_ends": ("trading.day.square_off_rows", "finish", "before", die, None),
    "worker_dies_matching_at_close": ("trading.day.close_prices", "execute", "after", die, None),
    "worker_dies_in_release": ("trading.day.release", "execute", "after", die, None),
    "worker_dies_after_release": ("trading.day.release", "_release", "after", die, None),
    "poison_kills": ("trading.execution.filling", "fill_one", "before", die, is_poison),
}


def take(name):
    """Return the argument of an armed point, None when it is not armed; only one process gets it."""
    path = os.path.join(FOLDER, name)
    taken = f"{path}.taken.{os.getpid()}.{time.monotonic_ns()}"
    try:
        os.rename(path, taken)
    except FileNotFoundError:
        return "" if os.path.exists(f"{path}.always") else None
    with open(taken) as file:
        return file.read()


def put(module, name, function_name, when, action, condition):
    """Wrap a function of a module that has just been loaded."""
    function = getattr(module, function_name)

    def reach(args):
        if (condition is None or condition(*args)) and (text := take(name)) is not None:
            action(text)

    @functools.wraps(function)
    def wrapped(*args, **kwargs):
        if when == "before":
            reach(args)
        result = function(*args, **kwargs)
        if when == "after":
            reach(args)
        return result

    setattr(module, function_name, wrapped)


class Loader(importlib.abc.Loader):
    """A loader that loads a module as usual, then adds its fault points."""

    def __init__(self, usual):
        self.usual = usual

    def create_module(self, spec):
        """Create it as usual."""
        return self.usual.create_module(spec)

    def exec_module(self, module):
        """Run the module, then add its fault points."""
        self.usual.exec_module(module)
        for name, (module_name, *point) in POINTS.items():
            if module_name == module.__name__:
                put(module, name, *point)
        if CLOCK_OFF_S and getattr(module, "datetime", None) is datetime.datetime:
            module.datetime = WrongDatetime


class Finder(importlib.abc.MetaPathFinder):
    """A finder of the modules with fault points, and with a wrong clock of all that read the time."""

    def find_spec(self, name, path, target=None):
        """Find a module as usual, and give it our loader."""
        is_shifted = CLOCK_OFF_S and name.partition(".")[0] in PACKAGES
        if not is_shifted and name not in {point[0] for point in POINTS.values()}:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None:
            spec.loader = Loader(spec.loader)
        return spec


class AnyDatetime(type):
    """A metaclass by which every datetime is an instance of WrongDatetime."""

    def __instancecheck__(cls, value):
        """Return True if the value is a datetime."""
        return isinstance(value, datetime.datetime)


class WrongDatetime(datetime.datetime, metaclass=AnyDatetime):
    """The datetime of a module in a process whose clock is wrong."""

    @classmethod
    def now(cls, tz=None):
        """Return the shifted time."""
        return datetime.datetime.now(tz) + datetime.timedelta(seconds=CLOCK_OFF_S)


def shift_clock(seconds):
    """Shift the clock of this process."""
    now, now_ns = time.time, time.time_ns
    time.time = lambda: now() + seconds
    time.time_ns = lambda: now_ns() + int(seconds * 1e9)


def shorten_time_limit(milliseconds):
    """Shorten Dramatiq's time limit for jobs that execute orders: its exception comes at any moment of a busy one."""
    import threading

    import dramatiq.middleware.time_limit as limits

    usual, begin = limits.TimeLimit.__init__, limits.TimeLimit.before_process_message

    def watchful(self, **options):
        usual(self, **(options | {"interval": 20}))

    def begin_short(self, broker, message):
        begin(self, broker, message)
        if message.actor_name in ("execute_order", "sweep_orders"):  # a struck job of another kind is a dead letter
            self.manager.add_timeout(threading.get_ident(), milliseconds)

    limits.TimeLimit.__init__, limits.TimeLimit.before_process_message = watchful, begin_short


if FOLDER:
    sys.meta_path.insert(0, Finder())
    if CLOCK_OFF_S:
        shift_clock(CLOCK_OFF_S)
    if "TRADEPOST_TIME_LIMIT_MS" in os.environ:
        shorten_time_limit(int(os.environ["TRADEPOST_TIME_LIMIT_MS"]))
