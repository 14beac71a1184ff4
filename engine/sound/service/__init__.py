"""The pipeline of sound for many, over HTTP."""
