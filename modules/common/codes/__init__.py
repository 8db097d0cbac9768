"""Numbers that identify people, organisations, places and things: how they are built, and what is wrong with one.

Every check returns a ``Refusal`` whose sentence says where to look, or None. Input as people type it
(full-width digits, spaces, a lower-case x) is normalised first by ``normalise``.
"""

from __future__ import annotations

from modules.common.codes.amounts import amount_in_capitals
from modules.common.codes.organisations import (
    CreditCode,
    check_credit_code,
    check_organisation_code,
    credit_check_digit,
    organisation_check_digit,
    read_credit_code,
)
from modules.common.codes.people import (
    ID_KINDS,
    ForeignerId,
    ResidentId,
    birthplace,
    check_foreigner_id,
    check_hmt_permit,
    check_id,
    check_passport,
    check_resident_id,
    check_travel_permit,
    is_chinese_passport,
    read_foreigner_id,
    read_resident_id,
    resident_check_digit,
    upgraded,
)
from modules.common.codes.reaching import (
    check_bank_card,
    check_email,
    check_mobile,
    check_phone,
    check_plate,
    check_postcode,
    luhn_check_digit,
)
from modules.common.codes.regions import (
    Region,
    check_region,
    find_regions,
    region,
    region_code,
    region_name,
    region_note,
)
from modules.common.codes.typed import masked, normalise

__all__ = [
    "ID_KINDS", "CreditCode", "ForeignerId", "Region", "ResidentId", "amount_in_capitals", "birthplace",
    "check_bank_card", "check_credit_code", "check_email", "check_foreigner_id", "check_hmt_permit", "check_id",
    "check_mobile", "check_organisation_code", "check_passport", "check_phone", "check_plate", "check_postcode",
    "check_region", "check_resident_id", "check_travel_permit", "credit_check_digit", "find_regions",
    "is_chinese_passport", "luhn_check_digit", "masked", "normalise", "organisation_check_digit",
    "read_credit_code", "read_foreigner_id", "read_resident_id", "region", "region_code", "region_name",
    "region_note", "resident_check_digit", "upgraded",
]  # fmt: skip
