"""What each PTX instruction computes. Source: NVIDIA, PTX ISA 9, chapter "Instruction Set"."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .memory import EmulatorError
from .parser import TYPES

HANDLERS: dict[str, Callable] = {}
U32, I32, U64, BOOL = (np.dtype(name) for name in ("u4", "i4", "u8", "bool"))


def instruction(*opcodes: str):
    def register(handler):
        for opcode in opcodes:
            HANDLERS[opcode] = handler
        return handler

    return register


def elementwise(opcode: str, arity: int, function: Callable) -> None:
    """An instruction whose operands and result have its one type."""

    def handler(machine, ins, mask):
        values = (machine.read(operand, ins.dtype) for operand in ins.operands[1 : 1 + arity])
        machine.write(ins.operands[0], function(*values), mask)

    HANDLERS[opcode] = handler


for _opcode, _function in {
    "add": np.add,
    "sub": np.subtract,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
}.items():
    elementwise(_opcode, 2, _function)
elementwise("not", 1, np.bitwise_not)
elementwise("neg", 1, np.negative)
elementwise("abs", 1, np.abs)
elementwise("fma", 3, lambda a, b, c: a * b + c)


@instruction("min", "max")
def _extremum(machine, ins, mask):
    """Floats: the operand that is a number, unless .NaN asks for the one that is not."""
    a, b = (machine.read(operand, ins.dtype) for operand in ins.operands[1:3])
    quiet = ins.dtype.kind == "f" and "NaN" not in ins.modifiers
    pick = {("min", True): np.fmin, ("max", True): np.fmax,
            ("min", False): np.minimum, ("max", False): np.maximum}  # fmt: skip
    machine.write(ins.operands[0], pick[ins.opcode, quiet](a, b), mask)


@instruction("mul", "mad")
def _multiply(machine, ins, mask):
    dtype = ins.dtype
    a, b = (machine.read(operand, dtype) for operand in ins.operands[1:3])
    if "wide" in ins.modifiers or "hi" in ins.modifiers:
        if dtype.itemsize == 8:
            raise EmulatorError("128-bit products are not modelled")
        wide = np.dtype(f"{dtype.kind}{2 * dtype.itemsize}")
        value = a.astype(wide) * b.astype(wide)
        if "hi" in ins.modifiers:
            value = (value >> (8 * dtype.itemsize)).astype(dtype)
    else:
        value = a * b
    if ins.opcode == "mad":
        value = value + machine.read(ins.operands[3], value.dtype)
    machine.write(ins.operands[0], value, mask)


@instruction("div", "rem")
def _divide(machine, ins, mask):
    a, b = (machine.read(operand, ins.dtype) for operand in ins.operands[1:3])
    if ins.dtype.kind == "f":
        machine.write(ins.operands[0], a / b, mask)
        return
    a, b = np.broadcast_arrays(a, b)
    zero = b == 0
    if (zero if mask is None else zero & mask).any():
        raise EmulatorError("integer division by zero")
    b = np.where(zero, 1, b).astype(ins.dtype)
    quotient = a // b
    if ins.dtype.kind == "i":  # towards zero, where NumPy rounds down
        quotient = quotient + ((a % b != 0) & ((a < 0) != (b < 0))).astype(ins.dtype)
    value = quotient if ins.opcode == "div" else a - quotient * b
    machine.write(ins.operands[0], value, mask)


@instruction("shl", "shr")
def _shift(machine, ins, mask):
    bits = 8 * ins.dtype.itemsize
    value, by = machine.read(ins.operands[1], ins.dtype), machine.read(ins.operands[2], U32)
    clamped = np.minimum(by, bits - 1).astype(ins.dtype)
    shifted = value << clamped if ins.opcode == "shl" else value >> clamped
    if ins.opcode == "shl" or ins.dtype.kind == "u":
        shifted = np.where(by >= bits, ins.dtype.type(0), shifted)
    machine.write(ins.operands[0], shifted, mask)


COMPARE = {
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal,
    "gt": np.greater, "ge": np.greater_equal, "lo": np.less, "ls": np.less_equal,
    "hi": np.greater, "hs": np.greater_equal,
}  # fmt: skip
COMBINE = {"and": np.logical_and, "or": np.logical_or, "xor": np.logical_xor}


@instruction("setp")
def _compare(machine, ins, mask):
    """eq, lt ... are false for NaN; equ, ltu ... are true for it."""
    relation = ins.modifiers[0]
    a, b = (machine.read(operand, ins.dtype) for operand in ins.operands[1:3])
    if ins.dtype.kind == "f" and relation in ("num", "nan"):
        value = np.isnan(a) | np.isnan(b)
        value = ~value if relation == "num" else value
    elif ins.dtype.kind == "f":
        unordered = np.isnan(a) | np.isnan(b)
        if relation.endswith("u"):
            value = COMPARE[relation[:-1]](a, b) | unordered
        else:
            value = COMPARE[relation](a, b) & ~unordered
    else:
        value = COMPARE[relation](a, b)
    if len(ins.operands) == 4:
        combine = COMBINE[next(m for m in ins.modifiers if m in COMBINE)]
        value = combine(value, machine.read(ins.operands[3], BOOL))
    machine.write(ins.operands[0], value, mask)


@instruction("selp")
def _select(machine, ins, mask):
    a, b = (machine.read(operand, ins.dtype) for operand in ins.operands[1:3])
    value = np.where(machine.read(ins.operands[3], BOOL), a, b)
    machine.write(ins.operands[0], value, mask)


@instruction("mov")
def _move(machine, ins, mask):
    to, source = ins.operands
    if isinstance(source, list):  # pack
        part = np.dtype(f"u{ins.dtype.itemsize // len(source)}")
        parts = [np.broadcast_to(machine.read(p, part), (machine.lanes,)) for p in source]
        packed = np.ascontiguousarray(np.stack(parts, 1)).view(f"u{ins.dtype.itemsize}")
        machine.write(to, packed[:, 0], mask)
    elif isinstance(to, list):  # unpack
        part = np.dtype(f"u{ins.dtype.itemsize // len(to)}")
        whole = np.broadcast_to(machine.read(source, ins.dtype), (machine.lanes,))
        parts = np.ascontiguousarray(whole).view(part).reshape(machine.lanes, len(to))
        for k, register in enumerate(to):
            machine.write(register, parts[:, k].copy(), mask)
    else:
        machine.write(to, machine.read(source, ins.dtype), mask)


@instruction("cvta")
def _convert_address(machine, ins, mask):
    machine.write(ins.operands[0], machine.read(ins.operands[1], U64), mask)


ROUND = {"rzi": np.trunc, "rni": np.rint, "rmi": np.floor, "rpi": np.ceil}


@instruction("cvt")
def _convert(machine, ins, mask):
    to, source = (TYPES[m] for m in ins.modifiers if m in TYPES)
    value = machine.read(ins.operands[1], source)
    if source.kind == "f" and to.kind in "iu":
        rounding = next(ROUND[m] for m in ins.modifiers if m in ROUND)
        limits = np.iinfo(to)
        exact = np.clip(rounding(value.astype("f8")), limits.min, limits.max)
        value = np.where(np.isnan(value), 0, exact).astype(to)
    elif source.kind == "f" and any(m in ROUND for m in ins.modifiers):
        value = next(ROUND[m] for m in ins.modifiers if m in ROUND)(value)
    machine.write(ins.operands[0], value.astype(to), mask)


@instruction("prmt")
def _permute_bytes(machine, ins, mask):
    a, b, selector = (np.broadcast_to(machine.read(o, U32), (machine.lanes,)).astype(U64)
                      for o in ins.operands[1:4])  # fmt: skip
    both = a | b << np.uint64(32)
    value = np.zeros(machine.lanes, U64)
    for k in range(4):
        choice = selector >> np.uint64(4 * k) & np.uint64(15)
        byte = both >> (choice & np.uint64(7)) * np.uint64(8) & np.uint64(255)
        sign = (byte >> np.uint64(7)) * np.uint64(255)
        byte = np.where(choice & np.uint64(8), sign, byte)
        value |= byte << np.uint64(8 * k)
    machine.write(ins.operands[0], value.astype(U32), mask)


@instruction("bfe", "bfi")
def _bit_field(machine, ins, mask):
    """Unsigned fields: the compiler uses these to take words apart."""
    if ins.dtype.kind != "u" or ins.dtype.itemsize != 4:
        raise EmulatorError("signed or 64-bit fields are not modelled")
    *sources, start, length = (machine.read(o, U32).astype(U64) for o in ins.operands[1:])
    field = (np.uint64(1) << np.minimum(length, 32)) - np.uint64(1)
    if ins.opcode == "bfe":
        value = sources[0] >> start & field
    else:
        value = sources[1] & ~(field << start) | (sources[0] & field) << start
    machine.write(ins.operands[0], value.astype(U32), mask)


@instruction("dp4a")
def _dot_of_bytes(machine, ins, mask):
    kinds = [TYPES[m] for m in ins.modifiers]
    words = [machine.read(o, U32) for o in ins.operands[1:3]]
    value = machine.read(ins.operands[3], I32)
    for k in range(4):
        a, b = ((word >> np.uint32(8 * k) & np.uint32(255)).astype("u1").view(f"{kind.kind}1")
                .astype(I32) for word, kind in zip(words, kinds, strict=True))  # fmt: skip
        value = value + a * b
    machine.write(ins.operands[0], value, mask)


@instruction("ld")
def _load(machine, ins, mask):
    target, address = ins.operands
    registers = target if isinstance(target, list) else [target]
    size = ins.dtype.itemsize
    at = machine.addresses(address, size * len(registers), mask)
    if ins.space == "param" and (at == at[0]).all():
        at = at[0]
    lanes = machine.active(mask)
    for k, register in enumerate(registers):
        if ins.space == "param":
            value = machine.parameters.view(ins.dtype)[(at + k * size) // size]
            if value.ndim == 0:
                machine.write(register, value, mask)
                continue
        elif ins.space == "shared":
            blocks = machine.block_of_lane[lanes]
            value = machine.shared.load(at + k * size, ins.dtype, lanes, blocks)
        else:
            threads = lanes + machine.first_thread
            value = machine.memory.load(at + k * size, ins.dtype, threads)
        if mask is not None:
            full = np.zeros(machine.lanes, ins.dtype)
            full[mask] = value
            value = full
        machine.write(register, value, mask)


@instruction("st")
def _store(machine, ins, mask):
    address, source = ins.operands
    values = source if isinstance(source, list) else [source]
    size = ins.dtype.itemsize
    at = machine.addresses(address, size * len(values), mask)
    lanes = machine.active(mask)
    for k, operand in enumerate(values):
        value = np.broadcast_to(machine.read(operand, ins.dtype), (machine.lanes,))
        value = value if mask is None else value[mask]
        if ins.space == "shared":
            blocks = machine.block_of_lane[lanes]
            machine.shared.store(at + k * size, value, lanes, blocks)
        else:
            machine.memory.store(at + k * size, value, lanes + machine.first_thread)
