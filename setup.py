"""Build the compiled modules: what pyproject.toml cannot say.

Environment: IMPLICITPAD_OPENMP=0 builds without OpenMP.
"""

import os
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from glob import glob
from pathlib import Path
from sysconfig import get_platform

from Cython.Build import cythonize
from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, LinkError

# The table of compiled modules: name below implicitpad -> sources below pyx/.
EXTENSIONS = {
    "_conv_cpu": [
        "conv_cpu.pyx",
        "kernels_vnni.c",
        "kernels_vbmi.c",
        "kernels_bf16.c",
        "kernels_avx512.c",
        "kernels_avx2.c",
        "kernels_baseline.c",
    ],
    "_transpose_cpu": ["transpose_cpu.pyx"],
    "_columns_cpu": ["columns_cpu.pyx"],
    "_gradient_cpu": ["gradient_cpu.pyx"],
    "_gradient_planes_cpu": ["gradient_planes_cpu.pyx"],
    "_pool_gradient_cpu": [
        "pool_gradient_cpu.pyx",
        "kernels_gradient_avx512.c",
        "kernels_gradient_avx2.c",
        "kernels_gradient_baseline.c",
    ],
    "_fold_cpu": ["fold_cpu.pyx"],
    "_pool_cpu": [
        "pool_cpu.pyx",
        "kernels_pool_avx512.c",
        "kernels_pool_avx2.c",
        "kernels_pool_baseline.c",
    ],
}

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "initializedcheck": False,
    "wraparound": False,
    "cdivision": True,
    "freethreading_compatible": True,
}

# Kernels promise NaN, infinities and one order of summation: contraction into fused multiply-adds
# is the only licence the compiler gets, and it is the same in every instruction set's build.
# Python's own -fwrapv is taken back: with it GCC keeps unrolled accumulators on the stack.
UNIX_FLAGS = ["-O3", "-std=gnu11", "-ffp-contract=fast", "-fno-math-errno", "-fno-wrapv"]
MSVC_FLAGS = ["/O2", "/std:c11"]

# GCC takes the instruction set of a kernel file from the pragma at its top, which Clang ignores.
CLANG_TARGETS = {
    "vnni.c": ["-march=x86-64-v4", "-mavx512vnni"],
    "vbmi.c": ["-march=x86-64-v4", "-mavx512vnni", "-mavx512vbmi"],
    "bf16.c": ["-march=x86-64-v4", "-mavx512bf16"],
    "avx512.c": ["-march=x86-64-v4"],
    "avx2.c": ["-march=x86-64-v3"],
}

# Compiler and linker flags for OpenMP, the first pair that links; without one, loops are serial.
OPENMP_UNIX = [(["-fopenmp"], ["-fopenmp"])] + [
    (["-Xpreprocessor", "-fopenmp", f"-I{p}/include"], [f"-L{p}/lib", "-lomp"])
    for p in ("/opt/homebrew/opt/libomp", "/usr/local/opt/libomp", "/opt/local/libomp")
]
OPENMP_MSVC = [(["/openmp"], [])]
OPENMP_PROGRAM = "#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n"


class BuildExtensions(build_ext):
    """Probe the compiler once, then compile every source file in parallel."""

    def openmp(self, candidates):
        if os.environ.get("IMPLICITPAD_OPENMP") != "0":
            for flags, link_flags in candidates:
                with tempfile.TemporaryDirectory() as folder, suppress(CompileError, LinkError):
                    source = Path(folder, "probe.c")
                    source.write_text(OPENMP_PROGRAM)
                    objects = self.compiler.compile([str(source)], folder, extra_postargs=flags)
                    self.compiler.link_executable(
                        objects, "probe", output_dir=folder, extra_postargs=link_flags
                    )
                    return flags, link_flags
        print("implicitpad: building without OpenMP; every call runs on one thread")
        return [], []

    def is_clang_for_x86(self):
        command = [*self.compiler.compiler, "--version"]
        version = subprocess.run(command, capture_output=True, text=True).stdout
        return "clang" in version and get_platform().endswith("x86_64")

    def build_extensions(self):
        msvc = self.compiler.compiler_type == "msvc"
        flags, link_flags = self.openmp(OPENMP_MSVC if msvc else OPENMP_UNIX)
        for extension in self.extensions:
            extension.extra_compile_args = (MSVC_FLAGS if msvc else UNIX_FLAGS) + flags
            extension.extra_link_args = link_flags
        targets = CLANG_TARGETS if not msvc and self.is_clang_for_x86() else {}
        compile_files = self.compiler.compile

        def compile_in_parallel(sources, *, extra_postargs, **options):
            def compile_one(source):
                target = targets.get(source.rpartition("_")[2], [])
                return compile_files([source], extra_postargs=extra_postargs + target, **options)

            with ThreadPoolExecutor(os.cpu_count()) as pool:
                return [name for names in pool.map(compile_one, sources) for name in names]

        self.compiler.compile = compile_in_parallel
        super().build_extensions()


extensions = [
    Extension(
        f"implicitpad.{name}",
        [f"pyx/{source}" for source in sources],
        include_dirs=["pyx"],
        depends=glob("pyx/*.h") + glob("pyx/*.pxd"),
    )
    for name, sources in EXTENSIONS.items()
]
# Folders at the root that are installed inside the package.
folders = {"implicitpad.spec": "spec", "implicitpad._cuda": "cuda"}
packages = find_packages(include=["implicitpad*"]) + list(folders)
packages += [f"implicitpad.spec.{name}" for name in find_packages("spec")]

setup(
    packages=packages,
    package_dir=folders,
    package_data={"implicitpad": ["py.typed", "*.pyi"], "implicitpad._cuda": ["*.cu", "*.cuh"]},
    ext_modules=cythonize(
        extensions, include_path=["pyx"], build_dir="build/cython", compiler_directives=DIRECTIVES
    ),
    cmdclass={"build_ext": BuildExtensions},
)
