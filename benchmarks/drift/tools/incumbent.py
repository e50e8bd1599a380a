"""The batch's profile (the reference's is stored), then the comparison of the two."""

import json
import sys
from pathlib import Path

from measured import measured

from controller.domain.layouts import Layout
from controller.domain.profiles import Profile
from controller.evidence.drift import compare_profiles
from workers.profiles import BatchData, make_layout, make_profile

reference, batch, repeats = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
stored = reference.with_suffix(".json")
if not stored.exists():
    layout = make_layout(BatchData.of(reference))
    profile = make_profile(BatchData.of(reference), layout)
    stored.write_text(json.dumps([layout.to_json(), profile.to_json()]))
    raise SystemExit
found = json.loads(stored.read_text())
layout, before = Layout.from_json(found[0]), Profile.from_json(found[1])


def work():
    return compare_profiles(layout, before, make_profile(BatchData.of(batch), layout)).verdict.value


measured(work, repeats)
