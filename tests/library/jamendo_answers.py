"""What Jamendo's API answers, as https://developer.jamendo.com/v3.0/tracks shows it."""

from __future__ import annotations

from typing import Any

from link_server import LinkServer, Reply, as_json


def track(server: LinkServer, **more: Any) -> dict[str, Any]:
    """As `GET /v3.0/tracks` shows one."""
    return {
        "id": "1532771",
        "name": "Let Me Go",
        "duration": 194,
        "artist_id": "461414",
        "artist_name": "Axl & Arth",
        "artist_idstr": "axl_arth",
        "album_name": "Let Me Go",
        "album_id": "404140",
        "license_ccurl": "http://creativecommons.org/licenses/by-nc-sa/3.0/",
        "position": 1,
        "releasedate": "2018-04-14",
        "album_image": "https://usercontent.jamendo.com?type=album&id=404140",
        "audio": f"{server.url}/stream",
        "audiodownload": f"{server.url}/download/track/1532771/flac/",
        "shorturl": "https://jamen.do/t/1532771",
        "shareurl": "https://www.jamendo.com/track/1532771",
        "image": "https://usercontent.jamendo.com?type=album&id=404140",
        "audiodownload_allowed": True,
        **more,
    }


def answer(*results: dict[str, Any], code: int = 0) -> Reply:
    headers = {
        "status": "success" if code == 0 else "failed",
        "code": code,
        "error_message": "" if code == 0 else "Your credential is not authorized.",
        "warnings": "",
        "results_count": len(results),
    }
    return as_json({"headers": headers, "results": list(results)})
