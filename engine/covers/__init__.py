"""A picture or words → albums; and how the artifact for it is made and measured.

    bytes ─image→ pixels ─encoder→ embedding ─search→ neighbours ─catalogue→ albums

Begin with `search`: `CoverSearch.open`, then `by_image`. From the bottom to the top:

    formats              what each format of pictures needs to be seen right
    image, question      a picture as the encoder sees it; what is asked beside it
    encoder, catalogue   pixels and words → embeddings; ids → albums and thumbnails
    manifest, golden     what an artifact says of itself; queries whose answers it must give
    artifact, opening    the folder, verified; its encoder and index as this process wants them
    search               the pipeline, for one caller
    identify, photos     which album a photo shows, or none; photos as phones take them, simulated
    making               covers and metadata → an artifact
    service, trials      the pipeline for many, over HTTP; how good an artifact is

Each imports what stands above it in this list. What answers requests (service, identify, search)
imports nothing that makes, draws or trains.
"""
