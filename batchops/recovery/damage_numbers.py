"""Find what spreadsheets and pandas do to numbers: lost zeros and digits, other forms."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from decimal import Decimal

from batchops.inspection.cell_readings import EXACT, numbers

_GROUPS = re.compile(r"[0-9]{1,3}(?:[.,][0-9]{3})+")


def number_kinds(old: str, new: str) -> Iterator[str]:
    """Yield the kinds of damage of a change if both texts may be one number; see `damage`."""
    before, after = numbers(old), numbers(new)
    same = [(before[number], after[number]) for number in before.keys() & after.keys()]
    if same:
        yield from _forms(old, new, regrouped=all(one != other for one, other in same))
    elif any(_is_less_exact(one, other) for one in before for other in after):
        yield "digits-lost"
        if _leads(old) and not _leads(new):
            yield "leading-zeros"


def _forms(old: str, new: str, *, regrouped: bool) -> Iterator[str]:
    """Yield in what the forms of the same number differ."""
    leads = _leads(old) and not _leads(new)
    trails = _trails(old) != _trails(new) and bool(_trails(old))
    if leads:
        yield "leading-zeros"
    if trails and not (regrouped and _GROUPS.fullmatch(old)):
        yield "trailing-zeros"
    if regrouped:
        yield "thousands-separators"
    # Spreadsheets do not add zeros in front: somebody has put them back.
    elif not (leads or trails) and not (_leads(new) and new.lstrip("0") == old.lstrip("0")):
        yield "number-format"


def _leads(text: str) -> bool:
    return re.match(r"[+-]?0[0-9]", text) is not None


def _trails(text: str) -> str:
    """Return the zeros at the end of the decimals, with the point if nothing else follows it."""
    found = re.search(r"(?:(?<=[1-9])|[.,])0*(?=[^0-9]*$|[eE])", text)
    return found[0] if found and re.search(r"[.,]", text[: found.end()]) else ""


def _is_less_exact(before: Decimal, after: Decimal) -> bool:
    """Return whether a number is another one with fewer digits, or as floats keep it."""
    if not before.is_finite():
        return False
    if not after.is_finite():
        return abs(float(before)) == float("inf")
    if not before or (after and (before < 0) != (after < 0)):
        return False
    apart = EXACT.abs(EXACT.subtract(before, after))
    # Spreadsheets keep 15 digits, floats of 64 bits a little more.
    if apart <= EXACT.abs(EXACT.multiply(before, Decimal("1E-14"))):
        return True
    unit = EXACT.scaleb(Decimal(1), int(after.as_tuple().exponent))
    if apart < unit and _digits(before) > _digits(after):
        return True
    # Floats of 32 bits keep seven digits, and show more.
    single = _as_float32(before)
    return (
        single is not None
        and _digits(after) >= 7
        and (EXACT.abs(EXACT.subtract(single, after)) < unit)
    )


def _digits(number: Decimal) -> int:
    """Return how many digits a number has without zeros at its ends."""
    return len("".join(map(str, number.as_tuple().digits)).strip("0"))


def _as_float32(number: Decimal) -> Decimal | None:
    try:
        return Decimal(struct.unpack("f", struct.pack("f", float(number)))[0])
    except OverflowError:
        return None
