"""A library with power tables, small enough for every figure to be worked out by hand, and units to map with it."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from sevedo.hw.unit import Unit

VOLTS = 2.0
CAP = {
    "INV": {"A": 3.0},
    "BUF": {"A": 3.0},
    "NAND2": {"A": 3.0, "B": 4.0},
    "NOR2": {"A": 3.0, "B": 4.0},
    "XOR2": {"A": 5.0, "B": 6.0},
    "DFFN": {"D": 2.0, "CK": 5.0},
}
FUNCTION = {"INV": "!A", "BUF": "A", "NAND2": "(A & B)'", "NOR2": "(A + B)'", "XOR2": "A ^ B", "DFFN": "IQN"}
AREA = {"INV": 1.0, "BUF": 1.5, "NAND2": 2.0, "NOR2": 2.25, "XOR2": 4.0, "DFFN": 9.0}
LEAKAGE = {"INV": 5.0, "BUF": 6.0, "NAND2": 7.0, "NOR2": 8.0, "XOR2": 9.0, "DFFN": 11.0}
ARC = {
    "INV": {"A": (10, 30)},
    "BUF": {"A": (20, 40)},
    "NAND2": {"A": (10, 30), "B": (100, 200)},
    "NOR2": {"A": (10, 30), "B": (100, 200)},
    "XOR2": {"A": (40, 60), "B": (70, 90)},
}
"""Rise and fall energy in fJ of an output's arc from each input, at any slew and load."""
DFF_ARC, DFF_CLOCK = (1000, 3000), (20, 22)


def library(unit: float = 1.0, power: bool = True, cells: tuple[str, ...] = tuple(CAP)) -> str:
    """The Liberty text. Every figure is the same in fF and fJ, whatever the unit of capacitance in fF."""
    name = {1.0: "1, ff", 1000.0: "1, pf"}[unit]
    return (
        'library (tinypower) {\n  delay_model : table_lookup; time_unit : "1ns"; voltage_unit : "1V";\n'
        f'  current_unit : "1mA"; capacitive_load_unit ({name}); nom_voltage : {VOLTS};\n'
        '  leakage_power_unit : "1nW"; pulling_resistance_unit : "1kohm";\n'
        "  input_threshold_pct_rise : 50; output_threshold_pct_rise : 50; input_threshold_pct_fall : 50;\n"
        "  output_threshold_pct_fall : 50; slew_lower_threshold_pct_rise : 20; slew_upper_threshold_pct_rise : 80;\n"
        "  slew_lower_threshold_pct_fall : 20; slew_upper_threshold_pct_fall : 80;\n"
        "  voltage_map (VDD, 2.0); voltage_map (VSS, 0);\n"
        f"  operating_conditions (typ) {{ process : 1; temperature : 25; voltage : {VOLTS}; }}\n"
        "  default_operating_conditions : typ;\n"
        "  lu_table_template (d) { variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;\n"
        '    index_1 ("0, 1000"); index_2 ("0, 1000"); }\n'
        "  power_lut_template (p) { variable_1 : input_transition_time; variable_2 : total_output_net_capacitance;\n"
        '    index_1 ("0, 1000"); index_2 ("0, 1000"); }\n'
        '  power_lut_template (q) { variable_1 : input_transition_time; index_1 ("0, 1000"); }\n'
        + "".join(_cell(cell, unit, power) for cell in cells)
        + "}\n"
    )


_TABLE = """{ index_1 ("0.01, 0.1, 1"); index_2 ("1, 10, 100");
  values ("0.02, 0.05, 0.3", "0.03, 0.06, 0.31", "0.1, 0.13, 0.4"); }"""
_SENSE = {"INV": "negative", "NAND2": "negative", "NOR2": "negative", "BUF": "positive", "XOR2": "non"}


def sizable_library() -> str:
    """The same without power, with delays that grow with slew and load: ABC's sizing refuses what `library` has."""
    text = library(power=False).replace(
        'index_1 ("0, 1000"); index_2 ("0, 1000"); }', 'index_1 ("0.01, 0.1, 1"); index_2 ("1, 10, 100"); }'
    )
    text = text.replace('{ values ("0.1, 0.1", "0.1, 0.1"); }', _TABLE)
    parts = text.split("  cell (")
    for place, part in enumerate(parts):
        sense = _SENSE.get(part.partition(")")[0])
        if sense:
            kind = "timing_type : combinational;"
            parts[place] = part.replace(kind, f"{kind} timing_sense : {sense}_unate;")
    return "  cell (".join(parts)


