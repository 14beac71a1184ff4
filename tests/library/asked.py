"""Jobs as callers ask for them, and as a worker ends them."""

from __future__ import annotations

import hashlib
from typing import Any

from engine.library.jobs import Job, Jobs, Submission
from engine.library.samples import Samples


def content(name: str) -> str:
    """The sha256 of a content of this name."""
    return hashlib.sha256(name.encode()).hexdigest()


def upload(name: str, owner: str = "", **fields: Any) -> Submission:
    digest = content(name)
    return Submission(
        owner, "upload", sha256=digest, upload_key=f"uploads/{digest}", size=1_000, fields=fields
    )


def link(url: str, owner: str = "", **fields: Any) -> Submission:
    return Submission(owner, "link", url=url, fields=fields)


async def finish(jobs: Jobs, samples: Samples, job: Job, **facts: Any) -> int:
    """Do a job as a worker does; its track's id."""
    assert await jobs.begin(job.job_id, job.attempt, "catalogue") is not None
    objects = {"heard": f"audio/{job.sha256}/heard.npz"}
    assert await samples.finish(job.job_id, job.attempt, facts, objects)
    assert await jobs.end(job.job_id, job.attempt, "catalogue", {})
    assert await jobs.done(job.job_id, job.attempt)
    return (await jobs.get(job.job_id)).track_id


async def add(jobs: Jobs, samples: Samples, name: str, owner: str = "", **facts: Any) -> int:
    """A track that can be found."""
    return await finish(jobs, samples, await jobs.submit(upload(name, owner)), **facts)
