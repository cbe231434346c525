#!/usr/bin/env python3
"""How many instructions a value costs on GPUs, without one: what NVIDIA's and AMD's own compilers make of the kernels.

    pip install nvidia-cuda-nvcc-cu12 nvidia-cuda-nvdisasm     # ptxas and nvdisasm; or PTXAS and NVDISASM are their paths
    apt-get install clang mesa-vulkan-drivers libvulkan1
    cargo install naga-cli --version ^30
    python3 benches/counts/counts.py

These are counts, not time: a stand-in until a GPU is measured. They are static: each instruction of a loop's body counts once,
also one in a branch that few fills take. Memory, latencies, and which instructions issue together are not in them.

- NVIDIA (sm_90, an H100): naga writes Metal's language, which is made C++, clang makes it PTX, and NVIDIA's assembler the
  instructions, which are all counted but NOP. The driver's own way there is another one, through SPIR-V and a compiler that is
  not public; what is alike is the assembler. naga's bounds on loops are taken out, as clang does not see that they never bind.
  Each instruction goes through a pipe: ALU (integers, comparisons, selections: 64 lanes a cycle of a multiprocessor), FMA (128), IMAD
  (64, and half of that for 64-bit products), XU (16); all of them through the issue of 128. What takes most cycles is the bound.
- AMD (RDNA 2, unless `--family` says GFX1100, VEGA20, ...): naga writes SPIR-V, and Mesa's driver, RADV, compiles it with ACO,
  for a GPU that is not there. Vector instructions are counted, without loads and stores. Linux has this driver for such GPUs.

Each kernel is compiled twice, as its rounding is kept: by guards, where compilers may contract, and by the language, where they may not.

Figures are given with 64-bit products, for devices that have them, / with products of 16-bit pieces, for the others:

- a value: in the loop over a group's blocks, or in all of it if that loop is unrolled;
- once: outside of loops, for each group of 32 values;
- a redraw: a round of a truncated normal's loop, of four candidates for those of a group that were rejected;
- registers: of an invocation. Where they are many, fewer invocations run at once, which no count shows.
"""

import argparse
import ctypes
import glob
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from collections import Counter
from functools import partial
from itertools import product
from pathlib import Path
from typing import NamedTuple

KERNELS = ["constant", "uniform", "normal", "by_normal", "by_exponential"]
DTYPES = {"f32": (0, 4), "f16": (1, 2), "bf16": (2, 2)}
PRODUCTS = {"64-bit": True, "16-bit": False}
ROUNDINGS = {"guards": "ByGuards", "language": "ByLanguage"}
MARK = "fanin kernel "


def tool(name, install):
    """A program's path: as the environment says, from a package of this Python, or from the PATH."""
    named = os.environ.get(name.upper().strip("+"), name)
    packages = [folder for entry in sys.path for folder in glob.glob(f"{entry}/nvidia/*/bin")]
    found = shutil.which(named, path=os.pathsep.join(packages)) or shutil.which(named)
    return found or sys.exit(f"there is no {named}: {install}")


def output(*command, **more):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **more)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


# The kernels' text, from the lists of their parts.


