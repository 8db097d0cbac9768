"""Approval: one state machine for cases, documents and vehicles, driven by a template.

Pure, over plain JSON dicts, the same on client and server. Requirements B02, B03, C32, D04, D17.
``begin`` a flow, ask what is ``offered`` to a person, ``decide`` a verb, ``evolve`` over its events::

    flow = begin(TEMPLATES["simple"], now, department={"id": "dept-market", "name": "市场监督管理局"})
    events = decide(flow, "approve", {"visit": flow["visit"], "opinion": "材料齐全"}, context)

Words. A *step* is passed when enough of its *slots* (签署位) are signed. A *visit* is one stay at a step; verbs about
the step (``ON_THE_STEP``) must name in their body the ``visit`` they were given for, so that of two who act on the same
the second is told who was first and when. A *hold* is the right to sign an open slot: by role and department (or
hall), as the named person, as somebody's delegate until a date, or acting for somebody. *Own* slots are the
template's; co-signers' slots are beside them and give an opinion. An *overseer* is a section head or leader of the
flow's own department. Nobody signs twice in one group of slots, neither himself nor through another.

How a step is passed. review: ``need`` own slots are signed, either way: it advises. decide: ``need`` own slots
approve; as soon as that cannot be reached any more, the flow is done, rejected. issue: ``need`` own slots are
approved. Own slots wait until every group of co-signers has ``k`` opinions. Behind the last step the flow is done,
approved; ``flow["result"]`` is ``approved`` already while only steps behind the last decision are left.

Bodies: approve, reject {opinion, slot?}; return_to {step, opinion}; countersign {persons: [{id, name}], completion:
one, all or k}; drop_cosigner {person}; delegate {to: {id, name}, until}; act_for {basis, slot?, person?: {id, name}};
skip, suspend, abort, void {reason}; extend {days, reason}; answer_extension {agree, opinion}; urge {text}; others {}.

| verb             | who                  | this slot           | siblings            | steps                | clock  |
|------------------|----------------------|---------------------|---------------------|----------------------|--------|
| read             | holder               | read, by and at     | –                   | –                    | –      |
| approve          | holder               | approved            | open until enough   | forward when enough  | –      |
|                  |                      |                     | sign, then dropped  | have signed          |        |
| reject           | holder; at an issue  | rejected            | as approve          | review: as approve;  | ends   |
|                  | step co-signers only |                     |                     | decide: done if lost | if lost|
| return_to        | holder of own slot   | cancelled           | cancelled; what is  | back, round + 1, all | –      |
|                  |                      |                     | signed stays so     | from there anew      |        |
| take_back        | sender, while nobody | cancelled           | cancelled           | the one before, with | –      |
|                  | has read it          |                     |                     | slots as they were   |        |
| countersign      | holder of own slot   | read; waits         | co-signers open     | –                    | –      |
| drop_cosigner    | who asked, if unread;| removed             | need falls to as    | –                    | –      |
|                  | overseer always      |                     | many as are left    |                      |        |
| delegate         | holder as himself    | held by both until  | –                   | both hold later ones | –      |
|                  |                      | that day            |                     | too                  |        |
| undelegate       | who delegated        | held by him alone   | –                   | –                    | –      |
| act_for          | officer, head, leader| read; held by both; | –                   | –                    | –      |
|                  | of the department, if| signed as "A 代 B"  |                     |                      |        |
|                  | the step allows      |                     |                     |                      |        |
| skip             | own holder, sender,  | skipped             | skipped             | forward; never where | –      |
|                  | overseer             |                     |                     | mandatory            |        |
| suspend          | own holder, overseer | stays, frozen       | stay, frozen        | –                    | stops  |
| resume           | own holder, overseer | as it was           | as they were        | –                    | runs   |
| extend           | own holder, overseer | –                   | –                   | –                    | –      |
| answer_extension | overseer, own holder | –                   | –                   | –                    | + days |
|                  | at a decide step; not|                     |                     |                      | if     |
|                  | who asked            |                     |                     |                      | agreed |
| abort            | own holder, overseer | cancelled           | cancelled           | the flow ends        | ends   |
| void             | overseer             | cancelled           | cancelled           | the flow ends        | ends   |
| urge             | overseer, hall staff,| –                   | –                   | –                    | –      |
|                  | who took part; once a|                     |                     |                      |        |
|                  | minute; no holder    |                     |                     |                      |        |

While suspended only resume, abort, void and urge are taken; after the end nothing is. The clock also stands in steps
with ``bound: false``: ``pauses`` gives all spans. A request to extend lapses with the end of the flow.

A delegation is ``{from: {id, name, roles, department_id, hall_id}, to: {id, name}, since, until, state}``: inside the
flow (``delegate``), or a standing record of kind ``delegation`` (``modules.common.delegations``) in ``context.refs``.

Events (``EVENTS``): ``flow.read``, ``.signed``, ``.moved``, ``.finished``, ``.cosigners_added``, ``.cosigner_dropped``,
``.acting``, ``.delegated``, ``.undelegated``, ``.suspended``, ``.resumed``, ``.extension_asked``,
``.extension_answered`` (``agree``, ``days``: the owner moves its term and monitoring point), ``.urged``. Every body has
``at`` (ISO), ``by`` ``{id, name}``, ``text`` (Chinese, for the record). A signature that passes the step is followed by
``flow.moved`` or ``flow.finished`` in the same list.
"""

from __future__ import annotations

from modules.common.workflow.flow import (
    ABORTED,
    APPROVED,
    DONE,
    EVENTS,
    REJECTED,
    RUNNING,
    STATUSES,
    SUSPENDED,
    VOID,
    Flow,
    begin,
    current,
    earlier_steps,
    evolve,
    holders,
    open_slots,
    pauses,
    progress,
    step_of,
    who_name,
)
from modules.common.workflow.gates import WHILE_SUSPENDED
from modules.common.workflow.templates import DECIDE, ISSUE, REVIEW, TEMPLATES, Template, Unit, check_template
from modules.common.workflow.verbs import ON_THE_STEP, VERBS, Offer, decide, offered, waits_for
from modules.common.workflow.view import DELEGATION_KIND, ending_name, principal, verb_name

__all__ = [
    "ABORTED",
    "APPROVED",
    "DECIDE",
    "DELEGATION_KIND",
    "DONE",
    "EVENTS",
    "ISSUE",
    "ON_THE_STEP",
    "REJECTED",
    "REVIEW",
    "RUNNING",
    "STATUSES",
    "SUSPENDED",
    "TEMPLATES",
    "VERBS",
    "VOID",
    "WHILE_SUSPENDED",
    "Flow",
    "Offer",
    "Template",
    "Unit",
    "begin",
    "check_template",
    "current",
    "decide",
    "earlier_steps",
    "ending_name",
    "evolve",
    "holders",
    "offered",
    "open_slots",
    "pauses",
    "principal",
    "progress",
    "step_of",
    "verb_name",
    "waits_for",
    "who_name",
]
