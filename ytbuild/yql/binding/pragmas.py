"""The pragmas that a query may hold. Sources: YQL docs, "PRAGMA"; YTsaurus docs, "YQL", "PRAGMA"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ytbuild.base.errors import closest
from ytbuild.yql.syntax.place import Place

IGNORED = (
    "AllowDotInAlias", "AnsiCurrentRow", "AnsiRankForNullableKeys", "CoalesceJoinKeysOnQualifiedAll",
    "DqEngine", "GroupByCubeLimit", "GroupByLimit", "OrderedColumns", "RegexUseRe2", "SimpleColumns",
    "StrictJoinKeyTypes", "WarnUnnamedColumns", "WarnUntypedStringLiterals", "Warning", "yson.AutoConvert",
    "yson.DisableStrict", "yson.Strict", "yt.Auth", "yt.AutoMerge", "yt.DataSizePerJob",
    "yt.DataSizePerMapJob", "yt.DataSizePerPartition", "yt.DataSizePerSortJob", "yt.DefaultMaxJobFails",
    "yt.DefaultMemoryLimit", "yt.DefaultOperationWeight", "yt.DockerImage", "yt.ExpirationDeadline",
    "yt.ExpirationInterval", "yt.ExternalTx", "yt.ExtraTmpfsSize", "yt.FileCacheTtl", "yt.ForceInferSchema",
    "yt.IgnoreTypeV3", "yt.IgnoreWeakSchema", "yt.IgnoreYamrDsv", "yt.InferSchema",
    "yt.InferSchemaTableCountThreshold", "yt.IntermediateAccount", "yt.IntermediateReplicationFactor",
    "yt.JoinMergeTablesLimit", "yt.MapJoinLimit", "yt.MaxJobCount", "yt.MaxKeyWeight", "yt.MaxRowWeight",
    "yt.NightlyCompress", "yt.OperationReaders", "yt.OptimizeFor", "yt.Owners", "yt.Pool", "yt.PoolTrees",
    "yt.PublishedCompressionCodec", "yt.PublishedErasureCodec", "yt.PublishedReplicationFactor",
    "yt.QueryCacheMode", "yt.SchedulingTag", "yt.SchedulingTagFilter", "yt.StaticPool", "yt.TablesTmpFolder",
    "yt.TempTablesTtl", "yt.TemporaryCompressionCodec", "yt.TemporaryErasureCodec",
    "yt.TemporaryReplicationFactor", "yt.TentativePoolTrees", "yt.TmpFolder",
    "yt.UseDefaultTentativePoolTrees", "yt.UseNativeYtTypes", "yt.UseTmpfs", "yt.UserSlots",
)  # fmt: skip

REFUSED = {
    "DisableClassicDivision": "division of integers would give a Double; write CAST(x AS Double) / y",
    "ClassicDivision": "leave it out: division of integers truncates anyway",
    "DisableSimpleColumns": "name every column of a join with AS",
    "PositionalUnionAll": "dev unites by name; give the columns of all parts the same names",
    "AnsiOrderByLimitInUnionAll": "put the union into a subquery and order that",
    "TablePathPrefix": "write whole paths, such as `//tmp/me/data`",
    "UnicodeLiterals": "write the suffix u, such as 'x'u",
}


@dataclass(frozen=True)
class Settings:
    """What pragmas may change in dev."""

    auto_commit: bool = False
    ansi_in: bool = False


HONOURED: dict[str, Callable[[Settings], Settings]] = {
    "AnsiInForEmptyOrNullableItemsCollections": lambda now: replace(now, ansi_in=True),
    "DisableAnsiInForEmptyOrNullableItemsCollections": lambda now: replace(now, ansi_in=False),
    "AutoCommit": lambda now: replace(now, auto_commit=True),
}

_IGNORED = {name.lower() for name in IGNORED}
_HONOURED = {name.lower(): change for name, change in HONOURED.items()}
_REFUSED = {name.lower(): (name, hint) for name, hint in REFUSED.items()}


def applied(settings: Settings, name: str, place: Place) -> Settings:
    """Return the settings after a pragma; raises `QueryError` for one that dev does not know or does not follow."""
    wanted = name.lower()
    if wanted in _HONOURED:
        return _HONOURED[wanted](settings)
    if wanted in _IGNORED:
        return settings
    if wanted in _REFUSED:
        raise place.error(f"PRAGMA {_REFUSED[wanted][0]} is not supported in dev", _REFUSED[wanted][1])
    raise place.error(f"dev does not know PRAGMA {name}", closest(name, (*IGNORED, *HONOURED)))
