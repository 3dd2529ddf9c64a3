"""PTX text to functions: one decoded instruction per line that NVRTC prints."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .memory import EmulatorError

# PTX fundamental types. Bit types are unsigned; predicates are booleans.
TYPES = {
    "pred": np.dtype(bool),
    **{
        f"{kind}{8 * size}": np.dtype(f"{code}{size}")
        for kind, code in (("u", "u"), ("s", "i"), ("b", "u"))
        for size in (1, 2, 4, 8)
    },
    "f16": np.dtype("f2"),
    "f32": np.dtype("f4"),
    "f64": np.dtype("f8"),
}


@dataclass(frozen=True)
class Register:
    name: str
    dtype: np.dtype


@dataclass(frozen=True)
class Special:
    """A read-only register: %tid.x and its like."""

    name: str


@dataclass(frozen=True)
class Address:
    base: Any
    offset: int


class Immediate:
    """A literal, or the address of a variable, in whatever type it is read."""

    def __init__(self, value: int, source: np.dtype | None = None) -> None:
        self.value, self.source, self.cache = value, source, {}

    def read(self, dtype: np.dtype) -> np.ndarray:
        if dtype not in self.cache:
            if self.source is not None:
                bits = np.array(self.value, f"u{self.source.itemsize}").view(self.source)
                self.cache[dtype] = bits if bits.dtype == dtype else bits.astype(dtype)
            else:
                wide = np.array(self.value & (1 << 64) - 1, "u8")
                self.cache[dtype] = wide.astype(dtype)
        return self.cache[dtype]


@dataclass
class Instruction:
    opcode: str
    modifiers: tuple[str, ...]
    dtype: np.dtype | None  # that of the last type modifier
    operands: list[Any]
    predicate: Register | None
    negated: bool
    text: str
    where: str
    target: int = -1  # of a branch
    space: str = ""  # of a memory access


@dataclass
class Parameter:
    name: str
    kind: str
    offset: int
    size: int


@dataclass
class Function:
    name: str
    parameters: list[Parameter] = field(default_factory=list)
    instructions: list[Instruction] = field(default_factory=list)
    shared_size: int = 0  # static; dynamic shared memory begins behind it
    max_threads: int = 1024

    @property
    def parameter_size(self) -> int:
        return self.parameters[-1].offset + self.parameters[-1].size if self.parameters else 0


def align(offset: int, to: int) -> int:
    return -(-offset // to) * to


PARAMETER = re.compile(
    r"\.param\s+(?:\.align\s+(\d+)\s+)?\.(\w+)\s+(?:\.ptr\s.*?)?(\w+)(?:\[(\d+)\])?,?$"
)
SHARED = re.compile(r"\.shared\s+\.align\s+(\d+)\s+\.b8\s+([\w$]+)\[(\d*)\];")
STATEMENT = re.compile(r"(?:@(!?)(%\w+)\s+)?([a-z][\w.:]*)\s*(.*?);$")
SPACES = ("param", "global", "shared")


class _FunctionParser:
    """The body of one entry, read line by line."""

    def __init__(self, name: str, files: dict[str, str], dynamic: list[str]) -> None:
        self.function = Function(name)
        self.files, self.dynamic = files, dynamic
        self.registers: dict[str, np.dtype] = {}
        self.symbols: dict[str, Immediate] = {}
        self.labels: dict[str, int] = {}
        self.branches: list[tuple[Instruction, str]] = []
        self.where = name

    def parameter(self, line: str) -> None:
        match = PARAMETER.match(line)
        if match is None:
            raise EmulatorError(f"parameter not understood: {line}")
        size = TYPES[match[2]].itemsize
        offset = align(self.function.parameter_size, int(match[1] or size))
        size *= int(match[4] or 1)
        self.function.parameters.append(Parameter(match[3], match[2], offset, size))
        self.symbols[match[3]] = Immediate(offset)

    def line(self, line: str) -> None:
        if line.startswith(".loc"):
            _, file, row, *_ = line.split()
            if row != "0":  # 0: made by the compiler, for the line before
                self.where = f"{self.files.get(file, '?')}:{row}"
        elif line.startswith(".reg"):
            kind, names = re.match(r"\.reg\s+\.(\w+)\s+(.*);", line).groups()
            for name in names.split(","):
                self.registers[name.strip().split("<")[0]] = TYPES[kind]
        elif match := SHARED.match(line):
            offset = align(self.function.shared_size, int(match[1]))
            self.symbols[match[2]] = Immediate(offset)
            self.function.shared_size = offset + int(match[3])
        elif line.endswith(":"):
            self.labels[line[:-1]] = len(self.function.instructions)
        elif not line.startswith(".") and line not in "{}":
            self.statement(line)

    def statement(self, line: str) -> None:
        match = STATEMENT.match(line)
        if match is None:
            raise EmulatorError(f"statement not understood: {line}")
        opcode, *modifiers = match[3].split(".")
        kinds = [TYPES[m] for m in modifiers if m in TYPES]
        parts = re.split(r",\s*(?![^{]*\})(?![^\[]*\])", match[4]) if match[4] else []
        instruction = Instruction(
            opcode, tuple(modifiers), kinds[-1] if kinds else None, [],
            self.register(match[2]) if match[2] else None, bool(match[1]), line, self.where,
            space=next((m for m in modifiers if m in SPACES), "global"),
        )  # fmt: skip
        if opcode == "bra":
            self.branches.append((instruction, parts[0]))
        else:
            instruction.operands = [self.operand(part.strip()) for part in parts]
        self.function.instructions.append(instruction)

    def register(self, name: str) -> Register:
        prefix = name if name in self.registers else re.match(r"%[a-zA-Z]+", name)[0]
        return Register(name, self.registers[prefix])

    def operand(self, text: str) -> Any:
        if text.startswith("{"):
            return [self.operand(part.strip()) for part in text.strip("{}").split(",")]
        if text.startswith("["):
            match = re.match(r"\[([^+\]]+)(?:\+(-?\d+))?\]", text)
            return Address(self.operand(match[1].strip()), int(match[2] or 0))
        if "|" in text:
            return [self.operand(part) for part in text.split("|")]
        if text.startswith("%"):
            special = re.match(r"%(n?tid|n?ctaid|laneid)\b", text)
            return Special(text) if special else self.register(text)
        if text[:2].lower() in ("0f", "0d"):
            return Immediate(int(text[2:], 16), TYPES["f32" if text[1] in "fF" else "f64"])
        if text in self.symbols:
            return self.symbols[text]
        return Immediate(int(text.rstrip("U"), 0))

    def finish(self) -> Function:
        for instruction, label in self.branches:
            instruction.target = self.labels[label]
        self.function.shared_size = align(self.function.shared_size, 16)
        for name in self.dynamic:
            self.symbols[name].value = self.function.shared_size
        return self.function


def parse(text: str) -> dict[str, Function]:
    """Every entry of a PTX module, by symbol."""
    files = dict(re.findall(r'\.file\s+(\d+)\s+"(?:[^"]*/)?([^"/]*)"', text))
    dynamic = re.findall(r"\.extern \.shared .*?(\w+)\[\];", text)
    functions: dict[str, Function] = {}
    current: _FunctionParser | None = None
    depth = 0
    for raw in text.splitlines():
        line = raw.split("//")[0].strip()
        if not line:
            continue
        if match := re.search(r"\.entry\s+(\w+)\s*\(", line):
            current = _FunctionParser(match[1], files, dynamic)
            current.symbols |= {name: Immediate(0) for name in dynamic}
        elif current is not None and depth == 0 and line.startswith(".param"):
            current.parameter(line)
        elif current is not None and line.startswith(".maxntid"):
            sizes = re.findall(r"\d+", line)
            current.function.max_threads = int(np.prod([int(size) for size in sizes]))
        elif current is not None and depth:
            current.line(line)
        depth += line.count("{") - line.count("}")
        if current is not None and line == "}" and depth == 0:
            functions[current.function.name] = current.finish()
            current = None
    return functions
