"""What an identity card says, as the ``card.…`` fills of forms know it."""

from __future__ import annotations

from typing import Any

from devices.ports import IdentityRecord

_ID_TYPES = {"resident": "resident", "hmt": "hmt", "foreigner2017": "foreigner", "foreigner2023": "foreigner"}


def card_values(record: IdentityRecord) -> dict[str, Any]:
    """The card's values by key; dates as ISO text, what the card does not say is empty."""
    return {
        "name": record.name,
        "id_type": _ID_TYPES.get(record.kind, "other"),
        "id_number": record.id_number,
        "sex": record.sex,
        "birth": record.birth.isoformat() if record.birth else "",
        "nation": record.nation,
        "address": record.address,
        "issuer": record.issuer,
        "valid_from": record.valid_from.isoformat() if record.valid_from else "",
        "valid_to": record.valid_to.isoformat() if record.valid_to else "",
    }
