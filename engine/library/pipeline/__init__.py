"""A job's row → its steps, one after another, durable: killed at any moment, nothing is lost.

    Pipeline.start ─DBOS's queue→ a worker ─workflow→ steps ─pool→ a child process ─tasks→ files
                                     └ keeping, tidying: rows, workflows and objects agree

Begin with `steps`: what is done. From the bottom to the top:

    durable    DBOS as it is used here: names and a version that are pinned, its connections
    client     begin a job, end one; all that a process which answers imports of this room
    transcode  any recording → WAV, MP3, a preview
    tasks      what a child process does with files
    child      that process
    pool       so many of them, killed in time
    places     so many recordings in hand at once
    running    which attempts a worker is at, and which are wanted no more
    scratch    its folder for what is in hand
    bench      what steps work with: rows, objects, processes
    steps      keys of objects → keys of objects and facts
    tidying    what nobody names is removed
    line       a line of work: its steps, its rows, its processes; those of rooms above
    stepping   the steps of one attempt as DBOS runs them, each done once
    workflow   the library's own line
    lease      a worker lives, or is dead
    keeping    what the dead were at is taken over; rows get the end that their workflow had
    worker     the process: `python -m engine work`
"""
