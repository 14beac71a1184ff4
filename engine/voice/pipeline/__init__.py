"""What somebody sang → how it was, step by step, in the library's workers, which may die.

named      what the lines of work are called at DBOS, for ever
"""
