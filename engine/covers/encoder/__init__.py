"""Pixels and texts → embeddings in one space, whatever computes them.

    folder ─→ preprocessing, tokens ─┐
    (N, S, S, 3) uint8, texts ───────┴─on_openvino | on_torch→ (N, D) float32, unit rows

Begin with `encoder`. `engine.covers.opening` chooses which of the two runs.

    encoder      what an encoder is: the protocol, and the names of runtimes and precisions
    folder       the files of an encoder, its preprocessing, its identity
    tokens       texts → token ids
    on_openvino  CLIP exported: what a CPU serves
    on_torch     CLIP on torch: what a GPU serves, and what others are measured against

Only `vectors.embeddings.unit_rows` normalises. Not to be imported: anything that knows an artifact,
and torch, transformers or OpenVINO before they are used.
"""
