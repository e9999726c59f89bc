"""Generated input: trees of source files that compress like real ones."""

from __future__ import annotations

import random
import sysconfig
from pathlib import Path

_LINES_AT_ONCE = 8


def source_lines() -> list[str]:
    """Return the lines of the standard library's modules: the material that the trees are cut from."""
    lines: list[str] = []
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
        lines += path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    return lines


def make_tree(root: Path, files: int, size: int, seed: int = 1) -> None:
    """Write `files` files of `size` bytes in all below `root`, 20 to a folder, lengths exponentially distributed."""
    generator = random.Random(seed)
    lines = source_lines()
    for number in range(files):
        folder = root / f"package{number // 400:03d}" / f"part{number // 20 % 20:02d}"
        folder.mkdir(parents=True, exist_ok=True)
        wanted = int(generator.expovariate(files / size))
        text: list[str] = []
        while wanted > 0:
            start = generator.randrange(len(lines) - _LINES_AT_ONCE)
            run = lines[start : start + _LINES_AT_ONCE]
            text += run
            wanted -= sum(map(len, run))
        (folder / f"module{number}.py").write_text("".join(text), encoding="utf-8")


def make_pipeline(root: Path) -> Path:
    """Write a pipeline that ships the folder `big`, and return that folder."""
    (root / "configs").mkdir(parents=True)
    (root / "configs" / "config.yaml").write_text(
        "stages:\n  enabled_stages: [only]\npipeline:\n  upload_paths:\n    - {source: big}\n"
    )
    (root / "stages" / "only" / "src").mkdir(parents=True)
    (root / "stages" / "only" / "config.yaml").write_text("job: {}\n")
    (root / "stages" / "only" / "src" / "mapper.py").write_text("import sys\n")
    (root / "big").mkdir()
    return root / "big"
