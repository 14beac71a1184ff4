"""Where things are: the project's own folder."""

from __future__ import annotations

from pathlib import Path

ENGINE = Path(__file__).resolve().parents[1]
PROJECT = ENGINE.parent
STARTER = PROJECT / "artifacts" / "starter"
