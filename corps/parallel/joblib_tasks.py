"""How joblib has its tasks run in Envs: the class that it asks. Imported with joblib, which it needs."""

from collections.abc import Callable
from typing import Any

from joblib import parallel as parallel_module

from corps.parallel.executor import Executor
from corps.parallel.place import cores, has_env
from corps.workers.everywhere import env_here


class CorpsBackend(parallel_module.AutoBatchingMixin, parallel_module.ParallelBackendBase):  # type: ignore[misc]  # joblib says no types
    """Runs batches of tasks of joblib in Envs. joblib calls it in one thread; callbacks come in others."""

    supports_retrieve_callback = True
    default_n_jobs = -1

    def __init__(self, *args: Any, envs: int | None = None, **kwargs: Any) -> None:
        """Start nothing yet. `envs` is that of `corps.Executor`."""
        super().__init__(*args, **kwargs)
        self._envs = envs
        self._workers: Executor | None = None

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """Return how many tasks run at once; negative numbers count from that of the workers."""
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if n_jobs is None:
            return 1
        return n_jobs if n_jobs > 0 else max(self._at_once() + 1 + n_jobs, 1)

    def _at_once(self) -> int:
        if self._envs is not None or not has_env():
            return self._envs or cores()
        env = env_here("for joblib")
        return cores() if env.peers is None else len(env.worker_envs)

    def configure(self, n_jobs: int = 1, parallel: Any = None, **_: Any) -> int:
        """Return how many tasks run at once. A single one runs here, as joblib does it."""
        n_jobs = self.effective_n_jobs(n_jobs)
        if n_jobs == 1:
            raise parallel_module.FallbackToBackend(
                parallel_module.SequentialBackend(nesting_level=self.nesting_level)
            )
        self.parallel = parallel
        if self._workers is None:
            self._workers = Executor(n_jobs, envs=self._envs)
        return n_jobs

    def submit(self, func: Callable[[], Any], callback: Callable[[Any], object] | None = None) -> Any:
        """Have a batch of tasks run."""
        if self._workers is None:
            raise RuntimeError("this call of joblib.Parallel has ended")
        future = self._workers.submit(func)
        if callback is not None:
            future.add_done_callback(callback)
        return future

    def retrieve_result_callback(self, future: Any) -> Any:
        """Return the results of a batch."""
        return future.result()

    def terminate(self) -> None:
        """End the workers."""
        executor, self._workers = self._workers, None
        if executor is not None:
            executor.shutdown(cancel_futures=True)
        self.reset_batch_stats()

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Cancel what has not begun."""
        executor, self._workers = self._workers, None
        if executor is not None:
            executor.shutdown(wait=False, cancel_futures=True)
        if ensure_ready:
            self.configure(n_jobs=self.parallel.n_jobs, parallel=self.parallel)
