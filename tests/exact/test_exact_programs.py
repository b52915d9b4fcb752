"""The processor cannot be hung or led astray by a program, an image or a DRAM: it ends, says why, and goes on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from program_campaign import Campaign
from small_processor import small_config

from sevedo.gen.config.instructions import Error
from sevedo.gen.host.run import RtlProcessor

SHORT, LONG = 200, 10_000
GOOD_EVERY = 10
"""After so many bad programs a good one must run right."""


@pytest.fixture(scope="module")
def campaign() -> Iterator[Campaign]:
    config = small_config()
    found = Campaign.on(config, RtlProcessor.build(config).executable)
    yield found
    found.process.close()


def check_programs(campaign: Campaign, first: int, count: int) -> None:
    """Programs by their numbers; a failure names its number."""
    campaign.outcomes.clear()
    for seed in range(first, first + count):
        try:
            campaign.bad(seed)
            if seed % GOOD_EVERY == 0:
                campaign.run_good(seed)
        except AssertionError as error:
            raise AssertionError(f"program {seed}: {error}") from error
    print(dict(campaign.outcomes))
    # The cases are of all kinds: most go wrong, in every way, and some do not.
    assert campaign.outcomes.total() == count
    assert campaign.outcomes["DONE"] >= count // 50
    likely = {Error.ILLEGAL, Error.RANGE, Error.TOKEN_MISSING, Error.STALL}
    assert {error.name for error in (Error if count >= LONG else likely)} - {"NONE"} <= set(campaign.outcomes)


def test_bad_programs(campaign):
    check_programs(campaign, 0, SHORT)


@pytest.mark.exact
def test_many_bad_programs(campaign):
    check_programs(campaign, SHORT, LONG)
