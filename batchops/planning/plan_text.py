"""A plan as text, as HTML and as plain values."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from batchops.planning.aws_facts import priced_at
from batchops.planning.cost import NOT_COUNTED
from batchops.planning.limits import NEAR, ROWS
from batchops.show import markup
from batchops.show.numbers import number_text, rough_duration, share_text, usd_text

if TYPE_CHECKING:
    from batchops.planning.plan import Plan

# As many broken rules, columns and limits stand in the text; the HTML form has more, the dict all.
_SHOWN = 5
_SHOWN_HTML = 50
# A share of rejected rows that looks like a mistake in the file as a whole.
_MANY_REJECTED = 0.2
# What another chunk size must save to be worth a line: a share, and that in USD or seconds.
_WORTH_SAVING = 0.2
_WORTH_USD = 0.01
_WORTH_S = 60


def warnings(plan: Plan) -> tuple[str, ...]:
    """Return what is worth a look before a file is submitted."""
    found = [
        f"{'beyond' if limit.share > 1 else 'near'} a limit: {limit}"
        for limit in plan.limits
        if limit.share >= NEAR and not limit.fatal and limit.name != ROWS
    ]
    if plan.rows and plan.rejected >= _MANY_REJECTED * plan.rows:
        found.append(f"{share_text(plan.rejected / plan.rows)} of the rows would be rejected")
    if plan.extra:
        found.append(f"columns that the schema does not know pass through: {_names(plan.extra)}")
    saving = _saving(plan)
    if saving:
        found.append(saving)
    return tuple(found)


def _saving(plan: Plan) -> str:
    """Return what the suggested chunk size saves, if that is worth it."""
    by_size = {option.chunk_rows: option for option in plan.options}
    now, then = by_size.get(plan.chunk_rows), by_size.get(plan.suggested_chunk_rows)
    if then is None or now == then:
        return ""
    text = (
        f"FileChunkSize={then.chunk_rows} would take {_count(then.chunks, 'chunk')}, "
        f"{usd_text(then.usd)} and {rough_duration(then.low_s)} to {rough_duration(then.high_s)}"
    )
    if now is None:
        return text
    cheaper = now.usd - then.usd > max(_WORTH_SAVING * now.usd, _WORTH_USD)
    faster = now.high_s - then.high_s > max(_WORTH_SAVING * now.high_s, _WORTH_S)
    return text if cheaper or faster else ""


def as_text(plan: Plan) -> str:
    """Return a plan as lines for a terminal."""
    lines = [_headline(plan), f"columns: {_columns(plan)}"]
    lines += [f"CANNOT SUCCEED: {obstacle}" for obstacle in plan.obstacles]
    lines.append(f"rejected: {_rejected(plan)}")
    lines += [
        f"  {rule.rows:,} {rule.stage}: {rule.column or 'row'} {rule.rule}, "
        f"first in row {rule.source_row:,}"
        for rule in plan.rules[:_SHOWN]
    ]
    if len(plan.rules) > _SHOWN:
        lines.append(f"  and {_count(len(plan.rules) - _SHOWN, 'rule')} more")
    if plan.limits:
        near = ", ".join(f"{each.name} {share_text(each.share)}" for each in plan.limits[:3])
        lines.append(f"nearest limits: {near}")
    if plan.cost and plan.duration:
        lines.append(f"cost: {plan.cost}")
        lines.append(f"time on AWS: {plan.duration} (assumed, not measured there)")
    lines += [f"note: {warning}" for warning in plan.warnings]
    return "\n".join(_printable(line) for line in lines)


def _headline(plan: Plan) -> str:
    blank = f" and {_count(plan.blank_lines, 'blank line')}" if plan.blank_lines else ""
    read = " before it is refused" if plan.refusal and not plan.limits else ""
    return (
        f"{plan.name}: {_count(plan.size_bytes, 'byte')}, {_count(plan.rows, 'row')}{blank}{read}, "
        f"{_count(plan.chunks, 'chunk')} of at most {_count(plan.chunk_rows, 'row')}"
    )


def _columns(plan: Plan) -> str:
    if not plan.columns:
        return "no header was found"
    found = len(plan.columns) - len(plan.extra)
    text = f"{found} of the schema"
    if plan.extra:
        text += f", {len(plan.extra)} more"
    if plan.missing:
        text += f"; missing: {_names(plan.missing)}"
    return text


def _rejected(plan: Plan) -> str:
    share = f" ({share_text(plan.rejected / plan.rows)})" if plan.rows else ""
    keys = "" if plan.keys_checked else "; keys not looked up"
    return f"{_count(plan.rejected, 'row')}{share}, {_count(plan.errors, 'error')}{keys}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _names(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(repr(name[:60]) for name in names[:_SHOWN]) + more


def _printable(line: str) -> str:
    """Show control characters, which a file's names may hold, instead of sending them."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)


