"""`ytbuild upload` against the stand-in cluster, or a real one."""
