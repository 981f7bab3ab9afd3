"""`python -m distml.sweep.ray_command start ...`: Ray's own command, but for two things that it has no options for.

It replaces a loopback address by one that the network reaches, and it opens a port for a client that nobody uses here.
"""

from ray._private import ray_constants, services
from ray.scripts import scripts

if __name__ == "__main__":
    ray_constants.ENABLE_RAY_CLUSTER = True  # whatever its processes are told, this one may join
    services.resolve_ip_for_localhost = lambda host: host
    scripts.get_ray_client_dependency_error = lambda: "not wanted"
    scripts.main()
