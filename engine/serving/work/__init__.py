"""Calls of many → threads and batches. Begin with `lanes`.

    lanes      threads for what computes: a bounded wait before them, the event loop before all
    batching   what queues up while a call is running goes together into the next
    readiness  what takes time to open and may fail later: opened, checked, opened anew

What may fail for one caller alone happens before a batch, never in it. Imports `base` alone.
"""
