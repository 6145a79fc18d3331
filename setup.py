import zlib
from pathlib import Path

from setuptools import Extension, find_packages, setup

here = Path(__file__).parent
version: dict = {}
exec((here / "mindone_tcd" / "version.py").read_text(encoding="utf-8"), version)
native = "mindone_tcd/cpu/native/kernels.cpp"

# A plain library that MindSpore loads, not a Python module. Where there is no compiler, building it ends in a warning,
# and mindone_tcd.cpu does without. The instruction set is chosen when it is loaded, so -march has no place here.
kernels = Extension(
    "mindone_tcd.cpu.native.kernels",
    [native],
    define_macros=[("BUILT_FROM", f"{zlib.crc32((here / native).read_bytes())}u")],
    extra_compile_args=[
        *("-std=c++17", "-O3", "-pthread", "-fopenmp-simd", "-fvisibility=hidden"),
        *("-fno-math-errno", "-fno-trapping-math"),
    ],
    extra_link_args=["-pthread"],
    language="c++",
    optional=True,
)

setup(
    name="mindone-tcd",
    version=version["__version__"],
    description="Few-step image generation on MindSpore: TCD and LCM schedulers for mindone's pipelines",
    long_description=(here / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10,<3.12",
    packages=find_packages(include=["mindone_tcd", "mindone_tcd.*"]),
    package_data={
        "mindone_tcd": ["py.typed"],
        "mindone_tcd.cpu.native": ["kernels.cpp"],
        "mindone_tcd.selftest": ["images.npz"],
        "mindone_tcd.shapes": ["weights/*.json", "weights/*/*", "family/*/*", "family/*/*/*", "family/*/*/*/*"],
        "mindone_tcd.tiny_models": ["layouts/*"],
    },
    ext_modules=[kernels],
    install_requires=[
        "mindone==0.5.*",
        "transformers==4.57.1",
        "numpy>=1.26,<2",
        "scipy>=1.10",
        "pillow>=10.1",
        "safetensors>=0.4",
        "huggingface_hub>=0.34,<1",
        "opencv-python>=4.8,<4.12",
    ],
    extras_require={
        "cpu": ["mindspore==2.7.1"],
        "test": ["pytest>=8", "pytest-xdist>=3.6"],
        "compare": ["scikit-image==0.26.*"],
        "parity": ["torch==2.13.0", "diffusers==0.35.2", "peft>=0.17"],
        "openvino": ["openvino>=2026", "nncf==3.4.*"],
        "mp4": ["imageio-ffmpeg>=0.5"],
        "demo": ["gradio>=6.9,<7"],
        "modelscope": ["modelscope>=1.20"],
        "docs": [
            *("mkdocs-material>=9.5,<10", "mkdocs-static-i18n>=1.3,<2", "mkdocstrings[python]>=0.26", "jieba>=0.42"),
            *("nbformat>=5.10,<6", "nbclient>=0.10,<1", "ipykernel>=6.29,<8", "selenium>=4.20,<5"),
        ],
        "dev": ["ruff>=0.14,<0.16", "mypy>=2.4,<3", "pre-commit>=4"],
    },
    entry_points={"console_scripts": ["mindone-tcd=mindone_tcd.cli:main"]},
)
