"""Packaging of tb_activations. Tool settings live in pyproject.toml."""

from __future__ import annotations

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.search(r'^__version__ = "(.+)"$', (ROOT / "tb_activations/__init__.py").read_text(encoding="utf-8"), re.M)
assert VERSION is not None

setup(
    name="tb-activations",
    version=VERSION[1],
    description="See any tensor of a Keras model, while it trains, without leaving graph mode: a callback and a TensorBoard plugin.",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    keywords=["keras", "tensorflow", "tensorboard", "activations", "gradients", "debugging"],
    packages=find_packages(include=["tb_activations", "tb_activations.*"]),
    package_data={"tb_activations": ["py.typed"], "tb_activations.plugin": ["static/*"]},
    python_requires=">=3.10",
    install_requires=[
        "ml_dtypes>=0.3",
        "numpy>=1.26",
        "tensorboard>=2.16",
        "werkzeug>=2.2",
    ],
    extras_require={"tensorflow": ["tensorflow>=2.16"], "demo": ["scikit-learn>=1.4"]},
    entry_points={
        "tensorboard_plugins": ["tb_activations = tb_activations.plugin.loader:ActivationsLoader"],
        "console_scripts": ["tb-activations = tb_activations.cli:main"],
    },
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3 :: Only",
        *(f"Programming Language :: Python :: 3.{minor}" for minor in (10, 11, 12, 13)),
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
)