class Sources:
    """What `source` in src/gpu/kernels.rs puts together of its own texts and src/kernel's, for blocks of values."""

    def __init__(self, root):
        self.root = root
        text = (root / "src/gpu/kernels.rs").read_text()
        # Lists of texts in the kernels' own files. What a kernel's list has for itself alone has its name.
        own = "".join(path.read_text() for path in sorted((root / "src/kernel").glob("*.rs")))
        lists = re.findall(r"\[((?:\s*include_str!\([^)]*\),?)+)\s*\]", own)
        lists = [re.findall(r"(\w+)\.wgsl", parts) for parts in lists]
        self.own = {kernel: next((parts for parts in lists if kernel in parts), None) for kernel in KERNELS}
        source = text[text.find("fn source(") :]
        write = r'\(Writes::Blocks, {}\) => part!\("(\w+)"\)'
        self.write = {size: re.search(write.format(match), source) for size, match in [(4, 4), (2, "_")]}
        self.choices = {
            name: {True: wide, False: narrow}
            for name, wide, narrow in re.findall(
                r'let (\w+) = if wide \{ part!\("(\w+)"\) \} else \{ part!\("(\w+)"\) \}', source
            )
        }
        self.shared = re.search(r"let shared =\s*\[(.*?)\];", source, re.DOTALL)
        self.hidden = dict(re.findall(r'Rounding::(\w+) => part!\("(\w+)"\)', text))
        found = all(self.write.values()) and self.choices and self.shared and set(self.hidden) == set(ROUNDINGS.values())
        if not (found and all(self.own.values())):
            sys.exit(f"{root}/src lists the kernels' parts in a way that this script does not read")

    @staticmethod
    def parts(text):
        return re.findall(r'part!\("(\w+)"\)|\b([A-Za-z]\w*)\b', text)

    def wgsl(self, kernel, size, wide, rounding="guards"):
        choices = {"write": self.write[size][1], "hidden": self.hidden[ROUNDINGS[rounding]]}
        choices |= {name: choice[wide] for name, choice in self.choices.items()}
        shared = [part or choices[name] for part, name in self.parts(self.shared[1])]
        files = [self.root / "shaders" / f"{part}.wgsl" for part in shared + self.own[kernel]]
        return "\n".join(file.read_text() for file in files)


# What a compiler made, as a graph.


class Instruction(NamedTuple):
    name: str
    operands: str
    # Where it may go on, as indices.
    next: list


class Key(NamedTuple):
    kernel: str
    rounding: str
    products: str


class Figures(NamedTuple):
    value: float
    once: int | None
    redraw: int | None
    registers: int
    # Instructions of each kind for a value.
    kinds: dict
    notes: list

    def cells(self):
        once = "in it" if self.once is None else str(self.once)
        return f"{self.value:.1f}", once, "-" if self.redraw is None else str(self.redraw), str(self.registers)


def cycles(code, among):
    """The loops among some instructions: those that reach one another (Tarjan 1972), in the order of the code."""
    number, low, stack, stacked, found = {}, {}, [], set(), []
    for root in sorted(among):
        work = [(root, None)] if root not in number else []
        while work:
            at, after = work.pop()
            if after is None:
                number[at] = low[at] = len(number)
                stack.append(at)
                stacked.add(at)
                after = iter([to for to in code[at].next if to in among])
            for to in after:
                if to not in number:
                    work += [(at, after), (to, None)]
                    break
                if to in stacked:
                    low[at] = min(low[at], low[to])
            else:
                if low[at] == number[at]:
                    loop = set()
                    while at not in loop:
                        loop.add(stack.pop())
                    stacked -= loop
                    if len(loop) > 1 or at in code[at].next:
                        found.append(loop)
                if work:
                    before = work[-1][0]
                    low[before] = min(low[before], low[at])
    return sorted(found, key=min)


def reached(code):
    seen, work = set(), [0]
    while work:
        at = work.pop()
        if at not in seen:
            seen.add(at)
            work += code[at].next
    return seen


def kind(instruction):
    """Its name, with what tells 64-bit products from others."""
    return instruction.name + ".WIDE" * (".WIDE" in instruction.operands.split(" ")[0])


def figures(code, counts, stored, size, registers):
    """`counts` says which instructions count, `stored` how many bytes one stores for each invocation."""
    alive = reached(code)
    loops = cycles(code, alive)
    straight = alive.difference(*loops)

    def blocks(part):
        # Single elements, which a redraw stores, are of a word.
        return sum(stored(code[i]) for i in part if stored(code[i]) > 4) / (4 * size)

    def length(part):
        return sum(counts(code[i]) for i in part)

    drawn = max([*loops, straight], key=blocks)
    if not blocks(drawn):
        sys.exit("a kernel stores no block")
    notes = []
    if drawn is not straight:
        entry = {to for i in alive - drawn for to in code[i].next if to in drawn}
        notes += ["its loop over blocks has a loop inside, counted once"] * bool(cycles(code, drawn - entry))
    others = [length(loop) for loop in loops if loop is not drawn]
    values = 4 * blocks(drawn)
    kinds = Counter(kind(code[i]) for i in drawn if counts(code[i]))
    kinds = {name: number / values for name, number in kinds.most_common()}
    once = None if drawn is straight else length(straight)
    value = length(drawn) / values
    return Figures(value, once, max(others, default=None), registers, kinds, notes)


