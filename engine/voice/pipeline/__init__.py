"""What somebody sang → how it was, step by step, in the library's workers, which may die.

    sessions ─DBOS's queue→ a worker ─workflow→ steps ─pool→ a child ─tasks→ engine.voice.ear

Begin with `steps`: what is done. From the bottom to the top:

    named      what the lines of work are called at DBOS, for ever
    tasks      what a child process does with files
    kit        what steps work with, besides what the library's have
    steps      keys of objects → keys of objects and facts
    workflow   the steps as DBOS runs them: a reference, a take, words
    removing   audio is removed in time, also where nobody asks
    extra      all of that for a worker of the library
"""
