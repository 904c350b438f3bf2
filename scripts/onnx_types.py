#!/usr/bin/env python3
"""Prints src/formats/onnx_types.cpp: the element types of every operator by operator set, from the schemas of the onnx
package (1.23). Needs `pip install onnx`; run again when hone learns a newer operator set."""
import collections
import pathlib

from onnx import TensorProto, defs

OLDEST = 7
root = pathlib.Path(__file__).resolve().parent.parent
known = {path.name for path in (root / "fuzz/corpus/ir_text").iterdir()} | {"Upsample"}
bit = {f"tensor({name.lower()})": 1 << number for name, number in TensorProto.DataType.items()}


def mask(schema, variable):
    types = next((c.allowed_type_strs for c in schema.type_constraints if c.type_param_str == variable), [variable])
    return sum(bit[t] for t in types if t in bit)


versions = collections.defaultdict(list)
for schema in defs.get_all_schemas_with_history():
    if schema.domain == "" and schema.name in known and not schema.deprecated:
        versions[schema.name].append(schema)

rows = []
for name in sorted(versions):
    ordered = sorted(versions[name], key=lambda s: s.since_version)
    last = None
    for schema in [s for s in ordered if s.since_version <= OLDEST][-1:] + [s for s in ordered if s.since_version > OLDEST]:
        masks = [mask(schema, x.type_str) for x in schema.inputs], [mask(schema, x.type_str) for x in schema.outputs]
        if masks != last:
            rows.append((name, schema.since_version, *masks))
        last = masks

width = max(len(i) + len(o) for _, _, i, o in rows)
print(f"""// Written by scripts/onnx_types.py from the schemas of ONNX 1.23.
#include <algorithm>

#include "formats/onnx_lower.h"

namespace hone::onnx {{

namespace {{

constexpr OperandTypes kRows[] = {{""")
for name, version, inputs, outputs in rows:
    masks = ", ".join(f"{m:#x}" for m in inputs + outputs)
    print(f'    {{"{name}", {version}, {len(inputs)}, {len(outputs)}, {{{masks}}}}},')
print(f"""}};
static_assert(std::ranges::is_sorted(kRows, {{}}, &OperandTypes::type));
static_assert(std::tuple_size_v<decltype(OperandTypes::masks)> >= {width});

}}  // namespace

std::span<const OperandTypes> operand_types(std::string_view type) {{ return std::ranges::equal_range(kRows, type, {{}}, &OperandTypes::type); }}

}}  // namespace hone::onnx""")
