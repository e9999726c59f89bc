"""`ytbuild run` on a cluster: what it promises beyond the tables that it leaves."""