# NVIDIA.


# Of each pipe, how many lanes it takes in a cycle of a multiprocessor of an H100, and what goes through it. What is named nowhere
# (stores, branches, what all lanes share) takes its turn to issue alone.
PIPES = {
    "ALU": (
        64,
        "BMSK CSEL F2FP FCHK FMNMX FSEL FSETP I2FP IABS IADD IADD3 IMNMX ISETP LEA LOP LOP3 MOV P2R PLOP3 PRMT R2P SEL SGXT SHF VABSDIFF"
        " VIADD VIADDMNMX VIMNMX",
    ),
    "FMA": (128, "FADD FFMA FMUL"),
    "IMAD": (64, "IMAD IMAD.WIDE"),
    "XU": (16, "BREV F2I FLO I2F MUFU POPC"),
}
ISSUE = 128


def pipes(kinds):
    """Instructions of each pipe for a value, and what bounds it: the pipe or the issue, and cycles of a multiprocessor."""
    of = {pipe: sum(kinds.get(name, 0) for name in names.split()) for pipe, (_, names) in PIPES.items()}
    cycles = {pipe: number / PIPES[pipe][0] for pipe, number in of.items()}
    # A 64-bit product takes two turns.
    cycles["IMAD"] += kinds.get("IMAD.WIDE", 0) / PIPES["IMAD"][0]
    cycles["issue"] = sum(kinds.values()) / ISSUE
    by = max(cycles, key=cycles.get)
    return of, by, cycles[by]


