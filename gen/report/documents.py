"""What other commands write, as far as a report reads it; every other field is let be."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Number = Annotated[float, Field(allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class Figures(_Part):
    """What logic costs; None where a figure does not apply."""

    area: Amount | None = None
    cells: Amount | None = None
    gate_equivalents: Amount | None = None
    luts: Amount | None = None
    dsps: Amount | None = None
    block_rams: Amount | None = None
    flip_flops: Amount | None = None


class ModuleRow(Figures):
    """A module: figures are those of one instance without the modules below it."""

    name: str
    unit_class: str = ""
    count: Annotated[int, Field(ge=0)]


class Memory(_Part):
    """Memories of one shape."""

    module: str
    width: int
    depth: int
    instances: int
    bits: int
    area_um2: Amount | None = None
    model: str | None = None


class Step(_Part):
    """A cell on the critical path."""

    instance: str
    module: str = ""
    cell: str
    arrival_ns: Number


class Share(_Part):
    """What a module adds to the critical path."""

    module: str
    delay_ns: Number
    cells: int | None = None


class Timing(_Part):
    """The critical path."""

    clock_ns: Amount | None = None
    critical_ns: Amount
    slack_ns: Number | None = None
    met: bool | None = None
    path: tuple[Step, ...] = ()
    by_module: tuple[Share, ...] = ()


class Node(_Part):
    """A node of the tree of areas: all instances of a module in one parent, with what is below them."""

    name: str
    module: str = ""
    count: int = 1
    area: Amount
    children: tuple[Node, ...] = ()


class Configured(_Part):
    """Which configuration was synthesised."""

    name: str | None = None
    fingerprint: str


class LibraryUsed(_Part):
    """Which library it was synthesised for."""

    names: tuple[str, ...] = ()
    digest: str = ""


class PowerPart(_Part):
    """Energy of a part, fJ per multiply-accumulate."""

    group: str
    name: str
    cells: int
    fj_per_mac: Amount
    internal: Amount = 0.0
    switching: Amount = 0.0
    clock: Amount = 0.0
    leakage: Amount = 0.0


class Stored(_Part):
    """Energy of memories, estimated."""

    name: str
    bits: int
    fj_per_mac: Amount


class PowerRun(_Part):
    """Energy with one kind of data."""

    data: dict[str, Any] = {}
    cycles: int
    macs: int
    utilization: Amount
    fj_per_mac: Amount
    tops_per_watt: Amount
    milliwatts: Amount | None = None
    leakage_fj_per_mac: Amount | None = None
    clock_fj_per_mac: Amount | None = None
    groups: dict[str, Amount] = {}
    parts: tuple[PowerPart, ...] = ()
    memories: tuple[Stored, ...] = ()
    operands: tuple[Stored, ...] = ()


class Rule(_Part):
    """An energy told in another technology, by one rule."""

    rule: str
    fj_per_mac: Amount
    tops_per_watt: Amount


class Scaled(_Part):
    """An energy told in another technology, by every rule."""

    nm: Amount
    volts: Amount
    rules: tuple[Rule, ...] = ()


class Paper(_Part):
    """What the paper gives."""

    fj_per_mac: Amount
    tops_per_watt: Amount
    source: str = ""


class Power(PowerRun):
    """A measurement of power in one library, as `sevedo synth` puts it into its own JSON."""

    schema_: Literal[1] = Field(alias="schema")
    configuration: Configured
    library: LibraryUsed
    volts: Amount
    clock_ns: Amount
    sensitivity: tuple[PowerRun, ...] = ()
    nodes_nm: tuple[Number, ...] = ()
    scaled: Scaled | None = None
    paper: Paper | None = None
    counted: tuple[str, ...] = ()
    not_counted: tuple[str, ...] = ()


class Synth(_Part):
    """The JSON of `sevedo synth`."""

    schema_: Literal[1] = Field(alias="schema")
    configuration: Configured
    unit: str
    target: str
    library: LibraryUsed | None = None
    tools: dict[str, str | None] = {}
    modules: tuple[ModuleRow, ...]
    total: Figures
    memories: tuple[Memory, ...] = ()
    timing: Timing | None = None
    power: Power | None = None
    area_tree: Node | None = None


class Between(_Part):
    """Energy at the node of the scaling, between the libraries on either side of it."""

    fj_per_mac: Amount
    tops_per_watt: Amount


class Powers(_Part):
    """The JSON of `sevedo power`: measurements by library."""

    schema_: Literal[1] = Field(alias="schema")
    reports: Annotated[dict[str, Power], Field(min_length=1)]
    between_libraries: Between | None = None


class Silicon(_Part):
    """A scheme in a library."""

    area: Amount
    areas: dict[str, Amount] = {}
    pe_delay: Number | None = None
    coarse_delay: Number | None = None
    energies: dict[str, Amount] | None = None
    dequantization: Amount | None = None
    array: Amount | None = None


class Scheme(_Part):
    """A row of a comparison."""

    scheme: str
    configuration: dict[str, Any]
    activation_bits: Number
    weight_bits: Number
    error: Amount | None = None
    silicon: dict[str, Silicon] = {}


class Compare(_Part):
    """The JSON of `sevedo compare`."""

    schema_: Literal[1] = Field(alias="schema")
    facts: dict[str, str] = {}
    schemes: Annotated[tuple[Scheme, ...], Field(min_length=1)]


class Row(_Part):
    """A row of an evaluation."""

    label: str
    scheme: str | None = None
    attention: str = "float"
    activation_bits: Number
    weight_bits: Number
    memory_bits: Number
    ranks: dict[str, int] = {}
    perplexity: Number | None = None
    pearson: Number | None = None
    cosine: Number | None = None


class Judged(_Part):
    """A model that was evaluated."""

    name: str
    measure: dict[str, Any] = {}
    rows: tuple[Row, ...]


class Evaluate(_Part):
    """The JSON of `sevedo evaluate`."""

    schema_: Literal[1] = Field(alias="schema")
    golden: bool = True
    code: str = ""
    configuration: dict[str, Any]
    models: tuple[Judged, ...]
