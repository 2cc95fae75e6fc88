"""
The mapping language: which events a preset takes (FQL), and what payload it makes of one.

``compile_subscription`` and ``compile_mapping`` are what the gateway itself uses; both are pure, compile once
into plain Python, and raise `crossdock.errors.MappingError`.
"""

from __future__ import annotations

from crossdock.mapping.compiled import CompiledMapping, CompiledPreset, Mapped, compile_file
from crossdock.mapping.compiler import MappingErrors, compile_mapping
from crossdock.mapping.examples import run_examples
from crossdock.mapping.explain import Explanation, explain_preset, explain_subscription
from crossdock.mapping.preset import MappingFile, Preset, load_mapping, shipped_mapping_path
from crossdock.mapping.schema import mapping_schema
from crossdock.mapping.subscription import compile_subscription
from crossdock.mapping.subscription_traps import warnings

__all__ = [
    "CompiledMapping",
    "CompiledPreset",
    "Explanation",
    "Mapped",
    "MappingErrors",
    "MappingFile",
    "Preset",
    "compile_file",
    "compile_mapping",
    "compile_subscription",
    "explain_preset",
    "explain_subscription",
    "load_mapping",
    "mapping_schema",
    "run_examples",
    "shipped_mapping_path",
    "warnings",
]