class Nvidia:
    NEEDS = ["naga", "clang++", "ptxas", "nvdisasm"]
    title = "NVIDIA sm_90"

    def __init__(self, sources, tools):
        self.harness, self.tools = sources.root / "src/gpu/kernels", tools

    def about(self):
        ptxas = re.search(r"V([\d.]+)", output(self.tools["ptxas"], "--version"))[1]
        return f"ptxas {ptxas} after {output(self.tools['clang++'], '--version').splitlines()[0]}"

    @staticmethod
    def bound(figures):
        of, by, cycles = pipes(figures.kinds)
        return f"{cycles:.3f} {by}", {"pipes": of, "bound_by": by, "bound_cycles": cycles}

    def compile(self, folder, kernels, size):
        # What the tests' header includes, for a device that has no library.
        for header in ["cstdint", "cstdio", "cstdlib", "cstring", "vector"]:
            (folder / header).write_text({"cstdint": "#include <stdint.h>\n"}.get(header, ""))
        for key, naga in kernels.items():
            naga(folder / "kernel.metal", "--metal-version", "2.3")
            (folder / "kernel.cu").write_text(self.cuda((folder / "kernel.metal").read_text()))
            options = "-x cuda --cuda-device-only --cuda-gpu-arch=sm_80 -nocudainc -nocudalib -w -S -std=c++17 -O3"
            options += " -ffreestanding -fno-strict-aliasing -mllvm -inline-threshold=100000"
            options += f" -ffp-contract={'off' if key.rounding == 'language' else 'fast'}"
            # naga writes numbers of single precision without an f.
            options += " -Xclang -cl-single-precision-constant"
            command = [self.tools["clang++"], *options.split(), f"-I{folder}", f"-I{self.harness}"]
            output(*command, folder / "kernel.cu", "-o", folder / "kernel.ptx")
            cubin = folder / "kernel.cubin"
            said = output(self.tools["ptxas"], "-v", "-arch=sm_90", folder / "kernel.ptx", "-o", cubin)
            registers = int(re.search(r"Used (\d+) registers", said)[1])
            code = self.read(output(self.tools["nvdisasm"], "-c", cubin))
            result = figures(code, lambda i: i.name != "NOP", self.stored, size, registers)
            spilled = re.search(r"(\d+) bytes spill stores", said)
            result.notes.extend(["registers are spilled"] * bool(spilled and int(spilled[1])))
            result.notes.extend(["calls a function, which is not counted"] * any(i.name == "CALL" for i in code))
            yield key, result

    @staticmethod
    def cuda(metal):
        metal = re.sub(r"^(#include|using) .*$", "", metal, flags=re.MULTILINE)
        metal = re.sub(r"\[\[.*?\]\]", "", metal)
        # A runtime-sized array, whose type says one element.
        metal, arrays = re.subn(r"typedef (\S+) (\w+)\[1\];", r"typedef array_of<\1> \2;", metal)
        metal = re.sub(r"^.*\bloop_bound\w* -= .*$|^.*\ball\(loop_bound.*$", "", metal, flags=re.MULTILINE)
        # clang loses sight of what has 32 bits alone, and adds up zeros.
        wide = r"static_cast<ulong>\((\w+)\) \* static_cast<ulong>\((\w+)\)"
        metal = re.sub(wide, r"wide_product(\1, \2)", metal)
        given = re.search(r"void main_\([^{]*?constant (\w+)& given\b", metal)
        element = re.search(r"typedef array_of<(\S+)> (\w+);", metal)
        if arrays != 1 or not given:
            sys.exit("naga writes Metal's language in a way that this script does not read")
        sizes = ", {}" if re.search(r"main_\([^{]*_mslBufferSizes", metal) else ""
        return f"""
#define memcpy __builtin_memcpy
#pragma clang force_cuda_host_device begin
#include "harness.hpp"
static inline unsigned long wide_product(unsigned a, unsigned b) {{
    unsigned long product;
    asm("mul.wide.u32 %0, %1, %2;" : "=l"(product) : "r"(a), "r"(b));
    return product;
}}
{metal}
#pragma clang force_cuda_host_device end
extern "C" __attribute__((global)) void entry({given[1]} given, {element[1]} *first) {{
    {element[2]} elements{{first}};
    uint place = __nvvm_read_ptx_sreg_ctaid_x() * 64 + __nvvm_read_ptx_sreg_tid_x();
    main_(metal::uint3(place, 0, 0), given, elements{sizes});
}}
"""

    @staticmethod
    def read(text):
        lines, labels, meeting = [], {}, {}
        for line in text[text.index(".text.entry:") :].splitlines():
            if label := re.match(r"\s*(\.L\w+):", line):
                labels[label[1]] = len(lines)
            elif found := re.match(r"\s*/\*[0-9a-f]{4,}\*/\s+(@!?\w+ )?\s*([A-Z]\w*)(\S*)\s*(.*?)\s*;", line):
                lines.append(found.groups(""))
        code = []
        for i, (predicate, name, kind, operands) in enumerate(lines):
            target = [labels[label] for label in re.findall(r"`\((\.L\w+)\)", operands)]
            on = [i + 1]
            if name == "BSSY":
                meeting[operands.split(",")[0]] = target
            elif name == "BSYNC":
                on = meeting[operands] + on * bool(predicate)
            elif name == "BRA":
                on = target + on * bool(predicate or kind or not operands.startswith("`"))
            elif name in ("EXIT", "RET"):
                on *= bool(predicate)
            elif name in ("BRX", "JMX", "JMP"):
                sys.exit(f"{name} goes where this script does not see")
            code.append(Instruction(name, kind + " " + operands, [to for to in on if to < len(lines)]))
        return code

    @staticmethod
    def stored(instruction):
        if instruction.name not in ("ST", "STG"):
            return 0
        kind = instruction.operands.split()[0].split(".")
        return 16 if "128" in kind else 8 if "64" in kind else 4


# AMD.


