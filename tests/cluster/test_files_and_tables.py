"""Contents of files and tables, in the formats and with the commands of the official client."""

from __future__ import annotations

import hashlib
import os
from typing import Any

import pytest
from yt import yson
from yt.wrapper import JsonFormat, TablePath, YtClient, YtError
from yt.wrapper.errors import YtResolveError, YtResponseError
from yt.wrapper.file_commands import upload_file_to_cache
from yt.wrapper.schema import TableSchema

from tests.cluster import formats
from tests.cluster.running import Cluster, RealCluster

JSON = JsonFormat(encode_utf8=False)
ROWS = [{"k": f"k{number}", "v": number} for number in range(5)]


@pytest.fixture
def client(any_cluster: Cluster | RealCluster) -> YtClient:
    return any_cluster.client()


def test_a_file_is_read_as_it_was_written(client: YtClient, cypress: str) -> None:
    content = os.urandom(3_000_000)
    client.write_file(f"{cypress}/a", content, compute_md5=True)
    assert client.read_file(f"{cypress}/a").read() == content
    assert client.read_file(f"{cypress}/a", offset=1_000_000, length=10).read() == content[1_000_000:1_000_010]
    assert client.get(f"{cypress}/a/@uncompressed_data_size") == len(content)
    assert client.get(f"{cypress}/a/@md5") == hashlib.md5(content).hexdigest()


def test_the_default_configuration_works_too(any_cluster: Cluster | RealCluster, cypress: str) -> None:
    client = any_cluster.plain_client()
    content = os.urandom(1_000_000)
    client.write_file(f"{cypress}/a", content)
    client.write_table(f"{cypress}/t", ROWS, format=JsonFormat())
    assert client.read_file(f"{cypress}/a").read() == content
    assert list(client.read_table(f"{cypress}/t", format=JsonFormat())) == ROWS


def test_append_goes_on_with_the_md5(client: YtClient, cypress: str) -> None:
    client.write_file(f"{cypress}/a", b"one", compute_md5=True)
    client.write_file(f"<append=%true>{cypress}/a", b"two", compute_md5=True)
    assert client.read_file(f"{cypress}/a", offset=2, length=2).read() == b"et"
    assert client.get(f"{cypress}/a/@md5") == hashlib.md5(b"onetwo").hexdigest()


def test_concatenate_keeps_the_sources_and_has_no_md5(client: YtClient, cypress: str) -> None:
    for name in ("a", "b"):
        client.write_file(f"{cypress}/{name}", name.encode(), compute_md5=True)
    client.concatenate([f"{cypress}/a", f"{cypress}/b", f"{cypress}/a"], f"{cypress}/c")
    assert client.read_file(f"{cypress}/c").read() == b"aba"
    assert client.list(cypress) == ["a", "b", "c"]
    assert not client.exists(f"{cypress}/c/@md5")


def test_the_bare_concatenate_needs_its_destination(client: YtClient, cypress: str) -> None:
    client.write_file(f"{cypress}/a", b"a")
    batch = client.create_batch_client(raise_errors=False)
    batch.get(f"{cypress}/@type")
    answer = batch._batch_executor.add_task(
        "concatenate", {"source_paths": [f"{cypress}/a"], "destination_path": f"{cypress}/b"}
    )
    batch.commit_batch()
    assert answer.get_error()["code"] == 500


def test_the_file_cache(client: YtClient, cypress: str, tmp_path: Any) -> None:
    (tmp_path / "file").write_bytes(b"content")
    md5 = hashlib.md5(b"content").hexdigest()
    assert not client.get_file_from_cache(md5, cache_path=cypress)
    client.write_file(f"{cypress}/source", b"content", compute_md5=True)
    cached = client.put_file_to_cache(f"{cypress}/source", md5, cache_path=cypress)
    assert client.get_file_from_cache(md5, cache_path=cypress) == cached == f"{cypress}/{md5[-2:]}/{md5}"
    assert client.read_file(cached).read() == b"content"
    first = upload_file_to_cache(str(tmp_path / "file"), client=client)
    assert upload_file_to_cache(str(tmp_path / "file"), client=client) == first


@pytest.mark.parametrize("form", [JsonFormat(), JSON])
def test_rows_as_json(client: YtClient, cypress: str, form: JsonFormat) -> None:
    rows = [{"a": "é – ключ", "ключ": [1, {"b": None}], "c": 2.5, "d": True, "e": -(2**63)}]
    client.write_table(f"{cypress}/t", rows, format=form)
    assert list(client.read_table(f"{cypress}/t", format=form)) == rows
    assert client.get(f"{cypress}/t/@row_count") == 1


def test_json_keys_that_begin_with_a_dollar(client: YtClient, cypress: str) -> None:
    with pytest.raises(YtResponseError, match="starts with single"):
        client.write_table(f"{cypress}/t", [{"$a": 1}], format=JSON)
    client.write_table(f"{cypress}/t", [{"$$a": 1}], format=JSON)
    assert list(client.read_table(f"{cypress}/t", format=JSON)) == [{"$$a": 1}]


