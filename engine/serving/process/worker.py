"""What `python -m engine serve` starts: a worker, and meanwhile what opens its artifact.

    python -m engine.serving.process.worker LAUNCHER OPENER COMPOSE SERVICE --fd N

`LAUNCHER` is the process without which it ends, `OPENER` the "module:function" that opens,
`COMPOSE` the one that says what answers, alone and without BentoML. Where that is `-`, the worker
is BentoML's own, and the rest is for it. Started by `bentoml serve`, a worker begins to open when
it reads the module of its service: after a third of its imports.
"""

import runpy
import sys
from importlib import import_module

from engine.serving.process import collector, orphan, preload

if __name__ == "__main__":
    collector.pause()
    launcher, opener, compose = sys.argv.pop(1), sys.argv.pop(1), sys.argv.pop(1)
    orphan.end_with(int(launcher))
    if compose == "-":
        preload.begin(opener, worker=True)
        runpy.run_module(preload.WORKER, run_name="__main__", alter_sys=True)
    else:
        preload.defer_models()
        preload.import_ahead(opener)
        preload.begin(opener, worker=True)
        module, _, function = compose.partition(":")
        composed = getattr(import_module(module), function)
        _, service, _, descriptor = sys.argv
        import_module("engine.serving.app.alone").serve(composed, service, int(descriptor))
