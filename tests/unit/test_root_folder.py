"""Which files the console reads and stores, whatever is typed into its fields."""

from __future__ import annotations

from pathlib import Path

import pytest

import batchops as bo
from batchops.core.errors import InputError
from batchops.widgets.root_folder import RootFolder


@pytest.fixture
def root(tmp_path: Path) -> RootFolder:
    """A folder with data in it, beside others that are none of the console's business."""
    (tmp_path / "root" / "data").mkdir(parents=True)
    (tmp_path / "root" / "data" / "orders.csv").write_text("a\n")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret.csv").write_text("secret\n")
    return RootFolder(tmp_path / "root")


def test_a_file_in_the_folder_is_found_by_a_path_in_it_or_a_whole_one(root: RootFolder) -> None:
    orders = root.path / "data" / "orders.csv"
    assert root.find_file("data/orders.csv") == orders
    assert root.find_file(str(orders)) == orders
    assert root.find_file("data/../data/orders.csv") == orders


@pytest.mark.parametrize(
    "text",
    ["../elsewhere/secret.csv", "data/../../elsewhere/secret.csv", "/etc/hostname"],
)
def test_no_path_leads_out_of_the_folder(root: RootFolder, text: str) -> None:
    with pytest.raises(bo.InputError, match="leads out of"):
        root.find_file(text)
    with pytest.raises(bo.InputError, match="leads out of"):
        root.find_place(text, "orders.csv")


def test_no_link_leads_out_of_the_folder(root: RootFolder) -> None:
    elsewhere = root.path.parent / "elsewhere"
    (root.path / "link.csv").symlink_to(elsewhere / "secret.csv")
    (root.path / "folder").symlink_to(elsewhere)
    for text in ("link.csv", "folder/secret.csv"):
        with pytest.raises(bo.InputError, match="leads out of"):
            root.find_file(text)
    with pytest.raises(bo.InputError, match="leads out of"):
        root.find_place("folder", "orders.csv")
    # Nor is a link replaced, or what it leads to.
    (root.path / "data" / "gone.csv").symlink_to(elsewhere / "gone.csv")
    with pytest.raises(bo.InputError, match="is there already"):
        root.find_place("data", "gone.csv")


def test_whether_a_file_outside_is_there_is_not_told(root: RootFolder) -> None:
    told = []
    for name in ("secret.csv", "nothing.csv"):
        with pytest.raises(bo.InputError) as refused:
            root.find_file(f"../elsewhere/{name}")
        told.append(str(refused.value).replace(name, ""))
    assert told[0] == told[1]


@pytest.mark.parametrize(
    "name",
    ["evil.py", "evil.pth", "sitecustomize.py", "orders", "orders.csv.so", "x.ipynb", "x.json"],
)
def test_only_data_files_are_read_and_stored(root: RootFolder, name: str) -> None:
    (root.path / name).write_text("import os\n")
    with pytest.raises(bo.InputError, match=r"end in \.csv, \.tsv or \.txt"):
        root.find_file(name)
    with pytest.raises(bo.InputError, match=r"end in \.csv, \.tsv or \.txt"):
        root.find_place("data", name)


@pytest.mark.parametrize(
    "name",
    [
        ".h.csv",
        "../x.csv",
        "sub/x.csv",
        "/tmp/x.csv",
        "",
        "..",
        "requirements.txt",
        "requirements-dev.TXT",
        "Constraints.txt",
        "CMakeLists.txt",
    ],
)
def test_no_name_leads_elsewhere_or_sets_up_a_program(root: RootFolder, name: str) -> None:
    with pytest.raises(InputError, match="press Link"):
        root.find_place("", name)


def test_suffixes_may_be_in_capitals(root: RootFolder) -> None:
    (root.path / "ORDERS.CSV").write_text("a\n")
    assert root.find_file("ORDERS.CSV").name == "ORDERS.CSV"
    assert root.find_place(".", "NEW.TXT") == root.path / "NEW.TXT"


def test_hidden_folders_are_none_of_the_consoles_business(root: RootFolder) -> None:
    (root.path / ".batchops").mkdir()
    (root.path / ".batchops" / "reference.csv").write_text("a\n")
    with pytest.raises(bo.InputError, match="is hidden"):
        root.find_file(".batchops/reference.csv")
    with pytest.raises(bo.InputError, match="is hidden"):
        root.find_place(".batchops", "orders.csv")


@pytest.mark.parametrize("text", ["\0.csv", "x" * 5_000 + ".csv", "loop.csv"])
def test_a_path_that_cannot_be_one_is_refused_with_words(root: RootFolder, text: str) -> None:
    (root.path / "loop.csv").symlink_to(root.path / "loop.csv")
    with pytest.raises(bo.InputError):
        root.find_file(text)
    with pytest.raises(bo.InputError):
        root.find_place(text, "orders.csv")


def test_only_what_the_console_stored_is_replaced(root: RootFolder) -> None:
    with pytest.raises(bo.InputError, match="is there already, and the console did not store it"):
        root.find_place("data", "orders.csv")
    path = root.find_place(".", "orders.csv")
    path.write_text("b\n")
    root.note_stored(path)
    assert root.find_place(".", "orders.csv") == path
    assert root.holds_stored(path)
    # Once somebody has changed it, it is theirs.
    path.write_text("edited\n")
    with pytest.raises(bo.InputError, match="is there already"):
        root.find_place(".", "orders.csv")
    path.unlink()
    assert root.find_place(".", "orders.csv") == path
    assert not root.holds_stored(path)


def test_the_folder_is_by_default_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert RootFolder().path == tmp_path.resolve()
    with pytest.raises(bo.InputError, match="no folder"):
        RootFolder(tmp_path / "none")


def test_only_a_workbook_of_ours_is_stored_as_one(tmp_path: Path) -> None:
    root = RootFolder(tmp_path)
    with pytest.raises(InputError, match=r"end in \.csv, \.tsv or \.txt"):
        root.find_place(".", "orders.xlsx")
    assert root.find_place(".", "orders.xlsx", made=".xlsx") == tmp_path / "orders.xlsx"
    with pytest.raises(InputError, match="is called"):
        root.find_place(".", "orders.csv", made=".xlsx")
