import gzip
import hashlib
import math
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.errors import SourceError
from connectors.sources import delimited
from connectors.sources.catalog import open_source
from connectors.sources.records import BrokenItem, Content, Record, SourceItem

DATA = Path(__file__).parents[4] / "shared" / "data"


def _csv(tmp_path: Path, content: str | bytes, name: str = "pool.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def _parquet(tmp_path: Path, **columns: Any) -> Path:
    path = tmp_path / "pool.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def _read(path: Path, **options: Any) -> list[Record]:
    return list(open_source(path, **options).records)


def _items(path: Path, **options: Any) -> list[SourceItem]:
    records = _read(path, **options)
    assert all(isinstance(record, SourceItem) for record in records), records
    return records  # type: ignore[return-value]


def _texts(path: Path, **options: Any) -> list[str]:
    return [item.payload["text"] for item in _items(path, text="text", **options)]


def _broken(path: Path, **options: Any) -> list[tuple[str, str]]:
    return [(r.key, r.reason) for r in _read(path, **options) if isinstance(r, BrokenItem)]


def test_a_text_row_becomes_an_item(tmp_path: Path) -> None:
    (item,) = _items(_csv(tmp_path, "id,text,kind\n7,hello,spam\n"), text="text", key="id", label="kind")
    sha256 = hashlib.sha256(b"hello").hexdigest()
    assert item == SourceItem(key="7", payload={"text": "hello"}, sha256=sha256, truth="spam")


def test_a_row_of_numbers_becomes_an_item(tmp_path: Path) -> None:
    (item,) = _items(_csv(tmp_path, "b,a\n-1e3, 2.5\n"), features=["a", "b"])
    assert item.payload == {"features": [2.5, -1000.0]}
    assert item.key == "pool:1"


def test_rows_are_the_key_when_there_is_none(tmp_path: Path) -> None:
    assert [r.key for r in _read(_csv(tmp_path, "text\na\nb\n"), text="text", prefix="x/")] == [
        "x/pool:1",
        "x/pool:2",
    ]


@pytest.mark.parametrize("word", ["NA", "null", "nan", "None", "N/A", "#N/A", "0", "false"])
def test_words_that_look_like_nothing_stay_words(tmp_path: Path, word: str) -> None:
    (item,) = _items(_csv(tmp_path, f"text,kind\n{word},{word}\n"), text="text", label="kind")
    assert (item.payload["text"], item.truth) == (word, word)


def test_an_empty_label_is_unknown(tmp_path: Path) -> None:
    assert _items(_csv(tmp_path, "text,kind\na,\n"), text="text", label="kind")[0].truth is None
    assert _items(_parquet(tmp_path, text=["a"], kind=[None]), text="text", label="kind")[0].truth is None


def test_whole_numbers_are_labels_without_a_fraction(tmp_path: Path) -> None:
    path = _parquet(tmp_path, text=["a", "b"], kind=[1.0, None])
    assert [item.truth for item in _items(path, text="text", label="kind")] == ["1", None]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(
    texts=st.lists(
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1).filter(
            str.strip
        ),
        min_size=1,
    )
)
def test_any_text_comes_back_as_it_was_written(tmp_path: Path, texts: list[str]) -> None:
    quoted = "".join('"' + text.replace('"', '""') + '"\r\n' for text in texts)
    assert _texts(_csv(tmp_path, "text\r\n" + quoted)) == texts
    assert _texts(_parquet(tmp_path, text=texts)) == texts


def test_emoji_quotes_newlines_carriage_returns_and_a_mark_at_the_start_are_read(tmp_path: Path) -> None:
    path = _csv(tmp_path, '\ufefftext,n\r\n"a ""b""\r\nc",1\r\n🐝🏽,2\r\n')
    assert _texts(path) == ['a "b"\r\nc', "🐝🏽"]


def test_a_text_of_a_megabyte_is_read(tmp_path: Path) -> None:
    assert _texts(_csv(tmp_path, "text\n" + "x" * 1_000_000 + "\nb\n")) == ["x" * 1_000_000, "b"]


def test_packed_and_tab_separated_files_are_read(tmp_path: Path) -> None:
    packed = _csv(tmp_path, gzip.compress(b"text,n\nhello,1\n"), "pool.csv.gz")
    assert [item.key for item in _items(packed, text="text")] == ["pool:1"]
    assert _texts(_csv(tmp_path, "n\ttext\n1\ta,b\n", "pool.tsv")) == ["a,b"]


