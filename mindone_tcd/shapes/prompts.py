"""Translate users' prompts into the words that the shipped model's text encoders were trained on.

The model was trained only on the captions of :mod:`~mindone_tcd.shapes.grammar`. To it, any other word is noise.
:func:`to_trained` replaces synonyms, drops words without meaning, and translates Chinese prompts of the same grammar.
To add a word, edit only the tables at the top.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .grammar import COLOURS, DIRECTIONS, POSITIONS, RELATIONS, SHAPES, SIZES

TRAINED: frozenset[str] = frozenset(
    [*COLOURS, *SHAPES, *SIZES, "a", "an", "the", "in", "on", "background", ","]
    + [word for phrase in [*POSITIONS, *RELATIONS] for word in phrase.split()]
)
"""The words of the training captions."""

MOTION: frozenset[str] = frozenset(["moving", *DIRECTIONS])
"""The words of motion, which only the sibling in SD 1.5's layout was trained on."""

SYNONYMS: dict[str, str] = {
    # colors
    "grey": "gray",
    "violet": "purple",
    "aqua": "cyan",
    "turquoise": "cyan",
    # shapes
    "circular": "circle",
    "disc": "circle",
    "disk": "circle",
    "dot": "circle",
    "star-shaped": "star",
    "donut": "ring",
    "doughnut": "ring",
    "plus": "cross",
    "rhombus": "diamond",
    "lozenge": "diamond",
    "crescent": "moon",
    # sizes
    "big": "large",
    "huge": "large",
    "giant": "large",
    "little": "small",
    "tiny": "small",
    "medium-sized": "medium",
    "middle-sized": "medium",
    # positions
    "centre": "center",
    "middle": "center",
    "upper": "top",
    "lower": "bottom",
    # relations
    "beneath": "below",
    "underneath": "below",
    "under": "below",
}
"""English words and the trained word for each. Plurals need no entry."""

PHRASES: tuple[tuple[str, str], ...] = (
    (r"^(?:an? |the )?(?:picture|image|photo|photograph|drawing|painting|illustration)s? (?:of|with|showing) ", ""),
    (r"\b(top|bottom|upper|lower)-(left|right)\b", r"\1 \2"),
    (r"[ -](?:colou?red|shaped|in colou?r)\b", ""),
    (r"\bmedium(?:-| )sized?\b", "medium"),
    (r"\bcrescent moons?\b", "moon"),
    (r"\bplus signs?\b", "cross"),
    (r"\b(?:is|are|placed|located) (?=(?:above|below|over|under|beneath|to|on|in|at|left|right|placed|located)\b)", ""),
    (r"\bon top of\b", "above"),
    (r"\bover (?=an? )(?!an? \w+ background)", "above "),
    (r"\b(?:on|at) the (left|right)(?: side)? of\b", r"to the \1 of"),
    (r"(?<!to the )\b(left|right) of\b", r"to the \1 of"),
    (
        r"\b(?:on|at|to) the (?=(?:top|bottom|left|right|center|centre|middle|upper|lower)\b)(?!(?:left|right) of)",
        "in the ",
    ),
    (r"\bin the (left|right) side\b", r"in the \1"),
    (r"\bin the ((?:top|bottom|upper|lower) (?:left|right)) corner\b", r"in the \1"),
    (r"\b(?:with|against|over|before|in front of) (?=(?:an? |the )?[\w-]+ background)", "on "),
    (r"\b(?:with|against) background ([\w-]+)", r"on a \1 background"),
)
"""Regular expressions for phrases of several words, applied in this order, before :data:`SYNONYMS`."""

MOTION_PHRASE = (
    r"\b(?:(?:that|which) )?(?:is )?(?:moving|moves|going|goes|sliding|slides|flying|flies) (?:to(?:wards?)? the )?"
    r"(?:(right|left|up|down)|(top)|(bottom))(?:wards?)?\b"
)
"""A regular expression for a motion: the direction is one of its groups."""

