"""Where a sweep's measurements run: processes of this machine, or a cluster, by joblib's standard backends."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .errors import SweepError

BACKENDS = ("loky", "threading", "dask", "ray")
"""Processes; threads; a Dask cluster; a Ray cluster."""

_PACKAGES = {"dask": ("distributed", "distributed"), "ray": ("ray", "ray")}


@contextmanager
def backend(name: str, address: str | None, jobs: int | None) -> Iterator[None]:
    """Inside, `joblib.Parallel` sends its tasks there.

    Parameters
    ----------
    name : one of `BACKENDS`
    address : of the cluster's scheduler; None: a cluster on this machine, ended at the end
    jobs : workers of such a cluster; None: one for each processor

    Raises
    ------
    SweepError : a package is missing; nobody answers at the address.
    """
    import joblib

    if address is not None and name not in _PACKAGES:
        raise SweepError(f"cluster={address} needs --backend dask or --backend ray")
    if name in _PACKAGES and importlib.util.find_spec(_PACKAGES[name][0]) is None:
        raise SweepError(
            f"backend={name} needs the package {_PACKAGES[name][1]}: pip install {_PACKAGES[name][1]}"
        )
    if name == "dask":
        with _dask(address, jobs), joblib.parallel_config(backend="dask"):
            yield
    elif name == "ray":
        with _ray(address, jobs), joblib.parallel_config(backend="ray"):
            yield
    else:
        with joblib.parallel_config(backend=name):
            yield


@contextmanager
def _dask(address: str | None, jobs: int | None) -> Iterator[Any]:
    from distributed import Client, LocalCluster

    if address is None:
        # A dashboard would open a port that nobody asked for.
        cluster = LocalCluster(n_workers=jobs, threads_per_worker=1, dashboard_address=None)
        with cluster, Client(cluster) as client:
            yield client
        return
    try:
        client = Client(address, timeout=10)
    except (OSError, ValueError, ImportError) as error:
        raise SweepError(f"cluster={address} must be the address of a Dask scheduler: {error}") from None
    with client:
        yield client


@contextmanager
def _ray(address: str | None, jobs: int | None) -> Iterator[None]:
    import ray
    from ray.util.joblib import register_ray

    try:
        ray.init(address=address, num_cpus=jobs if address is None else None, log_to_driver=False)
    except (ConnectionError, ValueError) as error:
        raise SweepError(f"cluster={address} must be the address of a Ray cluster: {error}") from None
    register_ray()
    try:
        yield
    finally:
        ray.shutdown()