def test_a_damaged_packed_file_says_so(tmp_path: Path) -> None:
    packed = gzip.compress(("text\n" + "\n".join(map(str, range(9999)))).encode())
    with pytest.raises(SourceError, match="damaged while unpacking"):
        _read(_csv(tmp_path, packed[:-100], "pool.csv.gz"), text="text")


def test_another_encoding_is_read_when_named(tmp_path: Path) -> None:
    path = _csv(tmp_path, "text\nété\n".encode("cp1252"))
    assert _texts(path, encoding="cp1252") == ["été"]
    assert _texts(_csv(tmp_path, "text\nété\n".encode("utf-16")), encoding="utf-16") == ["été"]


@pytest.mark.parametrize("offset", [0, 262_130, 262_139, 600_000])
def test_a_wrong_encoding_names_the_byte(tmp_path: Path, offset: int) -> None:
    content = b"text\n" + b"x" * offset + "é".encode() + b"\xff\n"
    with pytest.raises(SourceError, match=rf"not utf-8 \(byte {5 + offset + 2}: invalid start byte\)"):
        _read(_csv(tmp_path, content), text="text")


def test_an_unknown_encoding_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="utf-8 or cp1252"):
        _read(_csv(tmp_path, "text\na\n"), text="text", encoding="utf-9")


def test_missing_texts_are_broken_with_their_row(tmp_path: Path) -> None:
    path = _csv(tmp_path, "text,n\na,1\n,2\n  ,3\nb,4\n")
    assert [key for key, _ in _broken(path, text="text")] == ["pool:2", "pool:3"]
    assert _broken(_parquet(tmp_path, text=["a", None]), text="text") == [
        ("pool:2", "row 2: the text in column 'text' is missing")
    ]


@pytest.mark.parametrize(
    ("cell", "reason"),
    [("", "is missing"), ("abc", "'abc' where a number"), ("nan", "finite"), ("-inf", "finite")],
)
def test_a_cell_that_is_no_number_is_broken(tmp_path: Path, cell: str, reason: str) -> None:
    path = _csv(tmp_path, f"a,b\n1,2\n3,{cell}\n")
    ((key, told),) = _broken(path, features=["a", "b"])
    assert key == "pool:2"
    assert told.startswith("row 2: ")
    assert "'b'" in told
    assert reason in told


def test_numbers_of_any_type_are_features(tmp_path: Path) -> None:
    path = _parquet(tmp_path, a=[1, 2], b=[True, False], c=["3", "4.5"], d=[math.pi, None])
    assert _items(path, features=["a", "b", "c"])[1].payload == {"features": [2.0, 0.0, 4.5]}
    assert [key for key, _ in _broken(path, features=["d"])] == ["pool:2"]


def test_a_column_of_numbers_is_no_text(tmp_path: Path) -> None:
    assert "holds int where text" in _broken(_parquet(tmp_path, text=[1]), text="text")[0][1]


def test_nul_characters_are_broken_items(tmp_path: Path) -> None:
    path = _csv(tmp_path, b"text,kind\na\0b,x\nok,y\0\nfine,z\n")
    assert _broken(path, text="text", label="kind") == [
        ("pool:1", "row 1: the text holds a NUL character (at character 2)"),
        ("pool:2", "row 2: the label holds a NUL character (at character 2)"),
    ]


def test_a_row_with_a_wrong_number_of_cells_is_broken_and_the_others_keep_their_numbers(
    tmp_path: Path,
) -> None:
    path = _csv(tmp_path, "text,n\na,1\nb\n\nc,2\nd,e,f\ng,3\nh\n")
    records = _read(path, text="text")
    assert sorted(record.key for record in records) == [f"pool:{row}" for row in range(1, 7)]
    assert {r.key: r.payload["text"] for r in records if isinstance(r, SourceItem)} == {
        "pool:1": "a",
        "pool:3": "c",
        "pool:5": "g",
    }
    assert ("pool:2", "row 2: 1 cells where the header has 2") in _broken(path, text="text")


