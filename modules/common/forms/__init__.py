"""Forms as data: a JSON Schema, a layout and where values come from. Checked by the same code on both sides.

A form is ``{"schema": …, "layout": […], "fills": {…}, "offers": {…}}`` (the last two may be missing):

**schema** – an object schema of JSON Schema 2020-12. Its keys: ``type`` (``"object"``), ``properties``,
``required``, ``dependentRequired``, ``allOf`` (for ``if``/``then``), ``title``. A property's name is
``[A-Za-z_][A-Za-z0-9_]*``; every property has a Chinese ``title`` and a ``type``:

- *string, integer, number, boolean* – with ``format`` (strings only, see below), ``enum`` with ``x-labels`` (a list
  of words beside it; up to three choices are drawn side by side, more as a list), ``default``, ``description`` (a
  hint for who fills it), ``x-lines`` (height of a long text), ``minLength``, ``maxLength`` (else 500), ``minimum``,
  ``maximum``, ``pattern``, ``x-when``, ``x-compute``, ``x-kind``.
- *array of rows* – ``"items": {"type": "object", "properties": {…flat scalars as above…}, "required": […]}``,
  ``minItems``, ``maxItems`` (at most and without one 200), ``"x-table": true`` draws a grid (few short columns),
  else each row is a card of its own. A fault of a cell is addressed ``rows.0.name``.
  ``minItems`` alone makes rows (or attachments) necessary; ``required`` is not needed beside it.
- *attachment* – ``{"type": "array", "format": "attachment", "title": …}`` with ``minItems``, ``maxItems`` (at most
  50): a list of ``{"sha256", "size", "type", "name"?}``. Not inside rows.

Formats: ``resident-id`` (18 digits, also HK/Macau/Taiwan residence permits and foreigners' cards of 2023),
``hmt-permit`` (81/82/83…), ``foreigner-id`` (15 of 2017 or 18 of 2023), ``passport``, ``travel-permit``
(港澳/台湾居民来往大陆通行证), ``id-number`` (with ``"x-kind": "field"``: the field that says the kind, one of
``codes.ID_KINDS``: resident, hmt, foreigner, passport, travel, other), ``credit-code``, ``organisation-code``,
``phone`` (mobile, landline with area code, 400/800), ``mobile``, ``email``, ``postcode``, ``bank-card``, ``plate``,
``region`` (six digits of GB/T 2260; typed by name too), ``date`` (ISO), ``amount`` (text, ≤ 12 digits and 2
decimals).

``x-when`` – on a property, on a column, or on a group of the layout: one condition or a list of which all must
hold: ``{"field": name, "equals": value}``, ``{"field": name, "in": [values]}``, ``{"field": name, "filled":
true|false}``. In a column ``field`` is a column of the same row or else a field of the form. What is hidden is
neither required nor kept, and counts as empty for other conditions.

``x-compute`` – an expression (``expressions.py``: ``+ - * /``, brackets, numbers, text, comparisons, ``and or
not``, ``sum count min max concat age years days if round capitals``), such as ``"sum(rows.amount)"``, ``"area *
price"``, ``"age(birth)"``, ``"capitals(total)"``, ``"if(kind == 'firm', 100, 50)"``. Worked out on both sides,
whatever was sent; never in ``required``, no ``default``. A property of format ``amount`` gets two decimals, an
integer is rounded half up. ``age`` needs the day: whoever calls ``clean``, ``settle`` or ``validate`` gives ``today``.

**layout** – ``[{"title": …, "fields": […], "x-when": …?}]``, each property exactly once, in the order of filling.

**fills** – ``{"field": "source.key"}``, such as ``"nation": "card.nation"``: filled as soon as the source is there.

**offers** – the same shape: what is offered and never forced, such as ``"workplace": "person.workplace"``; see
``offers``. Fields with a fill are also offered what is known under the fill's path, and every field what is known
under its own name.

Codes: FORM-900 malformed, FORM-901 fields that depend on each other in a circle, FORM-902 a wrong expression.
"""

from __future__ import annotations

from modules.common.forms.faults import LONGEST, notes, validate
from modules.common.forms.grammar import (
    ATTACHMENT,
    FORMATS,
    MOST_FILES,
    MOST_ROWS,
    Form,
    check_form,
    columns,
    is_attachment,
    is_computed,
    is_table,
)
from modules.common.forms.offers import Known, Offer, offers
from modules.common.forms.values import (
    Settled,
    as_date,
    blank,
    blank_row,
    choices,
    clean,
    empty,
    fill,
    meant,
    settle,
    shown,
)

__all__ = [
    "ATTACHMENT", "FORMATS", "LONGEST", "MOST_FILES", "MOST_ROWS", "Form", "Known", "Offer", "Settled",
    "as_date", "blank", "blank_row", "check_form", "choices", "clean", "columns", "empty", "fill",
    "is_attachment", "is_computed", "is_table", "meant", "notes", "offers", "settle", "shown", "validate",
]  # fmt: skip