def as_html(plan: Plan) -> str:
    """Return a plan as tables for a notebook."""
    rules = [
        (f"{r.rows:,}", r.stage, r.column, r.rule, f"{r.source_row:,}", r.message)
        for r in plan.rules[:_SHOWN_HTML]
    ]
    sizes = [
        (
            f"{o.chunk_rows:,}" + (" (now)" if o.chunk_rows == plan.chunk_rows else ""),
            f"{o.chunks:,}",
            usd_text(o.usd),
            f"{rough_duration(o.low_s)} to {rough_duration(o.high_s)}",
        )
        for o in plan.options
    ]
    near = [
        (
            each.name,
            f"{number_text(each.value)} {each.unit}",
            number_text(each.limit),
            share_text(each.share),
            each.says,
        )
        for each in plan.limits
    ]
    parts = [
        markup.paragraph(_headline(plan)),
        markup.paragraph(f"Columns: {_columns(plan)}. Rejected: {_rejected(plan)}."),
        markup.bullets(f"cannot succeed: {obstacle}" for obstacle in plan.obstacles),
        markup.bullets(plan.warnings),
        markup.table(("rows", "stage", "column", "rule", "first row", "message"), rules),
    ]
    if plan.cost and plan.duration:
        cost = markup.paragraph(
            f"Cost on AWS: {usd_text(plan.cost.total_usd)}. Time there: {plan.duration}; assumed, "
            "not measured."
        )
        parts += [cost, markup.folded("the cost by service", plan.cost._repr_html_())]
    limits = markup.table(("limit", "takes", "of", "share", "what it is"), near)
    options = markup.table(("rows a chunk", "chunks", "cost", "time on AWS"), sizes)
    nearest = f"limits, the nearest: {near[0][0]}, {near[0][3]}" if near else ""
    parts += [markup.folded(nearest, limits), markup.folded("other chunk sizes", options)]
    return "".join(parts)


def as_dict(plan: Plan) -> dict[str, Any]:
    """Return a plan as plain values; the keys are stable."""
    return {
        "name": plan.name,
        "size_bytes": plan.size_bytes,
        "rows": plan.rows,
        "blank_lines": plan.blank_lines,
        "columns": list(plan.columns),
        "missing": list(plan.missing),
        "extra": list(plan.extra),
        "chunks": plan.chunks,
        "chunk_rows": plan.chunk_rows,
        "suggested_chunk_rows": plan.suggested_chunk_rows,
        "max_concurrency": plan.max_concurrency,
        "rejected": plan.rejected,
        "errors": plan.errors,
        "rules": [asdict(rule) for rule in plan.rules],
        "keys_checked": plan.keys_checked,
        "refusal": asdict(plan.refusal) if plan.refusal else None,
        "can_succeed": plan.can_succeed,
        "obstacles": list(plan.obstacles),
        "warnings": list(plan.warnings),
        "limits": [limit.to_dict() for limit in plan.limits],
        "options": [asdict(option) for option in plan.options],
        "cost": plan.cost.to_dict() if plan.cost else None,
        "duration": asdict(plan.duration) if plan.duration else None,
        "basis": f"estimate, {priced_at()}; not measured on AWS; not counted: {NOT_COUNTED}",
    }
