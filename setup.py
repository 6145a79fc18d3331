from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent

setup(
    name="mindone-tcd",
    version="0.1.0",
    description="Few-step image generation on MindSpore: TCD and LCM schedulers for mindone's pipelines",
    long_description=(here / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10,<3.12",
    packages=find_packages(include=["mindone_tcd", "mindone_tcd.*"]),
    package_data={"mindone_tcd.shapes": ["weights/*.json", "weights/*/*"], "mindone_tcd.standins": ["layouts/*"]},
    install_requires=[
        "mindone==0.5.*",
        "transformers==4.57.1",
        "numpy>=1.26,<2",
        "scipy>=1.10",
        "pillow>=10",
    ],
    extras_require={
        "cpu": ["mindspore==2.7.1"],
        "test": ["pytest>=8"],
        "parity": ["torch==2.13.0", "diffusers==0.35.2", "peft>=0.17"],
        "openvino": ["openvino>=2025"],
        "docs": ["mkdocs-material>=9.5,<10", "mkdocstrings[python]>=0.26"],
        "dev": ["ruff>=0.14,<0.16", "pre-commit>=4"],
    },
    entry_points={"console_scripts": ["mindone-tcd=mindone_tcd.cli:main"]},
)
