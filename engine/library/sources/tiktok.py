"""TikTok, by the service of TikWM at RapidAPI ("TikTok Scraper", `tiktok-scraper7`).

    GET {SHAZAM_TIKTOK_URL}/?url=LINK&hd=1       headers X-RapidAPI-Key, X-RapidAPI-Host
    200 {"code": 0, "msg": "success", "data": {"id", "title", "duration", "cover",
         "play", "wmplay", "hdplay", "music", "music_info": {"title", "author", "album",
         "original"}, "author": {"id", "unique_id", "nickname", "avatar"}, "create_time",
         "images"?}}
    200 {"code": -1, "msg": "Url parsing is failed! Please check url."}
    GET …/user/info?unique_id=NAME               {"code", "data": {"user": {…}, "stats": {…}}}
    401, 403 no key or no subscription; 429 too many, or the month's are used up

Documented at https://rapidapi.com/tikwm-tikwm-default/api/tiktok-scraper7, and the same without a
key at https://www.tikwm.com/api. The sound is that of the video (`play`), which is what was linked;
`music` is the tune laid under it, alone, and taken where a post has pictures instead of a video.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from engine.base.errors import AudioTooLong, LinkFailed, SourceRefused, SourceUnavailable
from engine.library.sources.direct import FILE, refuse_other_than_sound, refuse_page
from engine.library.sources.source import Creator, Deadline, Fetched, Limits
from engine.library.sources.web import Unanswered, Web, host_of, is_under

NAME = "tiktok"
VARIABLE = "SHAZAM_RAPIDAPI_KEY"


class TikTok:
    """`api` asks RapidAPI, `web` fetches from wherever it says."""

    name = NAME

    def __init__(self, api: Web, web: Web, key: str, url: str) -> None:
        self._api, self._web, self._key = api, web, key
        self._url = url.rstrip("/")

    def present(self) -> str | None:
        return None if self._key else f"{VARIABLE} is not set."

    def takes(self, url: str) -> bool:
        return is_under(host_of(url), "tiktok.com", "tiktokv.com")

    def fetch(self, url: str, into: Path, limits: Limits) -> Fetched:
        deadline = Deadline(limits.timeout_s, limits.cancelled)
        post = self._asked("/", {"url": url, "hd": "1"}, deadline)
        if (post.get("duration") or 0) > limits.max_s:
            raise AudioTooLong(
                f"It lasts {post['duration']:,} s, and at most {limits.max_s:,.0f} are taken."
            )
        where = (post.get("play") or "") if not post.get("images") else (post.get("music") or "")
        if not where:
            raise SourceRefused("TikTok gives no sound of this post. Upload the file instead.")
        path = into / FILE
        answer = self._web.download(
            urljoin("https://www.tikwm.com/", where),
            path,
            limits,
            deadline,
            refuse_other_than_sound,
        )
        refuse_page(path)
        return _fetched(post, path, url, answer.media_type)

    def creator(self, handle: str, deadline: Deadline) -> Creator | None:
        """What TikTok tells of who posts as `handle` now."""
        told = self._asked("/user/info", {"unique_id": handle}, deadline)
        user, stats = told.get("user") or {}, told.get("stats") or {}
        facts = {
            "picture_url": user.get("avatarMedium") or user.get("avatarThumb"),
            "followers": stats.get("followerCount"),
            "tracks": stats.get("videoCount"),
        }
        return _creator(user.get("uniqueId") or handle, user.get("nickname"), facts)

    def _asked(self, path: str, query: dict[str, str], deadline: Deadline) -> dict[str, Any]:
        if reason := self.present():
            raise SourceUnavailable(f"Links of TikTok are not taken here: {reason}")
        told = {
            "X-RapidAPI-Key": self._key,
            "X-RapidAPI-Host": urlsplit(self._url).netloc,
        }
        try:
            answer, data = self._api.json(self._url + path, deadline, query=query, headers=told)
        except Unanswered as error:
            if error.answer_status == 429:
                raise SourceUnavailable(
                    "TikTok's service has been asked too often by us. Try again later."
                ) from error
            raise
        if answer.status in (401, 403):
            raise SourceUnavailable(f"TikTok's service refuses our key ({VARIABLE}).")
        if not isinstance(data, dict) or answer.status != 200:
            raise LinkFailed(f"TikTok's service answers {answer.status}, and nothing of use.")
        if data.get("code") != 0 or not isinstance(data.get("data"), dict):
            raise LinkFailed("TikTok's service finds nothing behind the link. Check it.")
        return dict(data["data"])


def _fetched(post: dict[str, Any], path: Path, url: str, media_type: str) -> Fetched:
    author, music = post.get("author") or {}, post.get("music_info") or {}
    original = music.get("original", True)
    nickname, handle = author.get("nickname"), author.get("unique_id")
    posted = post.get("create_time")
    return Fetched(
        path=path,
        source=NAME,
        url=url,
        media_type=media_type,
        title=(post.get("title") if original else music.get("title")) or music.get("title"),
        artist=(nickname if original else music.get("author")) or nickname,
        album=music.get("album") or None,
        year=datetime.fromtimestamp(posted, UTC).year if isinstance(posted, int) else None,
        creator=_creator(handle, nickname, {"picture_url": author.get("avatar")})
        if handle
        else None,
        duration_s=post.get("duration") or None,
        picture_url=post.get("cover"),
    )


def _creator(handle: str, name: str | None, facts: dict[str, Any]) -> Creator:
    known = {key: value for key, value in facts.items() if value is not None}
    return Creator(NAME, handle, name, f"https://www.tiktok.com/@{handle}", known)
