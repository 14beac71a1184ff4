"""A link → a file of sound and what its source tells of it. Begin with `source`, then `sources`.

    guard    which addresses a link may lead to; a connection to the very one that was looked at
    web      one request or download: each redirect looked at, sizes and times bounded
    source   the interface of a source, and what is fetched
    direct   a link to a file itself
    youtube  YouTube and what else yt-dlp knows, in a process of its own
    apart    … that process
    tiktok   by a RapidAPI service
    jamendo  by its API: search, and what its artists let be downloaded
    spotify  by its API: what a link is called; it gives no audio
    sources  those of this service: which has its key, which takes a link, what others have

Each source is one file that can be deleted together with its line in `sources`.
"""
