"""One renderer for every form that ``modules.common.forms`` can describe."""

from __future__ import annotations

from client.widgets.forms.fields import RADIOS, Field, OfferChip, source_words
from client.widgets.forms.files import AttachmentField
from client.widgets.forms.lines import DateEdit, RegionEdit
from client.widgets.forms.rows import TableField
from client.widgets.forms.view import FormView
from modules.common.forms import as_date as iso_date

__all__ = [
    "RADIOS",
    "AttachmentField",
    "DateEdit",
    "Field",
    "FormView",
    "OfferChip",
    "RegionEdit",
    "TableField",
    "iso_date",
    "source_words",
]
