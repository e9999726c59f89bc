"""What prod says of itself: what it cannot run, and what an operation would be there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ytbuild.backends.base import Backend, OperationSpec
from ytbuild.backends.prod.spec import rendered
from ytbuild.base.errors import CypressPathError
from ytbuild.cluster.yson import parsed_path
from ytbuild.store.remote import archive_path

if TYPE_CHECKING:
    from ytbuild.config.checks import Section
    from ytbuild.config.pipeline import PipelineConfig


class ProdBackend(Backend):
    """A cluster."""

    name = "prod"
    ignored_keys = ("checkpoint", "tokenizer_artifact")
    ignored_options = ("--strict", "--keep-sandboxes")

    def check(self, spec: OperationSpec, block: Section) -> None:
        """Raise `ConfigError` for paths whose attributes, columns or ranges the cluster cannot read."""
        tables = [("input_table", spec.input_table), ("output_table", spec.output_table)]
        for key, path in (*tables, *(("file_paths", path) for path, _ in spec.files)):
            try:
                if path is not None:
                    parsed_path(path)
            except CypressPathError as error:
                raise block.error(key, f"has {error.message}", error.hint) from None

    def job_count(self, leg: str, asked: int | None) -> int:
        """Return what is asked for; where rows are grouped, the cluster decides."""
        return asked or (0 if "reduce" in leg else 1)

    def unchecked(self, spec: OperationSpec) -> list[str]:
        """Return nothing: what is left is for the cluster to check."""
        return []

    def archive(self, config: PipelineConfig, key: str) -> str | None:
        """Return where an upload puts the archive, None without a `build_folder`."""
        return archive_path(config.build_folder, key) if config.build_folder else None

    def described(self, spec: OperationSpec, archive: str | None) -> list[str]:
        """Return the spec that the cluster would get."""
        text = json.dumps(rendered(spec, archive or "", mask=True), indent=2, ensure_ascii=False, default=str)
        return [f"  {spec.name} ({spec.kind})", *(f"    {line}" for line in text.split("\n"))]