class Amd:
    NEEDS = ["naga"]

    def __init__(self, family):
        self.family, self.title = family, f"AMD {family}"
        drivers = [d for folder in ["/usr/share", "/etc"] for d in glob.glob(f"{folder}/vulkan/icd.d/radeon_icd*.json")]
        if not drivers:
            sys.exit("there is no RADV: apt-get install mesa-vulkan-drivers libvulkan1")
        self.driver = drivers[0]

    def said(self, modules):
        """What the driver prints, in a process of its own, as it reads its environment when it is loaded."""
        about = {"VK_DRIVER_FILES": self.driver, "VK_ICD_FILENAMES": self.driver, "RADV_FORCE_FAMILY": self.family}
        about |= {"RADV_DEBUG": "shaders,nocache", "XDG_RUNTIME_DIR": os.environ.get("XDG_RUNTIME_DIR", "/tmp")}
        kept = {key: value for key, value in os.environ.items() if key != "VK_ADD_DRIVER_FILES"}
        return output(sys.executable, __file__, "--vulkan", *modules, env={**kept, **about})

    def about(self):
        return self.said([]).strip().splitlines()[-1]

    @staticmethod
    def bound(_):
        return "-", {}

    def compile(self, folder, kernels, size):
        keys = list(kernels)
        modules = [folder / f"{i}.spv" for i in range(len(keys))]
        for key, module, naga in zip(keys, modules, kernels.values()):
            naga(module, "--spirv-version", "1.3")
            if key.rounding == "language":
                mark(module)
        texts = self.said(modules).split(MARK)[1:]
        for key, text in zip(keys, texts, strict=True):
            _, begun, assembly = text.partition("\ndisasm:\n")
            if not begun:
                sys.exit(f"RADV shows no assembly for {self.family}:\n{text[-2000:]}")
            code = self.read(assembly)
            # Without a GPU the driver has no statistics.
            numbers = re.findall(r"\bv(?:\[\d+:)?(\d+)", " ".join(i.operands for i in code))
            registers = 1 + max(map(int, numbers))
            yield key, figures(code, lambda i: i.name.startswith("v_"), self.stored, size, registers)

    @staticmethod
    def read(text):
        lines, labels = [], {}
        for line in text.splitlines():
            if label := re.match(r"(BB\d+):", line):
                labels[label[1]] = len(lines)
            elif found := re.match(r"\t([a-z]\w*)\s*([^;]*)", line):
                lines.append(found.groups())
        code = []
        for i, (name, operands) in enumerate(lines):
            on = [i + 1]
            if name.startswith(("s_branch", "s_cbranch")):
                on = [labels[operands.strip()]] + on * name.startswith("s_cbranch")
            elif name.startswith("s_endpgm"):
                on = []
            elif name.startswith(("s_setpc", "s_swappc")):
                sys.exit(f"{name} goes where this script does not see")
            code.append(Instruction(name, operands, [to for to in on if to < len(lines)]))
        return code

    @staticmethod
    def stored(instruction):
        if "store" not in instruction.name:
            return 0
        widths = {"x4": 16, "x3": 12, "x2": 8, "b128": 16, "b96": 12, "b64": 8}
        return next((bytes for end, bytes in widths.items() if instruction.name.endswith(end)), 4)


def mark(module):
    """What src/gpu/spirv.rs does: decorates each f32 operation with NoContraction."""
    data = module.read_bytes()
    words = list(struct.unpack(f"<{len(data) // 4}I", data))
    at, ids, types = 5, [], None
    while at < len(words):
        op, length = words[at] & 0xFFFF, words[at] >> 16
        # OpFNegate, OpFAdd, OpFSub, OpFMul, OpVectorTimesScalar; types are from OpTypeVoid to OpTypeFunction.
        if op in (127, 129, 131, 133, 142):
            ids.append(words[at + 2])
        if types is None and 19 <= op <= 33:
            types = at
        at += length
    words[types:types] = [word for result in ids for word in (3 << 16 | 71, result, 42)]
    module.write_bytes(struct.pack(f"<{len(words)}I", *words))


