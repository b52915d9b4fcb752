"""The jobs of the floating-point campaign, one test each: ``make exact``."""

from __future__ import annotations

import float_campaign
import pytest


@pytest.mark.exact
@pytest.mark.parametrize("job", float_campaign.jobs(), ids=lambda job: job.name)
def test_units_are_exact(job):
    state: dict[str, dict] = {}
    cases, mismatches = float_campaign.run(job, state, lambda: None)
    assert mismatches == 0, state[job.name]["first"]
    assert cases >= job.blocks
