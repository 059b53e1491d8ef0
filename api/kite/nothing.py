"""Answers for the parts of Kite that this service does not offer: those of an account that has none of it."""

import flask
from flask import Response, request

from runtime.kite_paths import PREFIX

from .authentication import requires
from .envelope import KiteRefusal, success

blueprint = flask.Blueprint("kite_nothing", __name__, url_prefix="/kite")

LISTS = (
    "/gtt/triggers",
    "/alerts",
    "/mf/orders",
    "/mf/sips",
    "/mf/holdings",
    "/portfolio/holdings/auctions",
)
# The part of the path after which a thing is named, and the words for the thing.
THINGS = {
    "/gtt/triggers": "GTT trigger",
    "/alerts": "alert",
    "/mf/orders": "mutual fund order",
    "/mf/sips": "mutual fund SIP",
}
MF_INSTRUMENTS = (
    "tradingsymbol,amc,name,purchase_allowed,redemption_allowed,minimum_purchase_amount,purchase_amount_multiplier,"
    "minimum_additional_purchase_amount,minimum_redemption_quantity,redemption_quantity_multiplier,dividend_type,"
    "scheme_type,plan,settlement_type,last_price,last_price_date"
)


@requires("read")
def list_nothing() -> Response:
    """List the things of a kind that is not offered: there are none."""
    return success([])


@requires("trade")
def refuse_thing() -> Response:
    """Refuse to make a thing of a kind that is not offered."""
    raise KiteRefusal("InputException", f"This service does not offer {_kind()}s yet.", code="not_offered")


@requires("read")
def miss_thing(thing: str) -> Response:
    """Say that there is no such thing of a kind that is not offered."""
    del thing
    raise _missing(_kind())


@requires("trade")
def change_thing(thing: str) -> Response:
    """Say that there is no such thing of a kind that is not offered, so that it cannot be changed."""
    del thing
    raise _missing(_kind())


@blueprint.get("/alerts/<thing>/history")
@requires("read")
def alert_history(thing: str) -> Response:
    """Say that there is no such alert."""
    del thing
    raise _missing("alert")


@blueprint.get("/mf/instruments")
def mf_instruments() -> Response:
    """List the mutual funds: the header of the list alone."""
    return Response(f"{MF_INSTRUMENTS}\r\n", content_type="text/csv")


@blueprint.get("/instruments/trigger_range/<side>")
@requires("read")
def trigger_range(side: str) -> Response:
    """Read the range of triggers of cover orders: there are none."""
    del side
    return success({})


def _kind() -> str:
    """Return the words for the kind of the thing that the path names."""
    return next(name for path, name in THINGS.items() if request.path.startswith(PREFIX + path))


def _missing(kind: str) -> KiteRefusal:
    return KiteRefusal("GeneralException", f"There is no such {kind}.", 404)


for _path in LISTS:
    blueprint.add_url_rule(_path, view_func=list_nothing, methods=["GET"])
for _path in THINGS:
    blueprint.add_url_rule(_path, view_func=refuse_thing, methods=["POST"])
    blueprint.add_url_rule(f"{_path}/<thing>", view_func=miss_thing, methods=["GET"])
    blueprint.add_url_rule(f"{_path}/<thing>", view_func=change_thing, methods=["PUT", "DELETE"])
