"""
What every test shares. Warnings are errors: pyproject.toml keeps that.

Property tests look at the same examples on every CI run, which then fails for a change and never by chance;
elsewhere each run looks at new ones. How long an example takes says nothing on a shared machine.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile("new", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", settings.get_profile("new"), derandomize=True, database=None)
settings.load_profile("same" if os.environ.get("CI") else "new")
