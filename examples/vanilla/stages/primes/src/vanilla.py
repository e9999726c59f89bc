"""Counts primes. Every copy of the job runs this script and takes its share of the numbers."""

import os

index, count, limit = (int(os.environ[name]) for name in ("YT_JOB_INDEX", "JOB_COUNT", "LIMIT"))
share = range(limit * index // count, limit * (index + 1) // count)
primes = [number for number in share if number > 1 and all(number % divisor for divisor in range(2, number))]
found = f"{len(primes)} primes from {share.start} to {share.stop - 1}"
print(f"copy {index} of {count}: {found}, the last is {primes[-1]}")
