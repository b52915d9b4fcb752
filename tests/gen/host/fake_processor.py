"""A processor without hardware: registers and memory as Python objects, programs run by the Python machine."""

from __future__ import annotations

from collections.abc import Callable

from sevedo.gen.config import Config
from sevedo.gen.config.instructions import Error
from sevedo.gen.config.register_map import REGISTERS
from sevedo.gen.host.accelerator import IDENTITY
from sevedo.gen.host.transport import Range
from sevedo.ref.machine import run

NAMES = {register.offset: register.name for register in REGISTERS}


class FakeProcessor:
    """A transport and what is behind it.

    Members
    -------
    log : names of the registers that were written, with their values
    fault : an error that the next run ends with: code, unit, instruction, address
    counts : what counters read as, by name
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.values = dict.fromkeys(NAMES.values(), 0)
        self.values |= {"ID": IDENTITY, "VERSION": 1 << 16 | 3, "CONFIGURATION": config.fingerprint}
        self.memory = bytearray(1 << 20)
        self.granted: list[Range] = []
        self.log: list[tuple[str, int]] = []
        self.fault: tuple[int, int, int, int] | None = None
        self.counts: dict[str, int] = {}
        self.irq = self.hangs = False
        self.on_write: Callable[[str, int], None] = lambda name, value: None

    def read_register(self, address: int) -> int:
        name = NAMES[address]
        base, _, half = name.rpartition("_")
        if base in self.counts:
            return self.counts[base] >> (32 if half == "HIGH" else 0) & 0xFFFFFFFF
        return self.values[name]

    def write_register(self, address: int, value: int) -> None:
        assert 0 <= value < 1 << 32
        name = NAMES[address]
        self.log.append((name, value))
        if name == "CONTROL":
            self._control(value)
        elif name == "INTERRUPT":
            self.values[name] &= ~value
        else:
            self.values[name] = value

    def read_memory(self, address: int, size: int) -> bytes:
        return bytes(self.memory[address : address + size])

    def write_memory(self, address: int, data: bytes) -> None:
        self.memory[address : address + len(data)] = data

    def grant(self, image: Range, data: Range) -> None:
        self.granted = [image, data]

    def wait(self, cycles: int) -> bool:
        return bool(self.values["INTERRUPT"] & self.values["INTERRUPT_ENABLE"])

    def _control(self, value: int) -> None:
        if value & 4:
            self.values["STATUS"] = 0
        if value & 2:
            self._end(Error.ILLEGAL, 7, 5, 0)
        if value & 1 and not self.values["STATUS"] & 4:
            self.values["STATUS"] = 1
            if self.fault is not None:
                self._end(*self.fault)
            elif not self.hangs:
                self._run()

    def _run(self) -> None:
        v = self.values
        image, data = (v[f"{name}_BASE_LOW"] | v[f"{name}_BASE_HIGH"] << 32 for name in ("IMAGE", "DATA"))
        segment = self.memory[data : data + v["DATA_SIZE"]]
        report = run(self.config, self.memory[image : image + v["IMAGE_SIZE"]], segment, v["PROGRAM"])
        self.memory[data : data + len(segment)] = segment
        self._end(report.code, report.unit, report.instruction, report.address)

    def _end(self, code: int, unit: int, number: int, address: int) -> None:
        failed = code != Error.NONE
        self.values |= {
            "STATUS": 4 if failed else 2, "INTERRUPT": 2 if failed else 1, "ERROR_CODE": code, "ERROR_UNIT": unit,
            "ERROR_INSTRUCTION": number, "ERROR_ADDRESS_LOW": address & 0xFFFFFFFF, "ERROR_ADDRESS_HIGH": address >> 32,
        }  # fmt: skip
