"""What the person base (人员库、企业库) knows, asked of the server: offered with its source, never forced. A16.

Every question is on record at the server, with who asked. Without the network there is nothing to offer.
"""

from __future__ import annotations

from client.kernel.ports import Server
from modules.common.errors import GovDeskError
from modules.common.forms import Known
from modules.common.text import tr

PERSON, FIRM = "person", "firm"
PATH = "/v1/m/acceptance/base"
_OWN = ("id", "id_type", "id_number", "credit_code", "source", "history", "state")
"""What identifies the person, or belongs to the record and not to the person."""


def known_of(server: Server, kind: str, number: str) -> list[Known]:
    """What the base says of a person or a firm, under ``person.…`` or ``firm.…``; on lane ``net``.

    A person's phone and address are also the applicant's. Raises what the server refuses; being offline is no fault.
    """
    try:
        answer = server.get(PATH, kind=kind, number=number)
    except GovDeskError as error:
        if error.code.startswith("NET-"):
            return []
        raise
    if not answer["found"]:
        return []
    source = tr("人员库") if kind == PERSON else tr("企业库")
    known = []
    for key, value in answer["values"].items():
        if key not in _OWN and value not in (None, "", [], {}):
            known.append(Known(f"{kind}.{key}", value, source))
            if kind == PERSON and key in ("phone", "address"):
                known.append(Known(f"applicant.{key}", value, source))
    return known