CHINESE: dict[str, dict[str, str]] = {
    "color": {
        "red": "红色 大红色 红",
        "green": "绿色 绿",
        "blue": "蓝色 蓝",
        "yellow": "黄色 黄",
        "orange": "橙色 橘色 橘黄色 橙 橘",
        "purple": "紫色 紫",
        "pink": "粉红色 粉色 粉红 粉",
        "cyan": "青色 青",
        "white": "白色 白",
        "black": "黑色 黑",
        "gray": "灰色 灰",
        "brown": "棕色 褐色 咖啡色 棕 褐",
    },
    "shape": {
        "circle": "圆形 圆圈 圆点 圆",
        "square": "正方形 方形 方块 正方 方",
        "triangle": "三角形 三角",
        "star": "五角星 五角星形 星形 星星 星",
        "ring": "圆环 圆环形 环形 环",
        "cross": "十字 十字形 十字架 加号",
        "heart": "心形 爱心 桃心 红心 心",
        "diamond": "菱形 钻石形",
        "moon": "月亮 月牙 月牙形 弯月 新月 月",
    },
    "size": {
        "small": "小 小小 小号 小型 微小 很小",
        "medium": "中 中等 中号 中型 中等大小",
        "large": "大 大大 大号 大型 巨大 很大",
    },
    "place": {
        "center": "中间 中央 中心 正中 正中央 正中间 居中",
        "left": "左边 左侧 左面 左方 左部 左",
        "right": "右边 右侧 右面 右方 右部 右",
        "top": "上方 上面 上边 上部 上侧 顶部 顶端 之上",
        "bottom": "下方 下面 下边 下部 下侧 底部 底端 之下",
        "top left": "左上角 左上方 左上",
        "top right": "右上角 右上方 右上",
        "bottom left": "左下角 左下方 左下",
        "bottom right": "右下角 右下方 右下",
    },
    "motion": {
        "right": "向右移动 往右移动 向右运动 向右 往右 从左到右 从左往右 从左向右 右移",
        "left": "向左移动 往左移动 向左运动 向左 往左 从右到左 从右往左 从右向左 左移",
        "up": "向上移动 往上移动 向上运动 向上 往上 从下到上 从下往上 从下向上 上移 上升",
        "down": "向下移动 往下移动 向下运动 向下 往下 从上到下 从上往下 从上向下 下移 下降",
    },
    "background": {"background": "背景 背景色 底色 底"},
    "filler": {
        "": "的 地 之 色 在 是 为 有 里 里面 里边 内 上 放 放着 放在 画 画着 画有 位于 处于 颜色 形状 呈 请 请画 "
        "一 一个 一只 一颗 一枚 一块 一轮 一弯 一道 一张 一幅 个 只 颗 枚 块 轮 张 幅 "
        "移动 运动 图片 图 图像 图画 照片 画面 画面中 图中 画中 当中 之中"
    },
}
"""Chinese words by kind and by the trained word that they mean. In a text, the longest match counts."""

TRADITIONAL = str.maketrans(
    "紅綠藍黃棕圓環愛鑽塊邊側個隻顆張畫圖當間為處顏裡裏內放輪彎裝號點狀請於橘無動運從",
    "红绿蓝黄棕圆环爱钻块边侧个只颗张画图当间为处颜里里内放轮弯装号点状请于橘无动运从",
)
"""Traditional characters and the simplified characters that :data:`CHINESE` uses."""

_ENGLISH_KINDS: dict[str, str] = {
    **dict.fromkeys(COLOURS, "color"),
    **dict.fromkeys(SHAPES, "shape"),
    **dict.fromkeys(SIZES, "size"),
    **dict.fromkeys(POSITIONS, "place"),
    **dict.fromkeys(("above", "below"), "place"),
    "background": "background",
    **dict.fromkeys(("a", "an", "the", "of", "in", "on", "to"), "filler"),
}
_RELATION = {
    "left": "to the left of",
    "right": "to the right of",
    "top": "above",
    "bottom": "below",
    "above": "above",
    "below": "below",
}
_HAN = r"㐀-鿿"


class Trained(NamedTuple):
    """A prompt for the shipped model.

    Attributes:
        text: the prompt in trained words. Unknown words of an English prompt stay in it.
        unknown: the words that the model was not trained on, as the user wrote them, in order and without duplicates.
        missing: what every caption has and the prompt lacks: "shape", "background", "relation" (of two shapes).
    """

    text: str
    unknown: tuple[str, ...]
    missing: tuple[str, ...]


def to_trained(prompt: str, motion: bool = False) -> Trained:
    """Translate a prompt into the words that the shipped model was trained on.

    Captions of the grammar do not change.

    Args:
        prompt: English, Chinese (simplified or traditional), or a mixture.
        motion: whether the model was trained on the words of motion.

    Example:
        >>> to_trained("a big grey disc on blue").text
        'a large gray circle on blue'
        >>> to_trained("左上角的小黄色星形，黑色背景").text
        'a small yellow star in the top left on a black background'
        >>> to_trained("a red dot that moves to the left on blue", motion=True).text
        'a red circle moving left on blue'
    """
    plain = unicodedata.normalize("NFKC", prompt).replace("。", ".").replace("、", ",")
    return _chinese(plain, motion) if re.search(f"[{_HAN}]", plain) else _english(plain, motion)


