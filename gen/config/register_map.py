"""The registers of the processor. Made by `sevedo registers` from gen/registers/processor.rdl; do not edit."""
# ruff: noqa: E501

from .registers import Field, Kind, Meaning, Register

REGISTERS = (
    Register("ID", 0x000, (
        Field("value", 0, 32, Kind.CONSTANT, 0x53564430, "", 0),
    ), "What answers here: SVD0 in ASCII."),
    Register("VERSION", 0x004, (
        Field("minor", 0, 16, Kind.CONSTANT, 0x0, "changes that hosts need not know", 0),
        Field("major", 16, 16, Kind.CONSTANT, 0x1, "changes that hosts must know", 0),
    ), "Version of registers and instruction set."),
    Register("CONFIGURATION", 0x008, (
        Field("value", 0, 32, Kind.VALUE, 0x0, "", 0),
    ), "A hash of the configuration that the hardware was generated from: programs are compiled for one."),
    Register("CONTROL", 0x00c, (
        Field("start", 0, 1, Kind.PULSE, 0x0, "run the program: counters and error registers begin anew; nothing while running or failed", 0),
        Field("stop", 1, 1, Kind.PULSE, 0x0, "stop: start nothing new, end bursts under way; the run fails with STOPPED", 0),
        Field("clear", 2, 1, Kind.PULSE, 0x0, "put everything but the registers back to its initial state; nothing while running", 0),
    ), "What the host wants. Reads as 0."),
    Register("STATUS", 0x010, (
        Field("running", 0, 1, Kind.VALUE, 0x0, "a program runs", 0),
        Field("done", 1, 1, Kind.VALUE, 0x0, "the program has ended as it should", 0),
        Field("failed", 2, 1, Kind.VALUE, 0x0, "the processor has stopped because of an error: see ERROR_CODE", 0),
        Field("bus_idle", 3, 1, Kind.VALUE, 0x0, "no burst is under way", 0),
        Field("load_busy", 8, 1, Kind.VALUE, 0x0, "LOAD carries out an instruction", 0),
        Field("load_wait_token", 9, 1, Kind.VALUE, 0x0, "LOAD waits for tokens", 0),
        Field("load_wait_input", 10, 1, Kind.VALUE, 0x0, "LOAD waits for data", 0),
        Field("load_wait_output", 11, 1, Kind.VALUE, 0x0, "LOAD waits for room", 0),
        Field("stream_busy", 12, 1, Kind.VALUE, 0x0, "STREAM carries out an instruction", 0),
        Field("stream_wait_token", 13, 1, Kind.VALUE, 0x0, "STREAM waits for tokens", 0),
        Field("stream_wait_input", 14, 1, Kind.VALUE, 0x0, "STREAM waits for data", 0),
        Field("stream_wait_output", 15, 1, Kind.VALUE, 0x0, "STREAM waits for room", 0),
        Field("quantize_busy", 16, 1, Kind.VALUE, 0x0, "QUANTIZE carries out an instruction", 0),
        Field("quantize_wait_token", 17, 1, Kind.VALUE, 0x0, "QUANTIZE waits for tokens", 0),
        Field("quantize_wait_input", 18, 1, Kind.VALUE, 0x0, "QUANTIZE waits for data", 0),
        Field("quantize_wait_output", 19, 1, Kind.VALUE, 0x0, "QUANTIZE waits for room", 0),
        Field("matmul_busy", 20, 1, Kind.VALUE, 0x0, "MATMUL carries out an instruction", 0),
        Field("matmul_wait_token", 21, 1, Kind.VALUE, 0x0, "MATMUL waits for tokens", 0),
        Field("matmul_wait_input", 22, 1, Kind.VALUE, 0x0, "MATMUL waits for operands", 0),
        Field("matmul_wait_output", 23, 1, Kind.VALUE, 0x0, "MATMUL waits for room", 0),
        Field("store_busy", 24, 1, Kind.VALUE, 0x0, "STORE carries out an instruction", 0),
        Field("store_wait_token", 25, 1, Kind.VALUE, 0x0, "STORE waits for tokens", 0),
        Field("store_wait_input", 26, 1, Kind.VALUE, 0x0, "STORE waits for outputs", 0),
        Field("store_wait_output", 27, 1, Kind.VALUE, 0x0, "STORE waits for DRAM", 0),
    ), "What the processor does."),
    Register("INTERRUPT_ENABLE", 0x014, (
        Field("done", 0, 1, Kind.STORED, 0x0, "when the program is done", 0),
        Field("failed", 1, 1, Kind.STORED, 0x0, "when the processor has failed", 0),
    ), "Which interrupts are raised at the port irq."),
    Register("INTERRUPT", 0x018, (
        Field("done", 0, 1, Kind.STICKY, 0x0, "the program is done", 0),
        Field("failed", 1, 1, Kind.STICKY, 0x0, "the processor has failed", 0),
    ), "Interrupts that are pending, enabled or not. Writing 1 clears."),
    Register("IMAGE_BASE_LOW", 0x020, (
        Field("value", 0, 32, Kind.LOCKED, 0x0, "", 0),
    ), "Address of the first byte of the image segment, a multiple of the bus width. Only while not running. The lower 32 bits."),
    Register("IMAGE_BASE_HIGH", 0x024, (
        Field("value", 0, 32, Kind.LOCKED, 0x0, "", 0),
    ), "Address of the first byte of the image segment, a multiple of the bus width. Only while not running. The upper 32 bits."),
    Register("IMAGE_SIZE", 0x028, (
        Field("value", 0, 32, Kind.LOCKED, 0x0, "", 0),
    ), "Bytes of the image segment, a multiple of the bus width. Only while not running."),
    Register("PROGRAM", 0x02c, (
        Field("offset", 0, 32, Kind.LOCKED, 0x0, "byte offset in the image segment, a multiple of 32 and of the bus width", 0),
    ), "Where the program begins. Only while not running."),
    Register("DATA_BASE_LOW", 0x030, (
        Field("value", 0, 32, Kind.LOCKED, 0x0, "", 0),
    ), "Address of the first byte of the data segment, a multiple of the bus width. Only while not running. The lower 32 bits."),
    Register("DATA_BASE_HIGH", 0x034, (
        Field("value", 0, 32, Kind.LOCKED, 0x0, "", 0),
    ), "Address of the first byte of the data segment, a multiple of the bus width. Only while not running. The upper 32 bits."),
    Register("DATA_SIZE", 0x038, (
        Field("value", 0, 32, Kind.LOCKED, 0x0, "", 0),
    ), "Bytes of the data segment, a multiple of the bus width. Only while not running."),
    Register("WATCHDOG", 0x03c, (
        Field("value", 0, 32, Kind.LOCKED, 0x10000, "", 0),
    ), "Cycles without progress after which a running processor fails with STALL; more than the slowest answer of DRAM takes. 0: never. Only while not running."),
    Register("ERROR_CODE", 0x040, (
        Field("value", 0, 4, Kind.VALUE, 0x0, "", 0, (
            Meaning("NONE", 0, "no error"),
            Meaning("ILLEGAL", 1, "an opcode that there is not, a bit set that no field has, or a broken rule of the instruction"),
            Meaning("RANGE", 2, "an access, or the program, leaves the range that the host granted"),
            Meaning("READ", 3, "DRAM answered a read with an error"),
            Meaning("WRITE", 4, "DRAM answered a write with an error"),
            Meaning("TOKEN_MISSING", 5, "instructions wait for tokens and nothing that could give them is running"),
            Meaning("TOKEN_OVERFLOW", 6, "more than 15 tokens of a kind"),
            Meaning("STREAM", 7, "the words of a STREAM end within a bundle, or a MATMUL takes a beat that a section does not have"),
            Meaning("STALL", 8, "no progress for as many cycles as register WATCHDOG says: operands or outputs do not match"),
            Meaning("STOPPED", 9, "the host wrote CONTROL.stop"),
        )),
    ), "Why the processor stopped."),
    Register("ERROR_UNIT", 0x044, (
        Field("value", 0, 3, Kind.VALUE, 0x0, "", 0, (
            Meaning("LOAD", 0, "the unit LOAD"),
            Meaning("STREAM", 1, "the unit STREAM"),
            Meaning("QUANTIZE", 2, "the unit QUANTIZE"),
            Meaning("MATMUL", 3, "the unit MATMUL"),
            Meaning("STORE", 4, "the unit STORE"),
            Meaning("NO_UNIT", 7, "no unit: the program itself is at fault, or the host stopped it"),
        )),
    ), "Whose error it is."),
    Register("ERROR_INSTRUCTION", 0x048, (
        Field("value", 0, 32, Kind.VALUE, 0x0, "", 0),
    ), "Which instruction it was: its number in the program, from 0."),
    Register("INSTRUCTIONS", 0x04c, (
        Field("value", 0, 32, Kind.VALUE, 0x0, "", 0),
    ), "Instructions that were decoded since the start."),
    Register("ERROR_ADDRESS_LOW", 0x050, (
        Field("value", 0, 32, Kind.VALUE, 0x0, "", 0),
    ), "For RANGE, READ and WRITE: address of the request that leaves its segment, or of the burst that DRAM refused, in bus.address_bits bits. For the program itself, address of the instruction. The lower 32 bits."),
    Register("ERROR_ADDRESS_HIGH", 0x054, (
        Field("value", 0, 32, Kind.VALUE, 0x0, "", 0),
    ), "For RANGE, READ and WRITE: address of the request that leaves its segment, or of the burst that DRAM refused, in bus.address_bits bits. For the program itself, address of the instruction. The upper 32 bits."),
    Register("CYCLES_LOW", 0x080, (
        Field("value", 0, 32, Kind.COUNTER, 0x0, "", 1),
    ), "Cycles of the run. The lower 32 bits. Reading them keeps the upper ones for HIGH."),
    Register("CYCLES_HIGH", 0x084, (
        Field("value", 0, 32, Kind.LATCH, 0x0, "", 0),
    ), "Cycles of the run. The upper 32 bits as they were when a LOW was read last, whichever: read it next."),
    Register("BYTES_READ_LOW", 0x088, (
        Field("value", 0, 32, Kind.COUNTER, 0x0, "", 8),
    ), "Bytes read from DRAM. The lower 32 bits. Reading them keeps the upper ones for HIGH."),
    Register("BYTES_READ_HIGH", 0x08c, (
        Field("value", 0, 32, Kind.LATCH, 0x0, "", 0),
    ), "Bytes read from DRAM. The upper 32 bits as they were when a LOW was read last, whichever: read it next."),
    Register("BYTES_WRITTEN_LOW", 0x090, (
        Field("value", 0, 32, Kind.COUNTER, 0x0, "", 8),
    ), "Bytes of the words written to DRAM, those with their strobe off included. The lower 32 bits. Reading them keeps the upper ones for HIGH."),
    Register("BYTES_WRITTEN_HIGH", 0x094, (
        Field("value", 0, 32, Kind.LATCH, 0x0, "", 0),
    ), "Bytes of the words written to DRAM, those with their strobe off included. The upper 32 bits as they were when a LOW was read last, whichever: read it next."),
    Register("LOAD_BUSY_LOW", 0x100, (
        Field("value", 0, 32, Kind.COUNTER, 0x0, "", 1),
    ), "Cycles in which the unit carried out an instruction, those of WAIT_INPUT and WAIT_OUTPUT included. The lower 32 bits. Reading them keeps the upper ones for HIGH."),
    Register("LOAD_BUSY_HIGH", 0x104, (
        Field("value", 0, 32, Kind.LATCH, 0x0, "", 0),
    ), "Cycles in which the unit carried out an instruction, those of WAIT_INPUT and WAIT_OUTPUT included. The upper 32 bits as they were when a LOW was read last, whichever: read it next."),
    Register("LOAD_WAIT_TOKEN_LOW", 0x108, (
        Field("value", 0, 32, Kind.COUNTER, 0x0, "", 1),
    ), "Cycles in which the unit did nothing, because its next instruction waited for tokens. The lower 32 bits. Reading them keeps the upper ones for HIGH."),
    Register("LOAD_WAIT_TOKEN_HIGH", 0x10c, (
        Field("value", 0, 32, Kind.LATCH, 0x0, "", 0),
    ), "Cycles in which the unit did nothing, because its next instruction waited for tokens. The upper 32 bits as they were when a LOW was read last, whichever: read it next."),
    Register("LOAD_WAIT_INPUT_LOW", 0x110, (
        Field("value", 0, 32, Kind.COUNTER, 0x0, "", 1),
    ), "Cycles in which the unit's instruction waited for data or operands. The lower 32 bits. Reading them keeps the upper ones for HIGH."),
    Register("LOAD_WAIT_INPUT_HIGH", 0x114, (
        Field("value", 0, 32, Kind.LATCH, 0x0, "", 0),
    ), "Cycles in which the unit's instruction waited for data or operands. The upper 32 bits as they were when a LOW was read last, whichever: read it next."),
    Register("LOAD_WAIT_OUTPUT_LOW", 0x118, (
        Field("value", 0, 32, Kind.COUNTER, 0x0, "", 1),
    ), "Cycles in which the unit's instruction waited for room for what it makes. The lower 32 bits. Reading them keeps the upper ones for HIGH."),
    Register("LOAD_WAIT_OUTPUT_HIGH", 0x11c, (
        Field("value", 0, 32, Kind.LATCH, 0x0, "", 0),
    ), "Cycles in which the unit's instruction waited for room for what it makes. The upper 32 bits as they were when a LOW was read last, whichever: read it next."),
    Register("STREAM_BUSY_LOW", 0x120, (
        Field("value", 0, 32, Kind.COUNTER, 0x0, "", 1),
    ), "Cycles in which the unit carried out an instruction, those of WAIT_INPUT and WAIT_OUTPUT included. The lower 32 bits. Reading them keeps the upper ones for HIGH."),
    Register("STREAM_BUSY_HIGH", 0x124, (
        Field("value", 0, 32, Kind.LATCH, 0x0, "", 0),
    ), "Cycles in which the unit carried out an instruction, those of WAIT_INPUT and WAIT_OUTPUT included. The upper 32 bits as they were when a LOW was read last, whichever: read it next."),
    Register("STREAM_WAIT_TOKEN_LOW", 0x128, (
        Field("value", 0, 32, Kind.COUNTER, 0x0, "", 1),
    ), "Cycles in which the unit did nothing, because its next instruction waited for tokens. The lower 32 bits. Reading them keeps the upper ones for HIGH."),
    Register("STREAM_WAIT_TOKEN_HIGH", 0x12c, (
        Field("value", 0, 32, Kind.LATCH, 0x0, "", 0),
    ), "Cycles in which the unit did nothing, because its next instruction waited for tokens. The upper 32 bits as they were when a LOW was read last, whichever: read it next."),
    Register("STREAM_WAIT_INPUT_LOW", 0x130, (
        Field("value", 0, 32, Kind.COUNTER, 0x0, "", 1),
    ), "Cycles in which the unit's instruction waited for data or operands. The lower 32 bits. Reading them keeps the upper ones for HIGH."),
    Register("STREAM_WAIT_INPUT_HIGH", 0x134, (
        Field("value", 0, 32, Kind.LATCH, 0x0, "", 0),
    ), "Cycles in which the unit's instruction waited for data or operands. The upper 32 bits as they were when a LOW was read last, whichever: read it next."),
    Register("STREAM_WAIT_OUTPUT_LOW", 0x138, (
        Field("value", 0, 32, Kind.COUNTER, 0x0, "", 1),
    ), "Cycles in which the unit's instruction waited for room for what it makes. The lower 32 bits. Reading them keeps the upper ones for HIGH."),
    Register("STREAM_WAIT_OUTPUT_HIGH", 0x13c, (
        Field("value", 0, 32, Kind.LATCH, 0x0, "", 0),
    ), "Cycles in which the unit's instruction waited for room for what it makes. The upper 32 bits as they were when a LOW was read last, whichever: read it next."),
    Register("QUANTIZE_BUSY_LOW", 0x140, (
        Field("value", 0, 32, Kind.COUNTER, 0x0, "", 1),
    ), "Cycles in which the unit carried out an instruction, those of WAIT_INPUT and WAIT_OUTPUT included. The lower 32 bits. Reading them keeps the upper ones for HIGH."),
    Register("QUANTIZE_BUSY_HIGH", 0x144, (
        Field("value", 0, 32, Kind.LATCH, 0x0, "", 0),
    ), "Cycles in which the unit carried out an instruction, those of WAIT_INPUT and WAIT_OUTPUT included. The upper 32 bits as they were when a LOW was read last, whichever: read it next."),
    Register("QUANTIZE_WAIT_TOKEN_LOW", 0x148, (
        Field("value", 0, 32, Kind.COUNTER, 0x0, "", 1),
    ), "Cycles in which the unit did nothing, because its next instruction waited for tokens. The lower 32 bits. Reading them keeps the upper ones for HIGH."),
    Register("QUANTIZE_WAIT_TOKEN_HIGH", 0x14c, (
        Field("value", 0, 32, Kind.LATCH, 0x0, "", 0),
    ), "Cycles in which the unit did nothing, because its next instruction waited for tokens. The upper 32 bits as they were when a LOW was read last, whichever: read it next."),
    Register("QUANTIZE_WAIT_INPUT_LOW", 0x150, (
        Field("value", 0, 32, Kind.COUNTER, 0x0, "", 1),
    ), "Cycles in which the unit's instruction waited for data or operands. The lower 32 bits. Reading them keeps the upper ones for HIGH."),
    Register("QUANTIZE_WAIT_INPUT_HIGH", 0x154, (
        Field("value", 0, 32, Kind.LATCH, 0x0, "", 0),
    ), "Cycles in which the unit's instruction waited for data or operands. The upper 32 bits as they were when a LOW was read last, whichever: read it next."),
    Register("QUANTIZE_WAIT_OUTPUT_LOW", 0x158, (
        Field("value", 0, 32, Kind.COUNTER, 0x0, "", 1),
    ), "Cycles in which the unit's instruction waited for room for what it makes. The lower 32 bits. Reading them keeps the upper ones for HIGH."),
    Register("QUANTIZE_WAIT_OUTPUT_HIGH", 0x15c, (
        Field("value", 0, 32, Kind.LATCH, 0x0, "", 0),
    ), "Cycles in which the unit's instruction waited for room for what it makes. The upper 32 bits as they were when a LOW was read last, whichever: read it next."),
    Register("MATMUL_BUSY_LOW", 0x160, (
        Field("value", 0, 32, Kind.COUNTER, 0x0, "", 1),
    ), "Cycles in which the unit carried out an instruction, those of WAIT_INPUT and WAIT_OUTPUT included. The lower 32 bits. Reading them keeps the upper ones for HIGH."),
    Register("MATMUL_BUSY_HIGH", 0x164, (
        Field("value", 0, 32, Kind.LATCH, 0x0, "", 0),
    ), "Cycles in which the unit carried out an instruction, those of WAIT_INPUT and WAIT_OUTPUT included. The upper 32 bits as they were when a LOW was read last, whichever: read it next."),
    Register("MATMUL_WAIT_TOKEN_LOW", 0x168, (
        Field("value", 0, 32, Kind.COUNTER, 0x0, "", 1),
    ), "Cycles in which the unit did nothing, because its next instruction waited for tokens. The lower 32 bits. Reading them keeps the upper ones for HIGH."),
    Register("MATMUL_WAIT_TOKEN_HIGH", 0x16c, (
        Field("value", 0, 32, Kind.LATCH, 0x0, "", 0),
    ), "Cycles in which the unit did nothing, because its next instruction waited for tokens. The upper 32 bits as they were when a LOW was read last, whichever: read it next."),
    Register("MATMUL_WAIT_INPUT_LOW", 0x170, (
        Field("value", 0, 32, Kind.COUNTER, 0x0, "", 1),
    ), "Cycles in which the unit's instruction waited for data or operands. The lower 32 bits. Reading them keeps the upper ones for HIGH."),
    Register("MATMUL_WAIT_INPUT_HIGH", 0x174, (
        Field("value", 0, 32, Kind.LATCH, 0x0, "", 0),
    ), "Cycles in which the unit's instruction waited for data or operands. The upper 32 bits as they were when a LOW was read last, whichever: read it next."),
    Register("MATMUL_WAIT_OUTPUT_LOW", 0x178, (
        Field("value", 0, 32, Kind.COUNTER, 0x0, "", 1),
    ), "Cycles in which the unit's instruction waited for room for what it makes. The lower 32 bits. Reading them keeps the upper ones for HIGH."),
    Register("MATMUL_WAIT_OUTPUT_HIGH", 0x17c, (
        Field("value", 0, 32, Kind.LATCH, 0x0, "", 0),
    ), "Cycles in which the unit's instruction waited for room for what it makes. The upper 32 bits as they were when a LOW was read last, whichever: read it next."),
    Register("STORE_BUSY_LOW", 0x180, (
        Field("value", 0, 32, Kind.COUNTER, 0x0, "", 1),
    ), "Cycles in which the unit carried out an instruction, those of WAIT_INPUT and WAIT_OUTPUT included. The lower 32 bits. Reading them keeps the upper ones for HIGH."),
    Register("STORE_BUSY_HIGH", 0x184, (
        Field("value", 0, 32, Kind.LATCH, 0x0, "", 0),
    ), "Cycles in which the unit carried out an instruction, those of WAIT_INPUT and WAIT_OUTPUT included. The upper 32 bits as they were when a LOW was read last, whichever: read it next."),
    Register("STORE_WAIT_TOKEN_LOW", 0x188, (
        Field("value", 0, 32, Kind.COUNTER, 0x0, "", 1),
    ), "Cycles in which the unit did nothing, because its next instruction waited for tokens. The lower 32 bits. Reading them keeps the upper ones for HIGH."),
    Register("STORE_WAIT_TOKEN_HIGH", 0x18c, (
        Field("value", 0, 32, Kind.LATCH, 0x0, "", 0),
    ), "Cycles in which the unit did nothing, because its next instruction waited for tokens. The upper 32 bits as they were when a LOW was read last, whichever: read it next."),
    Register("STORE_WAIT_INPUT_LOW", 0x190, (
        Field("value", 0, 32, Kind.COUNTER, 0x0, "", 1),
    ), "Cycles in which the unit's instruction waited for data or operands. The lower 32 bits. Reading them keeps the upper ones for HIGH."),
    Register("STORE_WAIT_INPUT_HIGH", 0x194, (
        Field("value", 0, 32, Kind.LATCH, 0x0, "", 0),
    ), "Cycles in which the unit's instruction waited for data or operands. The upper 32 bits as they were when a LOW was read last, whichever: read it next."),
    Register("STORE_WAIT_OUTPUT_LOW", 0x198, (
        Field("value", 0, 32, Kind.COUNTER, 0x0, "", 1),
    ), "Cycles in which the unit's instruction waited for room for what it makes. The lower 32 bits. Reading them keeps the upper ones for HIGH."),
    Register("STORE_WAIT_OUTPUT_HIGH", 0x19c, (
        Field("value", 0, 32, Kind.LATCH, 0x0, "", 0),
    ), "Cycles in which the unit's instruction waited for room for what it makes. The upper 32 bits as they were when a LOW was read last, whichever: read it next."),
)  # fmt: skip
"""All registers, by offset."""

BY_NAME = {each.name: each for each in REGISTERS}
