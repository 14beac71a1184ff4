"""Calls of many → threads and batches. Begin with `lanes`.

    lanes     threads for what computes: a bounded wait before them, the event loop before all
    batching  what queues up while a call is running goes together into the next

What may fail for one caller alone happens before a batch, never in it. Imports `base` alone.
"""