def _english(prompt: str, motion: bool) -> Trained:
    text = " ".join(re.sub(r"[.;:!?\"'`()\[\]]+(?=\s|$)|(?<!\S)[\"'`(\[]+", " ", prompt.lower()).split())
    if motion:
        text = re.sub(MOTION_PHRASE, _moving, text)
    for pattern, replacement in PHRASES:
        text = " ".join(re.sub(pattern, replacement, text).split())
    text = _background_last(text)
    written = re.findall(r"[^\s,]+|,", text)
    words = [_trained_word(word) for word in written]
    known = TRAINED | MOTION if motion else TRAINED
    unknown = [word for word in words if word not in known]
    return Trained(" ".join(words).replace(" ,", ","), tuple(dict.fromkeys(unknown)), _missing(words))


def _moving(match: re.Match[str]) -> str:
    direction = match[1] or ("up" if match[2] else "down")
    return f"moving {direction}"


def _background_last(text: str) -> str:
    """Move a background at the start ("blue background with a red circle") to the end, where captions have it."""
    match = re.fullmatch(
        r"(?:on )?((?:an? |the )?[\w-]+ background)(?: with| showing| containing|,) ((?:an? |the )?[^,]*)", text
    )
    return f"{match[2]}, {re.sub('^(?:an?|the) ', '', match[1])}" if match else text


def _trained_word(word: str) -> str:
    word = SYNONYMS.get(word, word)
    if word in TRAINED or not word.endswith("s"):
        return word
    for single in (word[:-1], word[:-2]):
        single = SYNONYMS.get(single, single)
        if single in SHAPES:
            return single
    return word


def _missing(words: Sequence[str]) -> tuple[str, ...]:
    shapes = sum(word in SHAPES for word in words)
    missing = [] if shapes else ["shape"]
    if not _names_background(words):
        missing.append("background")
    if shapes > 1 and not {"above", "below"} & set(words) and "of" not in words:
        missing.append("relation")
    return tuple(missing)


def _names_background(words: Sequence[str]) -> bool:
    if "background" in words:
        return True
    last = [word for word in words if word not in ("a", "an", "the")]
    return len(last) > 1 and last[-1] in COLOURS and last[-2] == "on"


class _Token(NamedTuple):
    kind: str  # of CHINESE, "comma", or "unknown"
    word: str  # the trained word
    written: str


def _tables() -> dict[str, tuple[str, str]]:
    found = {
        written: (kind, word)
        for kind, words in CHINESE.items()
        for word, list_ in words.items()
        for written in list_.split()
    }
    return {**found, **{word: (kind, word) for word, kind in _ENGLISH_KINDS.items()}}


_WORDS = _tables()
_LONGEST_FIRST = "|".join(re.escape(w) for w in sorted(_WORDS, key=len, reverse=True) if re.match(f"[{_HAN}]", w))
_PIECE = re.compile(
    rf"(?P<word>{_LONGEST_FIRST})|(?P<latin>[^\s,.;:!?{_HAN}]+)|(?P<comma>[,.;:!?])|(?P<other>[{_HAN}])"
)


def _tokens(prompt: str) -> list[_Token]:
    tokens: list[_Token] = []
    for match in _PIECE.finditer(prompt.lower().translate(TRADITIONAL)):
        written, kind = prompt[match.start() : match.end()], match.lastgroup
        if kind == "comma":
            token = _Token("comma", ",", written)
        elif kind == "other":
            token = _Token("unknown", written, written)
        else:
            word = match[0] if kind == "word" else _trained_word(match[0])
            token = _Token(*_WORDS.get(word, ("unknown", written)), written)
        if token.written == "中" and tokens and tokens[-1].kind == "background":
            token = _Token("filler", "", written)  # 「蓝色背景中的…」; in other positions it is a size
        if token.kind == "unknown" and tokens and tokens[-1].kind == "unknown" and kind == "other":
            token = _Token("unknown", tokens[-1].word + written, tokens[-1].written + written)
            tokens.pop()
        tokens.append(token)
    return tokens


class _Object:
    """A shape with its attributes, and the index of its word in the text."""

    def __init__(self, shape: str, at: int) -> None:
        self.shape, self.at = shape, at
        self.color = self.size = ""

    def phrase(self) -> str:
        return " ".join(word for word in (self.size, self.color, self.shape) if word)


