"""One log of all processes: lines of JSON, a level for one class, and what a killed process had to say.

python examples/one_log.py
"""

import json
import logging
import os
import signal
import tempfile
from pathlib import Path

import corps

logging.basicConfig(handlers=[logging.NullHandler()])  # nothing on stderr: the log of the Corps has it all
log = logging.getLogger("shop")


class Till(corps.Conc):
    def sell(self, article: str, price: int) -> int:
        log.debug("the till is open")
        log.warning("sold: %s", article, extra={"price": price})
        return price


class Cellar(corps.Conc):
    def flood(self) -> None:
        log.error("water in the cellar")
        os.kill(os.getpid(), signal.SIGKILL)  # nothing can be sent any more


class Shop(corps.Corps):
    def __init__(self) -> None:
        self.till = corps.options(env=1, tag="front desk").create(Till)
        self.cellar = corps.options(env=2).create(Cellar)

    def day(self) -> None:
        self.till.sell("lamp", 30).result()
        try:
            self.cellar.flood().result()
        except corps.EnvLost:
            self.till.sell("bucket", 5).result()


with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "shop.jsonl")
    with corps.boot(Shop, envs=2, config={"log.json_lines": str(path)}) as app:
        corps.log_level("DEBUG", cls=Till)
        app.day().result()
    records = [json.loads(line) for line in path.read_text().splitlines()]
records.sort(key=lambda record: record["timestamp"])  # those of one Env are in order already

for record in records:
    if record["logger"] == "shop":
        print(record["env"], record["class"], record["level"], record["event"])
