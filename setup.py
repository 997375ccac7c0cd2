"""Packaging of the zoo; the presets of the repository's root travel as `zoo._presets`."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (ROOT / "zoo" / "__init__.py").read_text("utf-8"))[1]
MODELS = sorted(path.name for path in (ROOT / "presets").iterdir() if path.is_dir())

TEST = ["pytest>=8", "pytest-xdist>=3.6", "hypothesis>=6", "pandas>=2", "polars>=1"]
TEST += ["setuptools>=77"]  # a test builds the source distribution, as pyproject.toml asks
BENCH = ["torch>=2.6", "psutil>=6", "tokenizers>=0.21"]

setup(
    name="keras-preset-zoo",
    version=VERSION,
    description="A Keras / TensorFlow model zoo with tuned defaults, each with its reason",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="The zoo's authors",
    keywords=["keras", "tensorflow", "presets", "text classification", "language model", "resnet"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        *(f"Programming Language :: Python :: {version}" for version in ("3.11", "3.12", "3.13")),
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
    license_expression="Apache-2.0 AND CC-BY-4.0",  # the second is of two of the bundled data sets
    license_files=[
        "LICENSE",
        "zoo/tasks/*/bundled/ATTRIBUTION.md",
        "zoo/starts/bundled/*/NOTICE.md",
    ],
    python_requires=">=3.11,<3.14",  # those that TensorFlow 2.21 has wheels for
    packages=[
        *find_packages(include=["zoo", "zoo.*"]),
        "zoo._presets",
        *(f"zoo._presets.{model}" for model in MODELS),
    ],
    package_dir={"zoo._presets": "presets"},
    package_data={
        "zoo": ["py.typed", "__init__.pyi"],
        "": ["bundled/*", "bundled/*/*"],
        "zoo._presets": ["*.yaml"],
        **{f"zoo._presets.{model}": ["*.yaml"] for model in MODELS},
    },
    entry_points={"console_scripts": ["zoo=zoo.__main__:main"]},
    install_requires=[
        "tensorflow==2.21.*",
        "keras>=3.15",
        "keras-tuner>=1.4.8",
        "scipy>=1.11",  # keras-tuner's Bayesian search needs scipy and scikit-learn
        "scikit-learn>=1.5",
        "tensorflow-text>=2.21.1,<2.22",  # 2.21.0 does not load
        "sentencepiece>=0.2.3",
        "safetensors>=0.5",
        "tensorboard>=2.19",  # keras-tuner imports it, TensorFlow no longer brings it
        "pyarrow>=18",
        "pydantic>=2.9",
        "ruamel.yaml>=0.18",
        "pillow>=11",
        "matplotlib>=3.9",
        "typer>=0.15",
        "rich>=13",
    ],
    extras_require={
        "gpu": ["tensorflow[and-cuda]==2.21.*"],
        "hub": ["keras-hub>=0.32"],  # looks up keras_hub:NAME and hf://OWNER/MODEL
        "test": TEST,
        "bench": BENCH,
        "dev": [*TEST, "ruff==0.17.5", "mypy==2.4.1", "pre-commit>=4"],
    },
)
