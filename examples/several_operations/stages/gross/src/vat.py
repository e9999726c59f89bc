"""Value added tax, in whole cents."""


def gross(net: int, percent: int = 7) -> int:
    return (net * (100 + percent) + 50) // 100
