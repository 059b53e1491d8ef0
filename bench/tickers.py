"""Measure Kite's tickers: one web process, 500 connections with 200 stocks each in full mode, 1,000 quotes a second."""

import argparse
import resource
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from statistics import median

import psutil

from bench.clients import tickers
from bench.clients.load import LoadError
from bench.clients.streams import StreamError
from bench.clients.tickers import clock_ms
from bench.clients.watchers import Found
from bench.listeners import REST_RATIO_ALLOWED, Bench
from bench.live_quotes import FEEDERS, QUOTES_OF_REQUEST, SETTLE_S, Crowd, Pace, progress, share_of
from bench.parts.resting import ABOVE, RESTING_PREFIX, Feeder, quote_stocks
from bench.reports.figures import Figure
from bench.reports.page import TICKERS, report, ticked
from bench.reports.report import percentiles
from bench.seeding import ACCOUNTS, EXCHANGE, token_of
from bench.services import run_to_the_end, running
from embedded.interruption import Interruption
from trading.market.instruments import tokens_of
from trading.upkeep.verify import verify

PACKET_P99_MS, MEMORY_ALLOWED_KB, SUBSCRIBED_WITHIN_MS = 250.0, 60.0, 1_000.0
MOST_STOCKS = 3_000
# A quote's volume tells when it was sent.
PLACE_OF_VOLUME = 111_111_111


class TimedPace(Pace):
    """Sends quotes whose volume is the time."""

    def next_request(self) -> bytes:
        """Return the request that is due, with the present time."""
        return super().next_request().replace(b"%d" % PLACE_OF_VOLUME, b"%d" % clock_ms())


def _measure(bench: Bench, options: argparse.Namespace) -> list[Figure]:
    quote_stocks(stocks=MOST_STOCKS)
    keys = [f"{EXCHANGE}:{RESTING_PREFIX}{number}" for number in range(1, MOST_STOCKS + 1)]
    found_tokens = tokens_of(keys)
    instruments = [found_tokens[key] for key in keys]
    worker, crowd = psutil.Process(bench.worker_pid), Crowd(bench.services.port, tickers.serve)
    feeders = _feeders(bench, options)
    for one in feeders:
        one.start()
    bench.rest_p50_ms()  # warm up
    progress("requests beside quotes of stocks that nobody has subscribed to")
    alone = bench.rest_p50_ms()
    progress(f"{options.tickers} tickers join")
    crowd.ask("join", bench.tokens)
    crowd.ask("measure", SETTLE_S)
    idle_kb = bench.memory_kb()
    crowd.ask("subscribe", instruments[: options.stocks], options.subscribed)
    crowd.ask("measure", SETTLE_S)
    progress("packets")
    crowd.begin("measure", options.seconds)
    before_cpu, began, sent = worker.cpu_times(), time.monotonic(), sum(one.sent for one in feeders)
    found: Found = crowd.answer()
    stored = (sum(one.sent for one in feeders) - sent) * QUOTES_OF_REQUEST / (time.monotonic() - began)
    cpu, kb = share_of(worker, before_cpu, began), bench.memory_kb()
    progress("requests beside tickers")
    beside = bench.rest_p50_ms()
    progress(f"one ticker with {MOST_STOCKS:,} stocks beside them")
    whole_ms = crowd.ask("alone", token_of(ACCOUNTS), instruments)
    for one in feeders:
        one.stop()
    crowd.leave()
    memory = [(after - before) / options.tickers for after, before in zip(kb, idle_kb, strict=True)]
    rates = f"{found.ticks / options.seconds:,.0f} packets/s in all of {stored:,.0f} quotes/s"
    costs = (
        f"the web process takes {cpu:.0f} % of a core, and the clients take {100 * found.cpu_s / options.seconds:.0f} %"
    )
    return [*_figures(found, f"{rates}; {costs}", memory, whole_ms), *_beside(alone, beside)]


def _feeders(bench: Bench, options: argparse.Namespace) -> list[TimedPace]:
    """Return the feeders; each has stocks of its own, and a rate that one connection keeps."""
    feeder = Feeder(bench.services)
    rate = options.quotes / QUOTES_OF_REQUEST / FEEDERS
    requests = [
        [
            feeder.request(range(first, first + QUOTES_OF_REQUEST), ABOVE + Decimal(turn), volume=PLACE_OF_VOLUME)
            for turn in (1, 2)
            for first in range(1 + number * QUOTES_OF_REQUEST, options.stocks, FEEDERS * QUOTES_OF_REQUEST)
        ]
        for number in range(FEEDERS)
    ]
    return [TimedPace(bench.services.port, own, rate) for own in requests]


