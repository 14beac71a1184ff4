"""Files and their tags → an artifact; an artifact and changes → another.

encoder  what `--encoder` names → an encoder's folder in an artifact
"""
