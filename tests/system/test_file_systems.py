"""What lies on a network's file system is told by the kernel's table of mounts."""

from __future__ import annotations

from pathlib import Path

import pytest

from inverse_instruct.system import file_systems
from inverse_instruct.system.file_systems import is_on_network

TABLE = r"""22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:40 / /scratch rw shared:2 - nfs4 server:/scratch rw
31 30 0:41 / /scratch/local rw - xfs /dev/vdb rw
32 22 0:42 /x /with\040space rw - lustre lustre@tcp:/x rw
33 22 0:43 / /s3 rw - fuse.s3fs s3fs rw
34 22 0:44 / /over rw - nfs server:/a rw
35 34 0:45 / /over rw - tmpfs tmpfs rw
"""


@pytest.fixture(autouse=True)
def mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    table = tmp_path / "mountinfo"
    table.write_text(TABLE)
    monkeypatch.setattr(file_systems, "MOUNTS", table)
    return table


@pytest.mark.parametrize(
    ("path", "is_network"),
    [
        ("/home/me/runs", False),
        ("/scratch/runs/x", True),
        ("/scratch", True),
        ("/scratch/local/runs", False),
        ("/scratchy/runs", False),
        ("/with space/runs", True),
        ("/s3/runs", True),
        ("/over/runs", False),
    ],
)
def test_the_deepest_and_last_mount_counts(path: str, is_network: bool) -> None:
    assert is_on_network(Path(path)) == is_network


def test_without_a_table_it_is_taken_for_local(mounts: Path) -> None:
    mounts.unlink()
    assert not is_on_network(Path("/scratch/runs"))
