"""A script that is killed: it sets durable timers, or waits until all have called. ``PATH LOG set|wait``."""

import sys
import time
from datetime import UTC, datetime, timedelta

import corps
from tests.integration.durable_app import App

if __name__ == "__main__":
    path, log, what = sys.argv[1:]
    with corps.boot(App, log, envs=1, config={"timers": {"path": path}}) as app:
        number = 0
        while what == "set":
            soon = datetime.now(UTC) + timedelta(milliseconds=number % 7 * 20)
            key = f"k{number}"
            corps.at(soon, app.call, key, durable=True, key=key)
            print(key, flush=True)  # it is acknowledged
            number += 1
        while [timer.key for timer in corps.timers(durable=True)] != ["yearly"]:
            time.sleep(0.02)
        print("done", flush=True)
