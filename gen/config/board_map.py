"""The registers of a board. Made by `sevedo registers --of board` from gen/registers/board.rdl; do not edit."""
# ruff: noqa: E501

from .registers import Field, Kind, Meaning, Register

REGISTERS = (
    Register("ID", 0x000, (
        Field("value", 0, 32, Kind.CONSTANT, 0x53564230, "", 0),
    ), "What answers here: SVB0 in ASCII."),
    Register("VERSION", 0x004, (
        Field("minor", 0, 16, Kind.CONSTANT, 0x0, "changes that hosts need not know", 0),
        Field("major", 16, 16, Kind.CONSTANT, 0x1, "changes that hosts must know", 0),
    ), "Version of these registers."),
    Register("CONTROL", 0x008, (
        Field("reset", 0, 1, Kind.PULSE, 0x0, "put processor and memory port back to their initial state, whatever runs; the memory keeps its bytes", 0),
        Field("test", 1, 1, Kind.PULSE, 0x0, "run the self-test again: it overwrites the start of the memory", 0),
    ), "What the host wants. Reads as 0."),
    Register("CLOCK_HZ", 0x00c, (
        Field("value", 0, 32, Kind.VALUE, 0x0, "", 0),
    ), "Frequency of the clock of processor and board."),
    Register("MEMORY_BYTES", 0x010, (
        Field("value", 0, 32, Kind.VALUE, 0x0, "", 0),
    ), "Bytes of the memory that stands for DRAM, from address 0."),
    Register("BAUD", 0x014, (
        Field("value", 0, 32, Kind.VALUE, 0x0, "", 0),
    ), "Rate of the serial line."),
    Register("SELF_TEST", 0x018, (
        Field("value", 0, 2, Kind.VALUE, 0x0, "", 0, (
            Meaning("NOT_RUN", 0, "it has not ended yet"),
            Meaning("PASSED", 1, "every word was as it must be"),
            Meaning("WRONG", 2, "a word was another: SELF_TEST_ADDRESS and SELF_TEST_FOUND say which"),
            Meaning("SILENT", 3, "the processor did not end, or a register or the memory answered with an error"),
        )),
    ), "What the self-test has found."),
    Register("SELF_TEST_ADDRESS", 0x01c, (
        Field("value", 0, 32, Kind.VALUE, 0x0, "", 0),
    ), "Where it stopped: the address of the link that it looked at last."),
    Register("SELF_TEST_FOUND", 0x020, (
        Field("value", 0, 32, Kind.VALUE, 0x0, "", 0),
    ), "The word that it found there."),
    Register("FRAMES_GOOD", 0x024, (
        Field("value", 0, 32, Kind.VALUE, 0x0, "", 0),
    ), "Frames of the link that were taken, since reset; wraps."),
    Register("FRAMES_BAD", 0x028, (
        Field("value", 0, 32, Kind.VALUE, 0x0, "", 0),
    ), "Frames that were damaged and dropped; wraps."),
    Register("FRAMES_FULL", 0x02c, (
        Field("value", 0, 32, Kind.VALUE, 0x0, "", 0),
    ), "Frames that were dropped because there was no room for them; wraps."),
    Register("SCRATCH", 0x030, (
        Field("value", 0, 32, Kind.STORED, 0x0, "any value: it is kept", 0),
    ), "To try the link with."),
)  # fmt: skip
"""All registers, by offset."""

BY_NAME = {each.name: each for each in REGISTERS}