def test_the_size_of_a_block_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "".join(f"text {row},{row}\n" if row % 7 else f"odd {row}\n" for row in range(1, 500))
    path = _csv(tmp_path, "text,n\n" + rows)
    whole = _read(path, text="text")
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 100)
    assert sorted(_read(path, text="text"), key=str) == sorted(whole, key=str)


def test_an_unclosed_quote_in_a_big_file_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 1000)
    with pytest.raises(SourceError, match="never closed"):
        _read(_csv(tmp_path, 'text\n"' + "x\n" * 2000), text="text")


def test_a_missing_column_lists_those_there_are_and_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no column 'txt' .* are: id, text\. Did you mean 'text'\?"):
        _read(_csv(tmp_path, "id,text\n1,a\n"), text="txt")
    with pytest.raises(SourceError, match="give --separator ';'"):
        _read(_csv(tmp_path, "id;text\n1;a\n"), text="text")
    assert _texts(_csv(tmp_path, "id;text\n1;a\n"), separator=";") == ["a"]


def test_a_column_name_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="2 columns named 'text'"):
        _read(_csv(tmp_path, "text,text\na,b\n"), text="text")
    assert _texts(_csv(tmp_path, "n,n,text\n1,2,a\n")) == ["a"]


def test_keys_that_occur_twice_are_refused_before_the_first_item(tmp_path: Path) -> None:
    rows = "".join(f"k{row % 10},t{row}\n" for row in range(20))
    with pytest.raises(SourceError, match=r"'k0' in rows 1 and 11; .*'k4' in rows 5 and 15 and 5 more"):
        open_source(_csv(tmp_path, "id,text\n" + rows), text="text", key="id")


def test_missing_keys_are_broken_and_not_doubles(tmp_path: Path) -> None:
    path = _csv(tmp_path, "id,text\n,a\n,b\n1,c\n")
    assert [key for key, _ in _broken(path, text="text", key="id")] == ["pool:1", "pool:2"]


@pytest.mark.parametrize("options", [{}, {"text": "text", "features": ["n"]}, {"features": []}])
def test_exactly_one_of_text_and_features_is_expected(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(SourceError, match=r"exactly one|at least one"):
        open_source(_csv(tmp_path, "text,n\na,1\n"), **options)


def test_files_without_rows_are_refused(tmp_path: Path) -> None:
    for content in ("", "text\n", "\n\n"):
        with pytest.raises(SourceError, match="Found"):
            open_source(_csv(tmp_path, content), text="text")
    with pytest.raises(SourceError, match="Found no rows"):
        open_source(_parquet(tmp_path, text=pa.array([], pa.string())), text="text")


def test_something_else_is_refused_with_what_is_known(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="Found nothing at"):
        open_source(tmp_path / "gone.csv", text="text")
    with pytest.raises(SourceError, match=r"ends in \.csv"):
        open_source(_csv(tmp_path, "x", "pool.xlsx"), text="text")
    with pytest.raises(SourceError, match="Did you mean 'table'"):
        open_source(_csv(tmp_path, "x"), text="text", kind="tabel")
    with pytest.raises(SourceError, match="not be read as Parquet"):
        open_source(_csv(tmp_path, "x" * 100, "pool.parquet"), text="text")


def test_a_kind_can_be_named_when_the_ending_says_nothing(tmp_path: Path) -> None:
    assert _texts(_csv(tmp_path, "text\na\n", "pool.txt"), kind="table") == ["a"]


def test_memory_follows_the_block_and_not_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 1 << 16)
    path = tmp_path / "big.csv"
    with path.open("w") as file:
        file.write("text\n")
        file.writelines(f"row number {row} of a table\n" for row in range(100_000))
    tracemalloc.start()
    assert sum(1 for _ in _stream(path)) == 100_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000


def _stream(path: Path) -> Iterator[Record]:
    return open_source(path, text="text").records


@pytest.mark.skipif(not DATA.exists(), reason="the shared data sets are not here")
def test_real_tables_are_read_whole() -> None:
    sms = open_source(DATA / "sms_spam.parquet", text="text", label="label_name")
    records = list(sms.records)
    assert sms.content is Content.TEXT
    assert len(records) == 5574
    assert {item.truth for item in records if isinstance(item, SourceItem)} == {"ham", "spam"}
    census = _items(DATA / "adult_census.parquet", features=["age", "hours_per_week"], label="income")
    assert len(census) == 48_842
