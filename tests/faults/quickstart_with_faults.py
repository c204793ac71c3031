"""Play a config with a faulty proxy before every server of the run, and compare it with an undisturbed run of the same.

    python -m tests.faults.quickstart_with_faults runs/disturbed --clean runs/quickstart

Enters: where to put the disturbed run, and an undisturbed one. Leaves: what was spoiled, and for each round whether
candidates, rejections and selected rows are the same file; exit code 1 if one is not, or nothing was spoiled. LM-Scores
may differ in their last digits, as they do between any two runs: batches depend on time.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from inverse_instruct.cli import main as inverse_instruct
from inverse_instruct.config.sections import InferenceSection
from inverse_instruct.inference import connect
from inverse_instruct.inference.client import InferenceClient
from inverse_instruct.inference.endpoint import Backend
from inverse_instruct.store.files import file_digest
from tests.faults.faulty_proxy import FaultyProxy

COMPARED = ("summarize/candidates.parquet", "summarize/rejections.parquet", "selection/selected.parquet")


def main() -> int:
    """Play and compare; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run_dir", type=Path, help="of the run to be disturbed")
    parser.add_argument("--clean", type=Path, required=True, help="run directory of one that nothing disturbed")
    parser.add_argument("--config", default="configs/quickstart.yaml")
    parser.add_argument("--share", type=float, default=0.05, help="of the requests for completions, to be spoiled")
    arguments = parser.parse_args()
    proxies = put_proxies_before_servers(arguments.share)
    sys.argv = ["inverse-instruct", "run", arguments.config, "--run-dir", str(arguments.run_dir)]
    inverse_instruct()
    spoiled = sum((proxy.injected for proxy in proxies), Counter[str]())
    print(f"{sum(proxy.requests for proxy in proxies)} requests, {spoiled.total()} spoiled: {dict(spoiled)}")
    equal = True
    for path in sorted(file for name in COMPARED for file in arguments.clean.glob(f"round-*/{name}")):
        name = path.relative_to(arguments.clean)
        same = file_digest(path) == file_digest(arguments.run_dir / name)
        print(f"{name}: {'the same' if same else 'DIFFERS'}")
        equal &= same
    return 0 if equal and spoiled else 1


def put_proxies_before_servers(share: float) -> list[FaultyProxy]:
    """Have every client of this process ask through a proxy; return the list that these are added to."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    proxies: list[FaultyProxy] = []
    client = connect._client

    def client_of_proxy(
        section: InferenceSection, backends: Mapping[str, Backend], name: str, key: str | None = None
    ) -> InferenceClient:
        [(url, backend)] = backends.items()
        proxy = FaultyProxy(url, share=share, seed=len(proxies) + 1)
        asyncio.run_coroutine_threadsafe(proxy.__aenter__(), loop).result()
        proxies.append(proxy)
        return client(section, {proxy.url: backend}, name, key)

    connect._client = client_of_proxy
    return proxies


if __name__ == "__main__":
    sys.exit(main())
