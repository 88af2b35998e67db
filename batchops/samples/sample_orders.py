"""Made-up sales orders: the place of an order gives its key, and the key everything else.

So a larger sample begins with the orders of a smaller one, and reference data for M orders serves
every sample of up to M.
"""

import struct
from datetime import date, timedelta
from hashlib import blake2b
from typing import NamedTuple

KEY = "uuid"
COLUMNS = (
    KEY,
    "Country",
    "Item Type",
    "Sales Channel",
    "Order Priority",
    "Order Date",
    "Region",
    "Ship Date",
)
ENRICHMENT = (
    "Units Sold",
    "Unit Price",
    "Unit Cost",
    "Total Revenue",
    "Total Cost",
    "Total Profit",
)

KEY_SPACE = 10**9


class _Item(NamedTuple):
    name: str
    price_cents: int
    cost_cents: int
    largest_order: int
    share: int


# The margin of fruits is so small that the discount turns the largest orders into a loss.
_ITEMS = (
    _Item("Baby Food", 24_950, 15_920, 6_000, 6),
    _Item("Beverages", 4_785, 3_130, 10_000, 14),
    _Item("Cereal", 19_840, 11_565, 8_000, 8),
    _Item("Clothes", 10_990, 3_655, 7_000, 12),
    _Item("Cosmetics", 43_520, 26_145, 4_000, 7),
    _Item("Fruits", 945, 850, 10_000, 11),
    _Item("Household", 66_275, 49_990, 5_000, 7),
    _Item("Meat", 41_860, 36_115, 6_000, 5),
    _Item("Office Supplies", 64_930, 52_340, 5_000, 8),
    _Item("Personal Care", 8_265, 5_710, 9_000, 9),
    _Item("Snacks", 15_235, 9_805, 9_000, 9),
    _Item("Vegetables", 15_410, 9_150, 8_000, 4),
)
_ITEM_PICKS = tuple(item for item in _ITEMS for _ in range(item.share))
_DISCOUNTS = ((8_000, 12), (5_000, 8), (2_000, 4), (0, 0))  # units from, percent off

_MENA = "Middle East and North Africa"
_CARIBBEAN = "Central America and the Caribbean"
_COUNTRIES_BY_REGION = {
    "Asia": "China|India|Indonesia|Japan|Malaysia|Mongolia|Thailand|Vietnam",
    "Australia and Oceania": "Australia|Fiji|New Zealand|Samoa",
    _CARIBBEAN: "Costa Rica|Cuba|Guatemala|Honduras|Jamaica|Panama",
    "Europe": "Austria|France|Germany|Greece|Italy|Norway|Poland|Portugal|Spain|United Kingdom",
    _MENA: "Egypt|Israel|Jordan|Lebanon|Morocco|Tunisia",
    "North America": "Canada|Greenland|Mexico|United States of America",
    "Sub-Saharan Africa": "Ghana|Kenya|Namibia|Nigeria|Rwanda|Senegal|South Africa|Zambia",
}
_PLACES = tuple(
    (country, region)
    for region, countries in _COUNTRIES_BY_REGION.items()
    for country in countries.split("|")
)
# Valid, although they have commas, quotes, letters beyond ASCII, newlines inside a field.
_AWKWARD_PLACES = (
    ("Korea, Republic of", "Asia"),
    ("Tanzania, United Republic of", "Sub-Saharan Africa"),
    ('Myanmar ("Burma")', "Asia"),
    ("Côte d'Ivoire", "Sub-Saharan Africa"),
    ("Türkiye", _MENA),
    ("Curaçao", _CARIBBEAN),
    ("Kuwait", "Middle East\nand North Africa"),
    ("Tonga", "Australia\nand Oceania"),
)
_AWKWARD_ONE_IN = 32

_FIRST_DAY = date(2010, 1, 1)
_LAST_DAY = date(2017, 12, 31)
_MONTH_WEIGHTS = (3, 3, 4, 4, 5, 5, 4, 3, 5, 6, 8, 9)  # orders peak before the year ends
_LONGEST_SHIPPING_DAYS = {"C": 10, "H": 20, "M": 35, "L": 50}
_PRIORITY_PICKS = "CHHMMMMLLL"


def _date_text(days: int) -> str:
    day = _FIRST_DAY + timedelta(days=days)
    return f"{day.month}/{day.day}/{day.year % 100:02}"


_ORDER_DAYS = (_LAST_DAY - _FIRST_DAY).days + 1
_DATE_TEXTS = tuple(_date_text(days) for days in range(_ORDER_DAYS + 50))
_DAY_PICKS = tuple(
    days
    for days in range(_ORDER_DAYS)
    for _ in range(_MONTH_WEIGHTS[(_FIRST_DAY + timedelta(days=days)).month - 1])
)


def key_at(place: int) -> str:
    """Return the key of the row at `place` (from 0); no key comes twice below 10^9."""
    # Coprime multiplier and modulus make this a permutation of the nine-digit numbers.
    return f"{(place * 618_033_989 + 271_828_183) % KEY_SPACE:09}"


class _Draws(NamedTuple):
    """The numbers below 2^32 that decide everything about the order with one key."""

    place: int
    item: int
    channel: int
    priority: int
    day: int
    shipping: int
    size: int
    scale: int

    def choose_item(self) -> _Item:
        return _ITEM_PICKS[self.item % len(_ITEM_PICKS)]

    def is_online(self) -> bool:
        return self.channel % 5 < 3


_unpack_draws = struct.Struct("<8I").unpack


def _draw(key: str) -> _Draws:
    return _Draws._make(_unpack_draws(blake2b(key.encode(), digest_size=32).digest()))


def order_fields(key: str) -> list[str]:
    """Return the fields of the order with this key, as `COLUMNS` names them."""
    draws = _draw(key)
    awkward, pick = draws.place % _AWKWARD_ONE_IN == 0, draws.place // _AWKWARD_ONE_IN
    places = _AWKWARD_PLACES if awkward else _PLACES
    country, region = places[pick % len(places)]
    priority = _PRIORITY_PICKS[draws.priority % len(_PRIORITY_PICKS)]
    ordered = _DAY_PICKS[draws.day % len(_DAY_PICKS)]
    shipped = ordered + draws.shipping % (_LONGEST_SHIPPING_DAYS[priority] + 1)
    item = draws.choose_item().name
    channel = "Online" if draws.is_online() else "Offline"
    dates = _DATE_TEXTS[ordered], _DATE_TEXTS[shipped]
    return [key, country, item, channel, priority, dates[0], region, dates[1]]


def enrichment(key: str) -> list[str]:
    """Return what the reference data has for this key, as `ENRICHMENT` names it."""
    draws = _draw(key)
    item = draws.choose_item()
    largest = item.largest_order // 4 if draws.is_online() else item.largest_order
    # The product of two even draws is skewed: many small orders, few large ones.
    units = 1 + (draws.size * draws.scale * largest >> 64)
    percent_off = next(percent for least, percent in _DISCOUNTS if units >= least)
    price = item.price_cents * (100 - percent_off) // 100
    revenue, cost = units * price, units * item.cost_cents
    amounts = (price, item.cost_cents, revenue, cost, revenue - cost)
    # Cents are exact; dividing by 100 for the text errs by far less than half a cent.
    return [str(units), *(f"{cents / 100:.2f}" for cents in amounts)]
