"""The steps from one revision of the database to the next, in order.

first_rows  0001: samples, jobs, steps, words, changes; creators, usage, workers, secrets
voice_rows  0002: sessions of voice, their jobs and steps, references
result_rows  0003: results of each analysis of a session
"""
