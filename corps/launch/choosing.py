"""`corps.options`: how workers are created, and Corps booted in processes of their own."""

from typing import Literal

from corps.exporting import exported
from corps.launch.apart.booting import boot_apart
from corps.launch.apart.pooling import begin_pool
from corps.runtime.options import WhenFull
from corps.scaling.scale import Scale
from corps.supervision.restarts import Restart
from corps.workers.factory import Options, Per
from corps.workers.placement import Where
from corps.workers.properties import Properties


@exported
def options(
    *,
    tag: str = "",
    env: Where = None,
    mailbox: int | None = None,
    deadline: float | None = None,
    restart: Restart | None = None,
    register: bool | Literal["unique"] = False,
    properties: Properties | None = None,
    at_once: int | None = None,
    per: Per = "corps",
    label: str | None = None,
    host: str | None = None,
    where: Literal["corps"] | None = None,
    external: bool = False,
    managed: bool = False,
    contained: bool = False,
    when_full: WhenFull | None = None,
    scale: Scale | None = None,
) -> Options:
    """Choose how workers are created, and Corps booted: ``corps.options(tag="a").create(Counter, 10)``.

    Args:
        tag: The author's own mark, for `my_tag` and for lists.
        env: The id of the Env for the worker, ``"here"`` for the creator's own, or ``"front"`` for that of
            the Corps object. None takes the Envs of the Corps in turn, beginning with the creator's own;
            never the front.
        mailbox: How many requests may wait for the worker; None for the setting `mailbox`.
        deadline: Seconds within which the worker must be constructed, and then each request through the
            Name that is returned must be answered. None for no limit.
        restart: What to do when the worker fails; None for what its class declares.
        register: Whether to register the worker in the Dir of the Corps, under `tag`, as soon as it is
            constructed. ``"unique"``: as the only one; otherwise it ends again, and its creation fails with
            NameTaken.
        properties: Those of its entry there; see `corps.register`.
        at_once: How many functions of a `corps.Funcs` may run at a time; None for what its class declares.
        per: For `singleton`: whether there is one in the ``"corps"``, one in each ``"env"``, or one on each
            ``"host"``.
        label: Take only Envs to which the settings give this label, in turn; `create_per_env` and `replicate`
            take each of them.
        host: Take only Envs on the host with this name, if the Corps has several; it is a label of theirs.
        where: ``"corps"``: the Corps object is the Mgr of the worker, whichever worker creates it; in
            `corps.env` it is the EnvMgr. None: the worker that creates it.
        external: For `Options.boot`: the Corps has a life of its own, and others find it by `tag`.
        managed: For `Options.boot`, with `external`: the Corps ends with the worker that boots it.
        contained: For `Options.boot`: the Corps is private to the worker that boots it, and ends with it.
        when_full: What becomes of a request for which the mailbox has no room. ``"wait"``: its sender waits.
            ``"raise"``: it fails with Overloaded. ``"drop_oldest"``: it takes the place of the oldest one
            that waits, which fails so. Both say executed "no"; for one by ``send`` there is a dead letter.
            With the last two the mailbox has room for half of the setting ``window.requests`` at most. None
            for what the class declares.
        scale: For `create_scaled` and `boot_scaled`: how many instances there are, and when that changes.

    Returns:
        Options with the methods `create`, `create_nowait`, `create_many`, `create_per_env`, `replicate`,
        `create_funcs`, `singleton`, `singleton_nowait`, `boot`, `boot_nowait`, `create_scaled` and
        `boot_scaled`.

    Raises:
        ConfigError: A value is out of range.
        PropertyError: A property cannot be.
    """
    wanted = tag, env, mailbox, deadline, restart, register, properties, at_once, per, label, where
    how = external, managed, contained, when_full, scale
    return Options(*wanted, *how, host=host, _boots=boot_apart, _pools=begin_pool).checked()
