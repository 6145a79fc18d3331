"""Digests of files."""

import hashlib

from mindone_tcd.files.digests import file_sha256


def test_the_digest_of_a_file_larger_than_a_block(tmp_path):
    content = bytes(range(256)) * 9000
    path = tmp_path / "file"
    path.write_bytes(content)
    assert file_sha256(path) == hashlib.sha256(content).hexdigest()
