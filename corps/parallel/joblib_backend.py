"""`corps.register_joblib`: tasks of joblib run in Envs, through `corps.Executor`.

joblib is imported when it is called, and not before.
"""

from corps.errors import ConfigError
from corps.exporting import exported


@exported
def register_joblib() -> None:
    """Make ``joblib.parallel_config(backend="corps")`` known to joblib. Again, it does nothing new.

    Tasks of joblib then run in the Envs that are here, or in those of a Corps that is booted for them.

    Raises:
        ConfigError: joblib is not installed: ``pip install corps[joblib]``.
    """
    try:
        from joblib import register_parallel_backend
    except ImportError as error:
        raise ConfigError("corps.register_joblib() needs joblib: pip install 'corps[joblib]'") from error
    from corps.parallel.joblib_tasks import CorpsBackend

    register_parallel_backend("corps", CorpsBackend)