def be_vulkan(modules):
    """Has a driver compile modules, by Vulkan's own functions: wgpu wants a device that can run, too."""
    vulkan, kept = ctypes.CDLL("libvulkan.so.1"), []

    def made(layout, *values):
        """A structure's address: `layout` as in Python's struct, with 0P where it is to end as C pads it."""
        kept.append(ctypes.create_string_buffer(struct.pack("@" + layout, *values)))
        return ctypes.addressof(kept[-1])

    def call(name, *arguments):
        if result := getattr(vulkan, name)(*arguments):
            sys.exit(f"{name} gave {result}")

    def create(name, owner, about):
        handle = ctypes.c_uint64()
        call(name, owner, ctypes.c_void_p(about), None, ctypes.byref(handle))
        return handle.value

    # Each begins with its type, and a pointer to more.
    application = made("IPPIPII0P", 0, 0, 0, 0, 0, 0, 1 << 22 | 2 << 12)
    instance = ctypes.c_void_p()
    about = ctypes.c_void_p(made("IPIPIPIP", 1, 0, 0, application, 0, 0, 0, 0))
    call("vkCreateInstance", about, None, ctypes.byref(instance))
    physical = ctypes.c_void_p()
    call("vkEnumeratePhysicalDevices", instance, ctypes.byref(ctypes.c_uint32(1)), ctypes.byref(physical))
    properties = ctypes.create_string_buffer(4096)
    vulkan.vkGetPhysicalDeviceProperties(physical, properties)
    version = struct.unpack_from("@II", properties.raw)[1]
    name = properties.raw[20:].split(b"\0")[0].decode()
    print(f"{name}, Mesa {version >> 22}.{version >> 12 & 1023}.{version & 4095}", flush=True)
    queue = made("IPIIIP", 2, 0, 0, 0, 1, made("f", 1.0))
    # shaderInt64 is the 41st of the 55 features of Vulkan 1.0.
    features = made("55I", *[int(i == 40) for i in range(55)])
    about = made("IPIIPIPIPP", 3, 0, 0, 1, queue, 0, 0, 0, 0, features)
    device = ctypes.c_void_p(create("vkCreateDevice", physical, about))
    # A uniform buffer with a dynamic offset, and a storage buffer.
    bindings = made("IIIIP" * 2, 0, 8, 1, 32, 0, 1, 7, 1, 32, 0)
    layouts = made("Q", create("vkCreateDescriptorSetLayout", device, made("IPIIP", 32, 0, 0, 2, bindings)))
    layout = create("vkCreatePipelineLayout", device, made("IPIIPIP", 30, 0, 0, 1, layouts, 0, 0))
    main = made("5s", b"main")
    for module in modules:
        spirv = Path(module).read_bytes()
        about = made("IPINP", 16, 0, 0, len(spirv), made(f"{len(spirv)}s", spirv))
        shader = create("vkCreateShaderModule", device, about)
        stage = (18, 0, 0, 32, shader, main, 0)
        about = made("IPI0P" + "IPIIQPP" + "QQi0P", 29, 0, 0, *stage, layout, 0, -1)
        os.write(2, f"\n{MARK}{module}\n".encode())
        pipeline = ctypes.c_uint64()
        call("vkCreateComputePipelines", device, None, 1, ctypes.c_void_p(about), None, ctypes.byref(pipeline))


# The tables.