def _chinese(prompt: str, motion: bool) -> Trained:
    tokens = _tokens(prompt)
    used: set[int] = {i for i, token in enumerate(tokens) if token.kind in ("filler", "comma", "background")}
    background = _take_background(tokens, used)
    objects = [_Object(token.word, i) for i, token in enumerate(tokens) if token.kind == "shape"]
    used |= {thing.at for thing in objects}
    _take_attributes(tokens, used, objects)
    relation, turned = _take_relation(tokens, used, objects)
    if turned:
        objects[:2] = objects[1::-1]
    place = ""
    moves = next((i for i, token in enumerate(tokens) if token.kind == "motion"), None) if motion else None
    if len(objects) == 1 and moves is not None:
        place = f"moving {tokens[moves].word}"
        used.add(moves)
    elif len(objects) == 1:
        free = (i for i, token in enumerate(tokens) if token.kind == "place" and i not in used)
        at = next(free, None)
        if at is not None:
            place = f"in the {tokens[at].word}"
            used.add(at)
    unused = [token for i, token in enumerate(tokens) if i not in used]
    if objects:
        text, unknown = _caption(objects, relation, place, background), unused
    else:
        named = [token.word for token in unused if token.kind not in ("unknown", "motion")]
        text = " ".join([*named, *([f"{background} background"] if background else [])])
        unknown = [token for token in unused if token.kind in ("unknown", "motion")]
    missing = [] if objects else ["shape"]
    if not background:
        missing.append("background")
    if len(objects) > 1 and not relation:
        missing.append("relation")
    return Trained(text, tuple(dict.fromkeys(token.written for token in unknown)), tuple(missing))


def _take_background(tokens: list[_Token], used: set[int]) -> str:
    """Return the background's color: before the word, or after it (背景是蓝色) if there is none before it."""
    for at in (i for i, token in enumerate(tokens) if token.kind == "background"):
        for way in (-1, 1):
            i = at + way
            while 0 <= i < len(tokens) and tokens[i].kind == "filler":
                i += way
            if 0 <= i < len(tokens) and tokens[i].kind == "color" and i not in used:
                used.add(i)
                return tokens[i].word
    return ""


def _take_attributes(tokens: list[_Token], used: set[int], objects: Iterable[_Object]) -> None:
    """Assign to each shape the color and the size before it; if there is none, the one after it (圆形是红色的)."""
    objects = list(objects)
    starts = [0, *(thing.at + 1 for thing in objects)]
    for kind, attribute in (("color", "color"), ("size", "size")):
        for start, thing in zip(starts, objects, strict=False):
            before = [i for i in range(start, thing.at) if tokens[i].kind == kind and i not in used]
            if before:
                setattr(thing, attribute, tokens[before[-1]].word)
                used.add(before[-1])
        for start, thing in zip(starts[1:], objects, strict=True):
            end = next((other.at for other in objects if other.at > thing.at), len(tokens))
            after = [i for i in range(start, end) if tokens[i].kind == kind and i not in used]
            if after and not getattr(thing, attribute):
                setattr(thing, attribute, tokens[after[0]].word)
                used.add(after[0])


def _take_relation(tokens: list[_Token], used: set[int], objects: Sequence[_Object]) -> tuple[str, bool]:
    """Return the relation of the first of two objects to the second, and whether the caption must swap them.

    In 「甲在乙上方」 the position word follows both objects. In 「乙上方的甲」 it is between them, and the second
    object is the subject.
    """
    if len(objects) != 2:
        return "", False
    first, second = (thing.at for thing in objects)
    places = [i for i, token in enumerate(tokens) if token.kind == "place" and token.word in _RELATION]
    before = [i for i in places if i < first]
    between = [i for i in places if first < i < second]
    after = [i for i in places if i > second]
    if before and not after:
        used.update(before[:1] + between[:1])  # 「上方是甲，下方是乙」
        return _RELATION[tokens[before[0]].word], False
    at = next(iter(after or between), None)
    if at is None:
        return "", False
    used.add(at)
    return _RELATION[tokens[at].word], not after


def _caption(objects: Sequence[_Object], relation: str, place: str, background: str) -> str:
    phrases = [thing.phrase() for thing in objects]
    text = f" {relation} a ".join(phrases) if relation else ", a ".join(phrases)
    if place:
        text += f" {place}"
    if background:
        text += f" on a {background} background"
    # As in the training captions, only the first article can be "an".
    return f"{'an' if text[0] in 'aeiou' else 'a'} {text}"
