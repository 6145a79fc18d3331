"""Whether a hub answers, with a limit of time, cached."""

from mindone_tcd.files import reachability


def test_reachability_is_cached(monkeypatch):
    clock, asked = [1000.0], []
    monkeypatch.setattr(reachability.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(reachability, "_answers", {})
    monkeypatch.setattr(reachability, "_answers_in_time", lambda endpoint: asked.append(endpoint) or len(asked) > 1)
    assert [reachability.reachable("https://a"), reachability.reachable("https://a")] == [False, False]
    assert asked == ["https://a"]
    clock[0] += 31
    assert reachability.reachable("https://a")


def test_a_silent_hub_times_out(monkeypatch):
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setattr(reachability, "_TIMEOUT", 0.2)
        assert not reachability._answers_in_time(f"http://127.0.0.1:{silent.getsockname()[1]}")
