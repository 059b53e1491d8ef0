"""The plot of the curves is an SVG with a line for each account."""

import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from trading.replay.curve import Point
from trading.replay.plot import MAX_POINTS, plot

BEGIN = datetime(2026, 11, 6, 3, 45, tzinfo=UTC)
SVG = "{http://www.w3.org/2000/svg}"


def points(count, *names):
    return [Point(BEGIN + timedelta(minutes=n), name, Decimal(1000 + n)) for n in range(count) for name in names]


def test_each_account_has_a_line_and_its_name():
    drawing = ElementTree.fromstring(plot(points(10, "alice", "<bob> & sons")))
    assert len(drawing.findall(f"{SVG}polyline")) == 2
    assert any(text.text == "<bob> & sons 1,009.00" for text in drawing.findall(f"{SVG}text"))


def test_a_long_curve_is_thinned_and_keeps_its_end():
    (line,) = ElementTree.fromstring(plot(points(5_500, "alice"))).findall(f"{SVG}polyline")
    corners = line.get("points").split()
    assert MAX_POINTS / 2 < len(corners) <= MAX_POINTS + 1
    assert "6,499.00" in plot(points(5_500, "alice"))


def test_no_points_and_a_flat_curve_are_drawn_too():
    ElementTree.fromstring(plot([]))
    ElementTree.fromstring(plot([Point(BEGIN, "alice", Decimal(0))]))