def main():
    if sys.argv[1:2] == ["--vulkan"]:
        return be_vulkan(sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kernels", nargs="*", help=f"their files' names, {' '.join(KERNELS)} if none is given")
    parser.add_argument("--dtype", action="append", choices=DTYPES, help="f32 and bf16 if not given")
    parser.add_argument("--override", action="append", default=[], metavar="NAME=NUMBER", help="a pipeline's constant")
    parser.add_argument("--compiler", action="append", choices=["nvidia", "amd"], help="both if not given")
    parser.add_argument("--family", default="NAVI21", help="AMD's, as RADV_FORCE_FAMILY names it")
    parser.add_argument("--rounding", action="append", choices=ROUNDINGS, help="both if not given")
    parser.add_argument("--kinds", action="store_true", help="which instructions they are")
    parser.add_argument("--json", action="store_true", help="print a JSON array, with pipes and kinds, instead of tables")
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[2], help="another checkout of the project")
    given = parser.parse_args()

    sources = Sources(given.root.resolve())
    wanted = given.kernels or KERNELS
    if unknown := set(wanted) - set(sources.own):
        parser.error(f"there is no kernel {', '.join(sorted(unknown))}; there are {', '.join(sources.own)}")
    overrides = {}
    for override in given.override:
        name, _, number = override.partition("=")
        if not re.fullmatch(r"\d+(\.\d+)?", number) or name == "dtype":
            parser.error(f"--override {override}: NAME=NUMBER, and dtypes by --dtype")
        if not any(re.search(rf"^override {name}\b", sources.wgsl(k, 4, True), re.MULTILINE) for k in wanted):
            parser.error(f"--override {override}: no kernel has such a constant")
        overrides[name] = number

    by = given.compiler or ["nvidia", "amd"]
    install = {
        "naga": "cargo install naga-cli --version ^30",
        "clang++": "apt-get install clang",
        "ptxas": "pip install nvidia-cuda-nvcc-cu12, or PTXAS is its path",
        "nvdisasm": "pip install nvidia-cuda-nvdisasm, or NVDISASM is its path",
    }
    needed = {name for compiler in by for name in {"nvidia": Nvidia, "amd": Amd}[compiler].NEEDS}
    tools = {name: tool(name, how) for name, how in install.items() if name in needed}
    compilers = [Nvidia(sources, tools) if compiler == "nvidia" else Amd(given.family) for compiler in by]

    def say(*text):
        if not given.json:
            print(*text, flush=True)

    say("Instructions, not time: a stand-in until a GPU is measured.")
    say(f"naga {output(tools['naga'], '--version').strip()}")
    for compiler in compilers:
        say(f"{compiler.title}: {compiler.about()}")
    rows = []
    for dtype in given.dtype or ["f32", "bf16"]:
        number, size = DTYPES[dtype]
        constants = {"dtype": number, **overrides}
        say(f"\n{', '.join([dtype, *(f'{name}={number}' for name, number in overrides.items())])}\n")
        say("| kernel | compiler | rounding by | a value | once | a redraw | registers | bound |")
        say("|---|---|---|---|---|---|---|---|")
        with tempfile.TemporaryDirectory() as folder:
            folder, kernels = Path(folder), {}
            keys = [Key(*key) for key in product(wanted, given.rounding or ROUNDINGS, PRODUCTS)]
            for key in keys:
                wgsl = folder / f"{'-'.join(key)}.wgsl"
                wgsl.write_text(sources.wgsl(key.kernel, size, PRODUCTS[key.products], key.rounding))
                override = ",".join(f"{name}={value}" for name, value in constants.items())
                options = ["--override", override, "--capabilities", "all"]
                kernels[key] = partial(output, tools["naga"], *options, wgsl)
            results = [dict(compiler.compile(folder, kernels, size)) for compiler in compilers]
        details = []
        for (kernel, rounding), (compiler, result) in product(
            dict.fromkeys((key.kernel, key.rounding) for key in keys), zip(compilers, results)
        ):
            found = {products: result[Key(kernel, rounding, products)] for products in PRODUCTS}
            bounds = {products: compiler.bound(figures) for products, figures in found.items()}
            cells = [figures.cells() + (bounds[products][0],) for products, figures in found.items()]
            columns = [" / ".join(cell) for cell in zip(*cells)]
            say("| " + " | ".join([kernel, compiler.title, rounding, *columns]) + " |")
            for products, figures in found.items():
                which = f"- {kernel}, {compiler.title}, {rounding}, {products}: "
                details += [which + note for note in figures.notes]
                if given.kinds:
                    details.append(which + ", ".join(f"{n:.2f} {name}" for name, n in figures.kinds.items()))
                about = {"kernel": kernel, "dtype": dtype, "compiler": compiler.title, "rounding": rounding, "products": products}
                rows.append(about | figures._asdict() | bounds[products][1])
        if details:
            say("\n" + "\n".join(details))
    if given.json:
        print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
