import mnist  # noqa: F401 (sets the environment before torch and NumPy are imported)
