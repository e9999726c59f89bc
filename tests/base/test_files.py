"""Temporary folders: gone when their block ends, and safe from whoever cleans up meanwhile."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ytbuild.base import files


def test_a_temporary_folder_is_removed_with_all_that_is_in_it(tmp_path: Path) -> None:
    with files.temporary_folder(str(tmp_path / "made" / "too")) as folder:
        Path(folder, "inner").mkdir()
        Path(folder, "inner", "file").write_text("")
    assert os.listdir(tmp_path / "made" / "too") == []


def test_a_temporary_folder_is_removed_when_its_block_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), files.temporary_folder(str(tmp_path)):
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == []


def test_a_temporary_folder_that_became_something_else_stays(tmp_path: Path) -> None:
    with files.temporary_folder(str(tmp_path)) as folder:
        files.rename_over(folder, str(tmp_path / "kept"))
    assert os.listdir(tmp_path) == ["kept"]


def test_a_temporary_folder_in_use_is_not_taken_for_an_abandoned_one(tmp_path: Path) -> None:
    with files.temporary_folder(str(tmp_path)) as folder:
        files.remove_abandoned(str(tmp_path), time.time() + 60)
        assert os.path.isdir(folder)


def test_an_abandoned_folder_is_removed(tmp_path: Path) -> None:
    abandoned = files.temporary_name(str(tmp_path))
    os.mkdir(abandoned)
    files.remove_abandoned(str(tmp_path), time.time() + 60)
    assert not os.path.exists(abandoned)
