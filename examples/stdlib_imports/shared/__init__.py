"""What the jobs of this pipeline share."""
