"""`engine/serving/http/bodies.py`: which limit is a path's."""

from __future__ import annotations

from engine.base.errors import ImageTooLarge
from engine.serving.http.bodies import BodyLimit, BodyLimits


def limit(size: int) -> BodyLimit:
    return BodyLimit(size, lambda: ImageTooLarge("It is too large."))


def test_a_path_with_a_parameter_has_the_limit_of_its_template() -> None:
    usual = limit(1)
    limits = BodyLimits(
        usual,
        {"/one": limit(2), "/session/{session_id}/send": limit(3), "/session/{session_id}": usual},
    )
    assert limits.at("/one").size == 2
    assert limits.at("/session/4f9c/send").size == 3
    for path in ("/", "/session/4f9c", "/session/4f9c/send/more", "/session//send", "/session/a/b"):
        assert limits.at(path).size == 1, path
