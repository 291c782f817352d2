"""Envs that differ: one has a variable of its own, a label by which workers are placed, and stands back.

python examples/labels.py
"""

import os

import corps


class Model(corps.Conc):
    def place(self) -> str:
        return f"devices: {os.environ.get('DEVICES', 'none')}"

    def stands_back(self) -> bool:
        return os.nice(0) == 19


class App(corps.Corps):
    def places(self) -> list[str]:
        models = corps.options(label="gpu").create_many(2, Model)
        other = corps.options(env=1).create(Model)
        return [str(each.place().ret) for each in (*models, other)]


if __name__ == "__main__":
    per_env = {"2": {"env": {"DEVICES": "1"}, "labels": ["gpu"], "nice": 19}}
    with corps.boot(App, envs=2, config={"per_env": per_env}) as app:
        print(app.places().ret)
        print("it stands back:", corps.options(label="gpu").create(Model).stands_back().ret)
        try:
            corps.options(label="tpu").create(Model)
        except corps.NoSuchEnv as error:
            print(error)
