import os

# Two test processes share the cores: threads that wait by spinning would hinder each other.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Repositories that tests make have no settings that would keep DVC from reporting its use.
os.environ["DVC_NO_ANALYTICS"] = "true"

import mnist  # noqa: E402, F401 (sets the environment before torch and NumPy are imported)
