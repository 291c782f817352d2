"""The Corps: the Conc that fronts an application."""

from corps.workers.conc import Conc


class Corps(Conc):
    """An application, or a part of one: its public methods are its API.

    `corps.boot` starts one over several Envs; `corps.create` makes one that is contained in its creator.
    If the class defines ``run(self, *args)``, ``corps run`` calls that, prints what it returns, and ends.
    """
