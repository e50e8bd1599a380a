"""The log of one story, as the deciding code of its time wrote it: newer code is held against it.

``python -m tests.support.golden > tests/unit/service/golden/code-N.json`` keeps what the present code N decides. A file
is written once, when the number is raised, and never again.
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from typing import Any

from controller.domain.canonical import to_plain
from controller.policy.decide import CODE
from tests.support.command import POLICY, Desk
from tests.support.house import UNDECIDED

ASKS = f"{POLICY}approval: {{when: inconclusive, from: [leads], count: 2, expires: 3d}}\n"
DAY = timedelta(days=1)


def story() -> Desk:
    """A champion, one that waits for two people and is approved by one, a newer one, and rules that change."""
    desk = Desk()
    house = desk.house
    house.data(30_000, "jan")
    house.work()
    desk.enforce(ASKS)
    house.data(30_000, "mar")
    house.work(UNDECIDED)
    desk.house.approve("person:ana", 2, reason="seen")
    house.data(30_000, "apr")
    house.work(UNDECIDED)
    house.clock.advance(3 * DAY)
    house.tick()
    desk.enforce(POLICY)
    house.data(30_000, "may")
    house.work(UNDECIDED)
    house.clock.advance(400 * DAY)
    desk.enforce(ASKS)
    house.tick()
    return desk


def kept() -> dict[str, Any]:
    """The story's decisions as they stand in the log, oldest first."""
    return {
        "code": CODE,
        "texts": [POLICY, ASKS],
        "records": [to_plain(record) for record in story().house.records()],
    }


if __name__ == "__main__":
    json.dump(kept(), sys.stdout, indent=0, sort_keys=True)
    sys.stdout.write("\n")
