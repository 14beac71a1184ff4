"""What `python -m engine serve` starts: BentoML's worker, which opens the artifact meanwhile.

Started by `bentoml serve`, a worker begins to open it when it reads `service.py`: after a third of
its imports.
"""

import runpy

from engine.serving.process import preload

if __name__ == "__main__":
    preload.begin(worker=True)
    runpy.run_module(preload.WORKER, run_name="__main__", alter_sys=True)
