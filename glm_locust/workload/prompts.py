"""What the questions say, in Chinese and English, never twice the same.

Every text carries a place and a minute of the last decades, as a person would mention them. The
minute follows from the index by a bijection, so texts differ for the first MOMENTS indices.
Lengths aim at 20 to 40 tokens by `estimated_tokens`.
"""

import math
import random
import re
from datetime import datetime, timedelta
from typing import Literal

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")

_FIRST_MOMENT = datetime(1975, 1, 1)
MOMENTS = 50 * 365 * 24 * 60
"""How many indices have a minute of their own: 26 million."""
REPEATED = -1
"""The index whose minute no other index has: the prompt that repeats."""

_PLACES: tuple[tuple[str, str], ...] = (
    ("Beijing", "北京"),
    ("Shanghai", "上海"),
    ("Hangzhou", "杭州"),
    ("Chengdu", "成都"),
    ("Xi'an", "西安"),
    ("Lyon", "里昂"),
    ("Porto", "波尔图"),
    ("Oslo", "奥斯陆"),
    ("Kyoto", "京都"),
    ("Boston", "波士顿"),
    ("Vienna", "维也纳"),
    ("Dublin", "都柏林"),
)
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)

# The part behind the first full stop names the task: `recognise` looks for it, so no two tasks may
# share one. What differs between requests comes first, where prefix caches begin to compare.
_TEMPLATES: dict[str, dict[Language, tuple[str, ...]]] = {
    "describe": {
        "en": (
            "{place}, {when}. Describe this image: the setting, the objects and their colours.",
            "{when}, seen in {place}. What is shown in this picture, and how many of each object?",
            "From {place}, {when}. Please describe what you see in this image in a few sentences.",
        ),
        "zh": (
            "{when}摄于{place}。请描述这张图片，说说场景、物体和颜色。",
            "{place}，{when}。这张图里有什么？每种物体各有几个？",
            "这是{when}在{place}拍的。请用几句话描述你看到的画面。",
        ),
    },
    "ocr": {
        "en": (
            "{place}, {when}. What does the text in this image say? Keep its lines.",
            "{when}, on a wall in {place}. Please read out all the text on this notice.",
            "Seen in {place}, {when}. Transcribe every word and number of the notice exactly.",
        ),
        "zh": (
            "{when}摄于{place}。图中的文字内容是什么？请逐行写出。",
            "{place}，{when}。请读出这张告示上的全部文字和数字。",
            "这是{when}在{place}看到的。请识别图片中的文字，保持原来的顺序。",
        ),
    },
    "chart": {
        "en": (
            "{place}, {when}. Predict the next data point of this line chart and say why.",
            "Figures from {place}, {when}. Which value comes next on this line, by which rule?",
            "{when}, office in {place}. How does this curve go on? Give the next value.",
        ),
        "zh": (
            "{when}由{place}导出。请预测折线图的下一个数据点，并说明理由。",
            "{place}，{when}。这条折线接下来的数值是多少？有什么规律？",
            "这是{place}在{when}的统计图。请根据趋势给出下一个月的数值。",
        ),
    },
    "compare": {
        "en": (
            "{place}, {when}. What are the similarities and differences of these two images?",
            "Both from {place}, {when}. Compare the two pictures and list all that changed.",
            "{when}, twice in {place}. What is the same in both images, and what is not?",
        ),
        "zh": (
            "{when}摄于{place}。这两张图片有哪些相同和不同之处？",
            "{place}，{when}。请比较两张图，列出所有的变化。",
            "这是{when}在{place}拍的两张照片。请找出它们之间的差异。",
        ),
    },
    "reason": {
        "en": (
            "My meal in {place}, {when}. I want to lose weight: what would you advise?",
            "{when}, lunch in {place}. What should I change on this plate to become slimmer?",
            "{place}, {when}. Judge this meal for somebody on a diet, and suggest a better one.",
        ),
        "zh": (
            "这是我{when}在{place}吃的饭。我想减肥，你有什么建议？",
            "{place}，{when}。为了减重，这一餐应该怎么调整？请说明理由。",
            "{when}在{place}的午餐。请分析这盘食物的热量，并给出瘦身方案。",
        ),
    },
}

_SENTENCES: tuple[tuple[str, str], ...] = tuple(
    (re.split(r"[.。]\s*", template, maxsplit=1)[1], task)
    for task, by_language in _TEMPLATES.items()
    for templates in by_language.values()
    for template in templates
)

# For questions in a person's own words; the first that matches decides.
_KEYWORDS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), task)
    for pattern, task in (
        (r"weight|diet|calorie|减肥|减重|瘦身|热量", "reason"),
        (r"\bchart\b|\bcurve\b|data point|next value|折线|图表|数据点|曲线", "chart"),
        (r"\bcompare|difference|similarit|two (images|pictures)|对比|比较|异同|不同|差异", "compare"),
        (r"\btext\b|\bocr\b|transcribe|read out|written|文字|识别", "ocr"),
        (
            r"describe|description|what do you see|(shown|seen|going on) in|描述|看到|画面|图里|图中",
            "describe",
        ),
    )
)


def moment(seed: int, index: int) -> datetime:
    """The minute that belongs to this index and to none of the other MOMENTS - 1 indices."""
    if index == REPEATED:
        return _FIRST_MOMENT + timedelta(minutes=MOMENTS)
    rng = random.Random(f"{seed}/moments")
    step = rng.randrange(MOMENTS // 3, MOMENTS // 2)
    # An affine map permutes the minutes when its factor shares no divisor with their number.
    while math.gcd(step, MOMENTS) != 1:
        step += 1
    return _FIRST_MOMENT + timedelta(minutes=(index * step + rng.randrange(MOMENTS)) % MOMENTS)


def question(task: str, language: Language, when: datetime, rng: random.Random) -> str:
    """The text of one question."""
    template = rng.choice(_TEMPLATES[task][language])
    place_en, place_zh = rng.choice(_PLACES)
    if language == "zh":
        minute = f"{when.minute}分" if when.minute else "整"
        date = f"{when.year}年{when.month}月{when.day}日{when.hour}点{minute}"
        return template.format(place=place_zh, when=date)
    date = f"{when.day} {_MONTHS[when.month - 1]} {when.year}, {when.hour}:{when.minute:02}"
    return template.format(place=place_en, when=date)


def recognise(text: str) -> str | None:
    """The task that a question belongs to: exactly for ours, by keywords for others, or None."""
    for sentence, task in _SENTENCES:
        if sentence in text:
            return task
    for keywords, task in _KEYWORDS:
        if keywords.search(text):
            return task
    return None


def estimated_tokens(text: str) -> int:
    """About how many tokens a multilingual tokenizer of 150 000 entries makes of the text.

    A rule of thumb, no tokenizer: 0.7 per Chinese character, 1.2 per Latin word, one per three
    digits begun, one per punctuation mark.
    """
    chinese = len(re.findall(r"[\u4e00-\u9fff]", text))
    words = len(re.findall(r"[A-Za-z]+", text))
    digits = sum(-(-len(group) // 3) for group in re.findall(r"\d+", text))
    marks = len(re.findall(r"[^\w\s]", text))
    return round(0.7 * chinese + 1.2 * words + digits + marks)
