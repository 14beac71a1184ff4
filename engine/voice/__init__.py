"""Singing beside the original → how it was: a number by parts, phrase by phrase.

Stands on `engine.library`, whose database, store of objects and workers it uses. From the bottom to
the top:

    settings    what services and workers read from their environment
    tables      what is written down, beside the library's rows
    models      packages of others → the weights that voices are heard with
    ear         two recordings → voices, pitch, words → what they have alike
    lyrics      a song's names → its words, with their times where somebody knows them
    troubles    servers that were asked → which of them do not answer
    reasons     results → what stands before their number: silence, another song, a part alone
    jury        what was measured → what three of a jury say of it
    records     what rows are read as: sessions and their jobs, where each is
    jobs        what workers do for a session, from state to state
    references  what was made of a reference, remembered by its content
    sessions    who sings beside what, what was recorded, what came of it
    removing    audio is removed in time, whoever is still there
    pipeline    a session → how it was, step by step, in the library's workers
    service     requests → sessions, takes, results
"""
