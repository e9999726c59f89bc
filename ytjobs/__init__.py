"""What job code imports in a job's sandbox; every archive carries it.

Importing this package, or `ytjobs.config` and `ytjobs.logging`, needs the standard library only.
"""
