"""What `python -m engine serve` starts: BentoML's worker, and meanwhile what opens its artifact.

    python -m engine.serving.process.worker LAUNCHER OPENER SERVICE --fd N

`LAUNCHER` is the process without which it ends, `OPENER` the "module:function" that opens, the rest
is BentoML's. Started by `bentoml serve`, a
worker begins to open when it reads the module of its service: after a third of its imports.
"""

import runpy
import sys

from engine.serving.process import collector, orphan, preload

if __name__ == "__main__":
    collector.pause()
    orphan.end_with(int(sys.argv.pop(1)))
    preload.begin(sys.argv.pop(1), worker=True)
    runpy.run_module(preload.WORKER, run_name="__main__", alter_sys=True)
