"""Files and their tags → an artifact; an artifact and changes → another."""
