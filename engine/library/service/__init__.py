"""Requests → jobs and tracks of the library.

settings  what it reads from its environment: `engine.library.settings`, found here by launchers
"""
