"""Files and their tags → an artifact; an artifact and changes → another.

Begin with `encoder`.

    encoder  what `--encoder` names → an encoder's folder in an artifact
    export   encoders of transformers → towers for OpenVINO
"""
