"""Memory of the server: idle, and at its highest through all the rows before."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench.links import NEAR_PLAIN
from bench.results import Group, Measurement, Row

if TYPE_CHECKING:
    from bench.lab import Lab

MEGABYTE = 1e6
SETTLE = 2.0  # seconds


def _idle(lab: Lab) -> list[Measurement]:
    fresh = lab.subject(NEAR_PLAIN)
    time.sleep(SETTLE)
    return [Measurement([fresh.process.resident_bytes() / MEGABYTE])]


def _peak(lab: Lab) -> list[Measurement]:
    peaks = lab.peak_bytes(lab.options.subject)
    instances = {name: round(peak / MEGABYTE, 1) for name, peak in peaks.items()}
    return [Measurement([max(instances.values())], notes={"instances": instances})]


GROUPS = (
    Group((Row("memory.idle", "memory, idle", "–", "<=", 80.0, "MB", "MB"),), _idle),
    Group((Row("memory.peak", "memory, highest of all rows above", "–", "<=", 300.0, "MB", "MB"),), _peak),
)
