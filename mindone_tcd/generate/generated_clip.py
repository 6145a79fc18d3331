"""placeholder until the merge"""


class GeneratedClip:
    def __init__(self, frames, record):
        self.frames, self.record = frames, record


def check_clip_writable(path): ...