def _figures(found: Found, remarks: str, memory: list[float], whole_ms: float) -> list[Figure]:
    delays = percentiles(found.tick_delays_ms)
    told = Figure("packets", "quote sent → packet at the client, p99", "ms", [delays["p99_ms"]])
    told.remarks = (
        f"p50 {delays['p50_ms']:.0f} ms, p95 {delays['p95_ms']:.0f} ms, highest {max(found.tick_delays_ms):.0f} ms;"
        f" {remarks}"
    )
    held = Figure("subscribed_memory", "memory of a ticker's subscriptions, resident", "KB", memory[:1])
    held.remarks = f"{memory[1]:.1f} KB by its proportional share (PSS)"
    whole = Figure("whole", f"one ticker, subscription to {MOST_STOCKS:,} stocks → last first packet", "ms", [whole_ms])
    return [
        told.at_most("p99", delays["p99_ms"], PACKET_P99_MS, unit="ms"),
        held.at_most("memory", memory[0], MEMORY_ALLOWED_KB, unit="KB"),
        whole.at_most("time", whole_ms, SUBSCRIBED_WITHIN_MS, unit="ms"),
    ]


def _beside(alone: dict[str, float], beside: dict[str, float]) -> list[Figure]:
    figures = []
    for name, value in beside.items():
        title = f"p50 of {name} beside them, 1 connection"
        figure = Figure(f"ticking_{name}", title, "ms", [value], "the same quotes without tickers", [alone[name]])
        figures.append(figure.at_most("ratio", median(figure.ratios), REST_RATIO_ALLOWED))
    return figures


def _run(interruption: Interruption, options: argparse.Namespace, allowed: tuple[int, int]) -> int:
    with running(interruption, web_concurrency=1) as services:
        resource.setrlimit(resource.RLIMIT_NOFILE, allowed)
        figures = _measure(Bench(services, options), options)
        wrong = [str(violation) for violation in verify()]
    document = {
        "measured_at": datetime.now(UTC).isoformat(timespec="minutes"),
        "tickers": options.tickers,
        "subscribed": options.subscribed,
        "stocks": options.stocks,
        "quotes": options.quotes,
        "figures": [figure.as_dict() for figure in figures],
        "wrong": wrong,
    }
    return report(options.json, document, ticked(document), "the ledgers are right, and no ticker broke")


def main() -> int:
    """Run the benchmark and return 0 if no check has failed, whether or not the goals are reached."""
    options = _options()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = options.tickers + 200
    if hard != resource.RLIM_INFINITY and hard < needed:
        print(f"the limit on open files is {hard}, but the benchmark needs {needed}", file=sys.stderr)
        return 1
    allowed = (max(soft, needed), hard)
    return run_to_the_end(lambda interruption: _run(interruption, options, allowed), LoadError, StreamError)


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.tickers", description=__doc__)
    parser.add_argument("--tickers", type=int, default=500, help="number of tickers (500)")
    parser.add_argument("--subscribed", type=int, default=200, help="stocks that each subscribes to (200)")
    parser.add_argument("--stocks", type=int, default=500, help="stocks that are quoted (500)")
    parser.add_argument("--quotes", type=int, default=1_000, help="quotes per second (1000)")
    parser.add_argument("--accounts", type=int, default=500, help="accounts with tickers (500)")
    parser.add_argument("--seconds", type=float, default=15.0, help="seconds of a measurement (15)")
    parser.add_argument("--json", type=Path, metavar="FILE", default=TICKERS, help="the file for the results")
    options = parser.parse_args(arguments)
    options.listeners = options.tickers  # as bench.listeners calls them
    if min(options.tickers, options.subscribed, options.quotes, options.accounts, options.seconds) < 1:
        parser.error("every number must be at least 1")
    if options.accounts >= ACCOUNTS or options.subscribed > options.stocks or options.stocks % QUOTES_OF_REQUEST:
        parser.error(f"--accounts must be below {ACCOUNTS}, --stocks a multiple of 10 and at least --subscribed")
    return options


if __name__ == "__main__":
    sys.exit(main())
