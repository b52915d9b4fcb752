"""The boards."""

from __future__ import annotations

from .board import ARRAY, PROCESSOR, Board

# Sources: Lattice FPGA-DS-02012 (ECP5) and FPGA-DS-02008 (iCE40 UltraPlus), Gowin DS117 (GW1NR) and DS226 (GW2AR/GW2A).
_ECP5_85 = {"luts": 83_640, "dsps": 156, "block_rams": 208}
_ECP5_45 = {"luts": 43_848, "dsps": 72, "block_rams": 108}
_ECP5_25 = {"luts": 24_288, "dsps": 28, "block_rams": 56}
_UP5K = {"luts": 5_280, "dsps": 8, "block_rams": 30, "large_rams": 4}
_GW1N_9 = {"luts": 8_640, "dsps": 20, "block_rams": 26}
_GW2A_18 = {"luts": 20_736, "dsps": 48, "block_rams": 46}


def _ulx3s(size: str, resources: dict[str, int], memory_kib: int, preset: str) -> Board:
    return Board(
        name=f"ulx3s-{size.lower()}",
        title=f"ULX3S with LFE5U-{size}",
        module="ulx3s",
        platform=f"ULX3S_{size}_Platform",
        family="ecp5",
        oscillator_hz=25_000_000,
        leds=tuple(("led", number) for number in range(8)),
        button=("button_fire", 0),
        button_name="F1",
        kind=PROCESSOR,
        memory_kib=memory_kib,
        clock_mhz=50,
        baud=3_000_000,
        preset=preset,
        resources=resources,
        program=("openFPGALoader", "-b", "ulx3s", "-m"),
        port="/dev/ttyUSB0",
    )


_ALL = (
    _ulx3s("85F", _ECP5_85, 192, "fpga"),
    _ulx3s("45F", _ECP5_45, 64, "mini"),
    _ulx3s("25F", _ECP5_25, 32, "mini"),
    Board(
        name="icebreaker",
        title="iCEBreaker with iCE40 UP5K",
        module="icebreaker",
        platform="ICEBreakerPlatform",
        family="ice40",
        oscillator_hz=12_000_000,
        leds=(("led_g", 0), ("led_r", 0)),
        button=("button", 0),
        button_name="UBUTTON",
        kind=ARRAY,
        memory_kib=0,
        clock_mhz=6,
        baud=1_000_000,
        preset="mini",
        resources=_UP5K,
        program=("iceprog",),
        port="/dev/ttyUSB1",
    ),
    Board(
        name="tang-nano-9k",
        title="Sipeed Tang Nano 9K with GW1NR-9C",
        module="tang_nano_9k",
        platform="TangNano9kPlatform",
        family="gowin",
        oscillator_hz=27_000_000,
        leds=tuple(("led", number) for number in range(6)),
        button=("button", 0),
        button_name="S1",
        kind=ARRAY,
        memory_kib=0,
        clock_mhz=13.5,
        baud=1_000_000,
        preset="mini",
        resources=_GW1N_9,
        program=("openFPGALoader", "-b", "tangnano9k"),
        port="/dev/ttyUSB1",
    ),
    Board(
        name="tang-primer-20k",
        title="Sipeed Tang Primer 20K on its dock, with GW2A-18C",
        module="tang_primer_20k",
        platform="TangPrimer20kDockPlatform",
        family="gowin",
        oscillator_hz=27_000_000,
        leds=tuple(("led", number) for number in range(6)),
        button=("button", 0),
        button_name="S0",
        kind=ARRAY,
        memory_kib=0,
        clock_mhz=13.5,
        baud=1_000_000,
        preset="mini",
        resources=_GW2A_18,
        program=("openFPGALoader", "-b", "tangprimer20k"),
        port="/dev/ttyUSB1",
    ),
)

BOARDS = {board.name: board for board in _ALL}
"""By name."""
