"""What a service does → what an operator sees. Begin with `metrics`.

    metrics  counters and histograms for Prometheus; labels are route templates
    tracing  stages as spans of a request, where a collector is named
    logs     lines as JSON or text, ours and BentoML's

Nothing of a caller is told: no picture, no query, no key, no file's name. Imports `base` alone.
"""
