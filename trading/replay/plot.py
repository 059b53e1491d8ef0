"""The plot of the accounts' curves as an SVG, the same bytes for the same points."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from html import escape

from trading.replay.curve import Point
from trading.rules.sessions import indian_day

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 960, 420, 110, 170, 30, 50
MAX_POINTS, GRID_LINES, MAX_LABELS, MAX_NAMES = 1_000, 5, 8, 16
# Colours that people with colour blindness can tell apart (Okabe and Ito, 2008).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def plot(points: Sequence[Point]) -> str:
    """Return the curves of all accounts; the minutes without a point take no width, as between two days."""
    moments = _thinned(sorted({point.at for point in points}))
    places = {at: index for index, at in enumerate(moments)}
    curves: dict[str, list[tuple[int, Decimal]]] = {}
    for point in points:
        if point.at in places:
            curves.setdefault(point.account, []).append((places[point.at], point.equity))
    worths = [worth for curve in curves.values() for _, worth in curve]
    low, high = (min(worths), max(worths)) if worths else (Decimal(0), Decimal(0))
    frame = _Frame(max(len(moments) - 1, 1), low, high)
    parts = [*_grid(frame), *_days(frame, moments), *_lines(frame, curves)]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
        ' font-size="12">\n<title>Worth of the accounts in rupees</title>\n<rect width="100%" height="100%"'
        ' fill="white"/>\n'
    )
    return head + "\n".join(parts) + "\n</svg>\n"


class _Frame:
    """The scales of the plot."""

    def __init__(self, last: int, low: Decimal, high: Decimal) -> None:
        margin = (high - low) / 20 or max(abs(high) / 100, Decimal(1))
        self.last, self.low, self.high = last, low - margin, high + margin

    def x(self, place: int) -> str:
        return f"{LEFT + (WIDTH - LEFT - RIGHT) * place / self.last:.1f}"

    def y(self, worth: Decimal) -> str:
        share = float((worth - self.low) / (self.high - self.low))
        return f"{HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share:.1f}"


def _thinned(moments: list[datetime]) -> list[datetime]:
    step = -(-len(moments) // MAX_POINTS) or 1
    kept = moments[::step]
    return kept if not moments or kept[-1] == moments[-1] else [*kept, moments[-1]]


def _grid(frame: _Frame) -> list[str]:
    parts = []
    for line in range(GRID_LINES):
        worth = frame.low + (frame.high - frame.low) * line / (GRID_LINES - 1)
        y = frame.y(worth)
        parts.append(f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y}" text-anchor="end" dominant-baseline="middle">{worth:,.2f}</text>')
    return parts


def _days(frame: _Frame, moments: list[datetime]) -> list[str]:
    """Return a label at the first point of each day, or of every few days."""
    firsts: dict[date, int] = {}
    for place, at in enumerate(moments):
        firsts.setdefault(indian_day(at), place)
    step = -(-len(firsts) // MAX_LABELS) or 1
    parts = []
    for day, place in list(firsts.items())[::step]:
        x = frame.x(place)
        parts.append(f'<path d="M{x} {TOP}V{HEIGHT - BOTTOM}" stroke="#eee"/>')
        parts.append(f'<text x="{x}" y="{HEIGHT - BOTTOM + 18}">{day}</text>')
    return parts


def _lines(frame: _Frame, curves: dict[str, list[tuple[int, Decimal]]]) -> list[str]:
    parts = []
    for number, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        corners = " ".join(f"{frame.x(place)},{frame.y(worth)}" for place, worth in curve)
        parts.append(f'<polyline points="{corners}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        if number < MAX_NAMES:
            y = TOP + 12 + 20 * number
            text = f"{name} {curve[-1][1]:,.2f}"
            parts.append(f'<text x="{WIDTH - RIGHT + 10}" y="{y}" fill="{colour}">{escape(text)}</text>')
    return parts