def test_json_rows_without_newlines() -> None:
    assert formats.decode_rows(b'{"a":1}{"a":2}\n\n{"a":3}', "json") == [{"a": 1}, {"a": 2}, {"a": 3}]


def test_rows_as_yson() -> None:
    rows = [{"a": b"\xff\x00", "b": yson.YsonUint64(2**64 - 1), "c": None}, {"a": "é"}]
    assert formats.decode_rows(formats.encode_rows(rows, "yson"), "yson") == rows
    assert formats.decode_rows(b'{a=1;b="x"};\n{a=%true};', "yson") == [{"a": 1, "b": "x"}, {"a": True}]


def test_encoded_json_is_utf8_as_latin1() -> None:
    assert formats.encode_rows([{"a": "é"}], "json") == b'{"a":"\\u00c3\\u00a9"}\n'
    assert formats.decode_rows('{"a":"Ã©"}'.encode(), "json") == [{"a": "é"}]


def test_overwrite_and_append(client: YtClient, cypress: str) -> None:
    for path in ("t", "t", "append"):
        rich = f"<append=%true>{cypress}/t" if path == "append" else f"{cypress}/t"
        client.write_table(rich, ROWS[:2], format=JSON)
    assert client.get(f"{cypress}/t/@row_count") == 4


def test_ranges_and_columns(client: YtClient, cypress: str) -> None:
    client.write_table(f"<sorted_by=[k]>{cypress}/t", ROWS, format=JSON)

    def read(suffix: str) -> list[Any]:
        return [row.get("v", row) for row in client.read_table(f"{cypress}/t{suffix}", format=JSON)]

    assert read("[#1:#3]") == [1, 2]
    assert read("[#3:]") == [3, 4]
    assert read("[#1,#3:#4]") == [1, 3]
    assert read("[k1:k3]") == [1, 2]
    assert read("[k2]") == [2]
    assert read("{k}[#0]") == [{"k": "k0"}]


def test_a_sorted_write_is_checked(client: YtClient, cypress: str) -> None:
    path = TablePath(f"{cypress}/t", sorted_by=["k"], client=client)
    client.write_table(path, ROWS, format=JSON)
    assert client.get(f"{cypress}/t/@sorted_by") == ["k"]
    with pytest.raises(YtResponseError) as error:
        client.write_table(path, ROWS[::-1], format=JSON)
    assert error.value.contains_code(301)
    assert client.get(f"{cypress}/t/@row_count") == 5
    client.write_table(f"{cypress}/t", ROWS[::-1], format=JSON)
    assert not client.get(f"{cypress}/t/@sorted")


def test_a_strict_schema_is_checked(client: YtClient, cypress: str) -> None:
    schema = [{"name": "k", "type": "string", "required": True}, {"name": "v", "type": "int64"}]
    client.create("table", f"{cypress}/t", attributes={"schema": schema})
    client.write_table(f"{cypress}/t", [*ROWS, {"k": "x", "v": None}, {"k": "y"}], format=JSON)
    for row in ({"k": 1}, {"v": 1}, {"k": "x", "v": "text"}, {"k": "x", "w": 1}):
        with pytest.raises(YtResponseError) as error:
            client.write_table(f"{cypress}/t", [row], format=JSON)
        assert error.value.contains_code(307)
    assert client.get(f"{cypress}/t/@schema").attributes["strict"]
    assert TableSchema.from_yson_type(client.get(f"{cypress}/t/@schema")).columns[0].name == "k"


def test_rows_have_a_largest_weight(client: YtClient, cypress: str) -> None:
    row = {"a": "x" * 2000}
    client.write_table(f"{cypress}/t", [row], format=JSON)
    with pytest.raises(YtResponseError, match="Row weight is too large"):
        client.write_table(f"{cypress}/t", [row], format=JSON, table_writer={"max_row_weight": 1000})


def test_tables_are_concatenated(client: YtClient, cypress: str) -> None:
    for name in ("a", "b"):
        client.write_table(f"<sorted_by=[k]>{cypress}/{name}", ROWS, format=JSON)
    client.concatenate([f"{cypress}/a", f"{cypress}/b"], f"{cypress}/c")
    assert client.get(f"{cypress}/c/@row_count") == 10
    assert not client.get(f"{cypress}/c/@sorted")


def test_alter_table(client: YtClient, cypress: str) -> None:
    client.write_table(f"{cypress}/t", ROWS, format=JSON)
    schema = [{"name": "k", "type": "string", "sort_order": "ascending"}, {"name": "v", "type": "int64"}]
    client.alter_table(f"{cypress}/t", schema=schema)
    assert client.get(f"{cypress}/t/@sorted_by") == ["k"]
    with pytest.raises(YtError):
        client.alter_table(f"{cypress}/t", schema=[{"name": "k", "type": "int64"}])


def test_reading_what_is_not_there(client: YtClient, cypress: str) -> None:
    with pytest.raises(YtResolveError):
        client.read_file(f"{cypress}/absent")
    with pytest.raises(YtResponseError, match="expected"):
        client.read_file(cypress)
