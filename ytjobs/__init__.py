"""What job code imports on the cluster."""
