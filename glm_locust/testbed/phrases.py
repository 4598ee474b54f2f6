"""Sentences of the simulated model's answers, by language and kind of question."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phrases:
    """Sentences that go together in any selection, as long as their order is kept."""

    opening: str
    middle: tuple[str, ...]
    closing: str


_EN = {
    "describe": Phrases(
        "The image shows a simple scene with a few clearly separated objects.",
        (
            " The background is plain and evenly lit, so that nothing distracts from the shapes.",
            " Several round shapes stand out by their strong colours.",
            " Some objects are larger than the others and draw the eye first.",
            " The remaining shapes are smaller and lie nearer to the edge.",
            " None of the objects covers another one completely.",
            " The colours are bright and repeat across the picture.",
            " The arrangement looks random rather than ordered in rows.",
            " There is no text and there are no people in the picture.",
        ),
        " Overall the picture is calm and easy to read.",
    ),
    "ocr": Phrases(
        "The image contains printed text on a light background.",
        (
            " The text is set in dark letters of one size.",
            " It is made of several short lines, aligned to the left.",
            " The first line holds a word followed by a group of digits.",
            " The next line repeats the same pattern with other characters.",
            " All characters are sharp enough to be read with certainty.",
            " I see no handwriting and no words cut off at the edge.",
            " Capital letters and digits are used throughout.",
            " The last line is shorter than the lines above it.",
        ),
        " That is all the text I can see in the image.",
    ),
    "chart": Phrases(
        "The chart is a line chart with one series of points over time.",
        (
            " The horizontal axis counts the points from left to right.",
            " The vertical axis gives the value of each point.",
            " From point to point the line rises by nearly the same amount.",
            " There are no sudden jumps and no gaps in the line.",
            " The last segment has the same slope as the ones before it.",
            " If this trend goes on, the next point continues the straight line.",
            " I therefore add the usual step to the last value that is shown.",
            " A small deviation in either direction would not be surprising.",
            " The forecast only holds as long as the conditions stay the same.",
            " Nothing in the chart suggests a change of direction soon.",
        ),
        " So the next data point should lie one regular step above the last one.",
    ),
    "compare": Phrases(
        "Both images show the same kind of scene, but they differ in several details.",
        (
            "\nWhat they share: the size of the picture and the plain background are the same.",
            " In both images the main objects have simple outlines and full colours.",
            " Their general arrangement is also alike, with free space around each shape.",
            " The lighting does not change between the two pictures.",
            "\nWhat differs: the first image contains objects that the second one lacks.",
            " In the second image one of the shapes has another colour.",
            " One object has moved towards the edge of the frame.",
            " The number of small shapes is not the same either.",
            " The second image looks a little emptier as a result.",
            " The largest object, on the other hand, stays where it was.",
            " Apart from these points I find no difference in style or quality.",
        ),
        "\nIn short, the pictures are close relatives with a handful of deliberate changes.",
    ),
    "reason": Phrases(
        "The photo shows a plate with a mixed meal, so I look at the portions first.",
        (
            "\nThe largest share of the plate is taken by starchy food.",
            " Vegetables are there, but they cover less than half of the plate.",
            " The source of protein looks adequate for one person.",
            " Some of the items seem to be fried or to carry a sauce, which adds energy quickly.",
            "\nIf you want to lose weight, I would start with the proportions.",
            " Let vegetables fill half of the plate and halve the starchy part.",
            " Choose grilled, steamed or boiled food in place of fried food.",
            " Keep the protein, since it makes you feel full for longer.",
            " Ask for the sauce on the side and use only a little of it.",
            " Drink water or unsweetened tea with the meal.",
            " Eat slowly, and stop when you are no longer hungry.",
            "\nA moderate deficit of energy each day works better than a strict diet.",
            " Regular walking after meals helps as well.",
        ),
        "\nIf you have a medical condition, please talk to a doctor before changing your diet.",
    ),
    "other": Phrases(
        "Thank you for the question.",
        (
            " I look at what was given and go through it step by step.",
            " The main point can be stated in a few words.",
            " There are some details that deserve a closer look.",
            " None of them changes the general picture.",
            " What follows from this depends on the purpose you have in mind.",
            " A careful check of the first and the last part is worth the time.",
            " I would keep the solution as simple as the task allows.",
            " If more information becomes available, the answer can be made more precise.",
        ),
        " I hope this helps.",
    ),
}

_ZH = {
    "describe": Phrases(
        "这张图片展示了一个简单的场景，里面有几个界限清楚的物体。",
        (
            "背景很干净，光线均匀，没有其他东西分散注意力。",
            "几个圆形的物体颜色鲜艳，十分醒目。",
            "有些物体明显更大，最先吸引目光。",
            "其余的形状较小，分布在靠近边缘的位置。",
            "物体之间没有完全互相遮挡。",
            "画面中的颜色明亮，并且重复出现。",
            "整体排列比较随意，没有排成整齐的行列。",
            "图中没有文字，也没有人物。",
        ),
        "总的来说，画面安静而且容易看懂。",
    ),
    "ocr": Phrases(
        "图片中有一段印刷文字，底色较浅。",
        (
            "文字使用深色字体，大小一致。",
            "内容分为几行，全部左对齐。",
            "第一行是一个词，后面跟着一组数字。",
            "下一行的格式相同，但字符不同。",
            "所有字符都很清晰，可以准确辨认。",
            "没有手写内容，边缘也没有被截断的字。",
            "文字主要由大写字母和数字组成。",
            "最后一行比上面几行短一些。",
        ),
        "以上就是我在图片中看到的全部文字。",
    ),
    "chart": Phrases(
        "这是一张折线图，只有一组随时间变化的数据。",
        (
            "横轴从左到右表示各个数据点的顺序。",
            "纵轴表示每个数据点的数值。",
            "相邻两点之间的增量几乎相同。",
            "折线没有突然的跳变，也没有缺失。",
            "最后一段的斜率与前面各段一致。",
            "如果这一趋势继续下去，下一个点仍会落在同一条直线上。",
            "因此我在最后一个数值上加上固定的步长。",
            "实际结果略有偏差也属于正常情况。",
            "这个预测的前提是外部条件保持不变。",
            "图中没有迹象表明趋势会很快改变。",
        ),
        "所以下一个数据点应当比最后一个点高出一个固定的步长。",
    ),
    "compare": Phrases(
        "两张图片的场景相似，但在一些细节上有所不同。",
        (
            "\n相同之处：图片尺寸一样，背景都很简洁。",
            "两张图中的主要物体轮廓简单，颜色饱满。",
            "整体布局也相近，每个形状周围都留有空白。",
            "两张图片的光线没有变化。",
            "\n不同之处：第一张图里有第二张图没有的物体。",
            "在第二张图中，有一个形状换了颜色。",
            "其中一个物体移动到了靠近边缘的位置。",
            "小形状的数量也不一样。",
            "因此第二张图看起来稍微空一些。",
            "最大的物体则停留在原来的位置。",
            "除此之外，在风格和质量上没有发现差别。",
        ),
        "\n总之，这两张图非常接近，只有少数几处有意的改动。",
    ),
    "reason": Phrases(
        "照片里是一盘搭配好的饭菜，我先看各部分的比例。",
        (
            "\n盘子里主食所占的份量最大。",
            "蔬菜虽然有，但不到整盘的一半。",
            "蛋白质的份量对一个人来说比较合适。",
            "部分食物像是油炸的，或者带有酱汁，热量会很快增加。",
            "\n如果想要减重，建议先从比例入手。",
            "让蔬菜占到盘子的一半，主食减少一半。",
            "用烤、蒸或者水煮的做法代替油炸。",
            "保留蛋白质，因为它能让饱腹感更持久。",
            "酱汁单独放，只蘸一点点。",
            "用餐时喝白水或者不加糖的茶。",
            "吃得慢一些，不饿了就停下来。",
            "\n每天保持适度的热量缺口，比严格节食更有效。",
            "饭后坚持散步也有帮助。",
        ),
        "\n如果您有慢性疾病，请在调整饮食之前先咨询医生。",
    ),
    "other": Phrases(
        "谢谢您的问题。",
        (
            "我先看一下给出的内容，再逐步说明。",
            "主要的结论可以用几句话概括。",
            "有一些细节值得进一步留意。",
            "不过这些细节并不影响整体判断。",
            "接下来怎么做，取决于您的具体目的。",
            "开头和结尾的部分值得仔细核对一遍。",
            "在满足要求的前提下，方案越简单越好。",
            "如果有更多信息，回答还可以更加准确。",
        ),
        "希望这些对您有帮助。",
    ),
}

PHRASES: dict[str, dict[str, Phrases]] = {"en": _EN, "zh": _ZH}
"""Language -> kind of question, `other` for any other -> sentences."""