def _cell(name: str, unit: float, power: bool) -> str:
    clocked = name == "DFFN"
    pins = ""
    for pin, cap in CAP[name].items():
        extra = _energy("q", DFF_CLOCK, unit, 'related_pg_pin : "VDD";') if pin == "CK" and power else ""
        # the ground's share of the same charge, which must not be counted
        extra += _energy("q", (500, 500), unit, 'related_pg_pin : "VSS";') if pin == "CK" and power else ""
        mark = "clock : true;" if pin == "CK" else ""
        pins += f"    pin ({pin}) {{ direction : input; {mark} capacitance : {cap / unit}; {extra} }}\n"
    out = "QN" if clocked else "Y"
    arcs = ""
    for pin, energies in {"CK": DFF_ARC}.items() if clocked else ARC[name].items():
        kind = "rising_edge" if clocked else "combinational"
        tables = "".join(
            f'{group} (d) {{ values ("0.1, 0.1", "0.1, 0.1"); }} '
            for group in ("cell_rise", "cell_fall", "rise_transition", "fall_transition")
        )
        arcs += f'      timing () {{ related_pin : "{pin}"; timing_type : {kind}; {tables} }}\n'
        arcs += _energy("p", energies, unit, f'related_pin : "{pin}";') if power else ""
    state = '    ff (IQN, IQ) { next_state : "!D"; clocked_on : "CK"; }\n' if clocked else ""
    leak = f"    cell_leakage_power : {LEAKAGE[name]};\n" if power else ""
    return (
        f"  cell ({name}) {{\n    area : {AREA[name]};\n{leak}{state}{pins}"
        f'    pin ({out}) {{ direction : output; function : "{FUNCTION[name]}";\n{arcs}    }}\n  }}\n'
    )


def _energy(template: str, energies: tuple[float, float], unit: float, first: str) -> str:
    rows = 2 if template == "p" else 1
    tables = "".join(
        f"{kind} ({template}) {{ values ({', '.join([f'{chr(34)}{e / unit}, {e / unit}{chr(34)}'] * rows)}); }} "
        for kind, e in zip(("rise_power", "fall_power"), energies, strict=True)
    )
    return f"      internal_power () {{ {first} {tables} }}\n"


class Step(Unit):
    """A bit of running parity: y = x ^ (what was before), registered while `enable`."""

    def __init__(self, width: int) -> None:
        self.width = width
        super().__init__({"x": In(width), "enable": In(1), "y": Out(width)})

    @property
    def module_name(self) -> str:
        return f"step_{self.width}"

    def build(self) -> Module:
        m = Module()
        kept = Signal(self.width, reset_less=True)
        with m.If(self.enable):
            m.d.sync += kept.eq(kept ^ self.x)
        m.d.comb += self.y.eq(kept)
        return m


class Pair(Unit):
    """A stream through two steps of one kind and one of another; beats leave a cycle after they came."""

    def __init__(self) -> None:
        super().__init__({"x": In(stream.Signature(6)), "y": Out(stream.Signature(6))})

    @property
    def module_name(self) -> str:
        return "pair_of_steps"

    def build(self) -> Module:
        m = Module()
        there = Signal()
        take = Signal()
        m.d.comb += [take.eq(self.x.valid & self.x.ready), self.x.ready.eq(~there | self.y.ready)]
        m.d.comb += self.y.valid.eq(there)
        with m.If(self.x.ready):
            m.d.sync += there.eq(self.x.valid)
        at = 0
        for number, width in enumerate((2, 2, 1, 1)):
            m.submodules[f"step_{number}"] = step = Step(width)
            m.d.comb += [
                step.x.eq(self.x.payload[at : at + width]),
                step.enable.eq(take),
                self.y.payload[at : at + width].eq(step.y),
            ]
            at += width
        return m
