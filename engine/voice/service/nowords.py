"""Why there are no words of a song, and what to do: who was asked, who did not answer."""

from __future__ import annotations

from collections.abc import Sequence

from engine.base.errors import LyricsNotFound


def no_words(
    song: str, title: str | None, asked: Sequence[str], silent: Sequence[str] = ()
) -> LyricsNotFound:
    """`song` as a sentence names it; `silent` are those of `asked` that gave no answer at all."""
    if not asked:
        return LyricsNotFound(
            "No source of lyrics is set up here (SHAZAM_LRCLIB_URL, SHAZAM_GENIUS_TOKEN). Send the "
            "words in 'lyrics' when you begin a session."
        )
    if not title:
        return LyricsNotFound(
            f"There is no title by which to look for the words of {song}. Send them in 'lyrics' "
            "when you begin a session."
        )
    if silent:
        return LyricsNotFound(
            f"The words of {song} could not be looked for: no answer from {', '.join(silent)}. Try "
            "again later, or send them in 'lyrics' when you begin a session."
        )
    return LyricsNotFound(
        f"No words of {song} came from {', '.join(asked)}. Send them in 'lyrics' when you begin a "
        "session."
    )
