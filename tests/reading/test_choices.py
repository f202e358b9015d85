"""Which choice, or which label, a careful reader takes from a teacher's answer, kind by kind."""

from __future__ import annotations

import pytest

from mitools.tasks import How, task_named

CHOICE, LABELS = task_named("choice"), task_named("labels")

ANIMALS = ["otter", "heron", "adder", "badger"]
PLACES = ["lake", "lake house", "the old mill", "sand pit", "garage"]
PRICES = ["8", "80", "0.8", "18"]
NLI = ["entailment", "neutral", "contradiction"]
FACTS = ["SUPPORTS", "REFUTES", "NOT ENOUGH INFO"]
BINARY = ["entailment", "not entailment"]
MOOD = ["positive", "negative"]
YES_NO = ["yes", "no"]
LETTERS = ["C", "B", "A"]

CHOSEN: list[tuple[str, list[str], list[tuple[str, str | None]]]] = [
    (
        "options in turn",
        ANIMALS,
        [
            ("(A) is a mammal. (B) is a bird. (C) is right.", "adder"),
            ("(A) has fur. (B) has feathers.", None),
            ("(A) can swim, (C) cannot.", None),
            ("Only one flies. It has to be the heron.", "heron"),
        ],
    ),
    (
        "shapes of a letter",
        ANIMALS,
        [
            ("B", "heron"),
            ("b", "heron"),
            ("(b)", "heron"),
            ("[B]", "heron"),
            ("{B}", "heron"),
            ("[[B]]", "heron"),
            ("<B>", "heron"),
            ("B.", "heron"),
            ("B)", "heron"),
            ("B:", "heron"),
            ("**B**", "heron"),
            ("**(B)**", "heron"),
            ("`B`", "heron"),
            ('"B"', "heron"),
            ("\u24b7", "heron"),
            ("\uff22", "heron"),
            ("\uff08B\uff09", "heron"),
            ("$\\text{B}$", "heron"),
            ("\\(B\\)", "heron"),
            ("\\boxed{B}", "heron"),
            ("\\boxed{\\text{(B) heron}}", "heron"),
            ("#### B", "heron"),
            ("Option B", "heron"),
            ("Choice (B).", "heron"),
            ("B) heron", "heron"),
            ("B. heron", "heron"),
            ("B: heron", "heron"),
            ("B - heron", "heron"),
            ("B \u2014 heron", "heron"),
            ("(B) Heron.", "heron"),
            ("The answer is B", "heron"),
            ("The answer is (B), the heron.", "heron"),
            ("The answer is option B.", "heron"),
            ("The answer is letter B.", "heron"),
            ("The answer is B: heron.", "heron"),
            ("The answer is **B. heron**.", "heron"),
            ("The answer is: B", "heron"),
            ("The answer is, therefore, B.", "heron"),
            ("The answer is most likely B.", "heron"),
            ("The answer is B since it wades.", "heron"),
            ("The answer is B (heron).", "heron"),
            ("The correct option is B.", "heron"),
            ("The best choice is (B) heron.", "heron"),
            ("Final answer: B", "heron"),
            ("Answer: B\nIt wades.", "heron"),
            ("Answer: (B)", "heron"),
            ("**Answer:** B) heron", "heron"),
            ("Correct choice: B", "heron"),
            ("Verdict: B", "heron"),
            ("I would go with B.", "heron"),
            ("I'd pick (B).", "heron"),
            ("We choose option B.", "heron"),
            ("So it must be (B).", "heron"),
            ("Therefore, the only one that fits is (B) heron.", "heron"),
            ('{"answer": "B"}', "heron"),
            ('{"choice": "(B) heron", "why": "it wades"}', "heron"),
            ("<answer>(B)</answer>", "heron"),
            ("Die Antwort ist (B).", "heron"),
            ("La respuesta correcta es B.", "heron"),
            ("\u6b63\u786e\u7b54\u6848\u662fB\u3002", "heron"),
            ("\u7b54\u6848\uff1a\uff08B\uff09heron", "heron"),
            ("\u6b63\u89e3\u306fB\u3067\u3059\u3002", "heron"),
            ("\u041e\u0442\u0432\u0435\u0442: B", "heron"),
            ("B is correct.", "heron"),
            ("Option B is the best answer.", "heron"),
            ("\ub2f5\uc740 B\uc785\ub2c8\ub2e4.", "heron"),
            ("La respuesta es la B.", "heron"),
            ("The answer is *B*.", "heron"),
            ("My guess: B", "heron"),
            ("So B.", "heron"),
            ("The answer is E.", None),
            ("A: It wades in the pond.", None),
            ("The answer is (Z).", None),
            ("The answer is a bird.", None),
            ("The answer is I do not know.", None),
            ("A bird that wades.", None),
            ("I think so.", None),
        ],
    ),
    (
        "names",
        ANIMALS,
        [
            ("heron", "heron"),
            ("Heron.", "heron"),
            ("**Heron**", "heron"),
            ("The heron", "heron"),
            ("The answer is heron.", "heron"),
            ("The answer is a heron.", "heron"),
            ("The answer is the herons.", "heron"),
            ('The answer is "heron".', "heron"),
            ("The answer is HERON!", "heron"),
            ("The answer is a grey heron.", "heron"),
            ("The answer is that a heron wades.", "heron"),
            ("Otters swim. Adders crawl. So it must be a heron.", "heron"),
            ("The answer is (A) heron.", "heron"),
            ("The answer is (B) herron.", "heron"),
            ("The answer is clear: heron.", "heron"),
            ("It wades.\n\nheron", "heron"),
            ("Heron\n\nIt wades in the pond.", "heron"),
            ("The answer is an animal.", None),
            ("An adder would crawl.", None),
            ("Herons and otters both live there.", None),
        ],
    ),
    (
        "refuted and several",
        ANIMALS,
        [
            ("The answer is B, not C.", "heron"),
            ("The answer is (B) heron rather than (C) adder.", "heron"),
            ("The answer is B instead of C.", "heron"),
            ("The answer is not A but B.", "heron"),
            ("The answer is not the otter; it is the heron.", "heron"),
            ("The answer isn't C. It must be B.", "heron"),
            ("The answer is B. C is wrong because it crawls.", "heron"),
            ("The answer is B. The answer (C) is wrong.", "heron"),
            ("The answer is B. If it crawled, the answer would be C.", "heron"),
            ("The answer is C. No, wait. The answer is B.", "heron"),
            ("The answer is B. This is the best answer.", "heron"),
            ("The answer is B. I hope the answer is useful.", "heron"),
            ("Is the answer C? It crawls. The answer is B.", "heron"),
            ("The answer is C. Correction: B.", "heron"),
            ("The answer is B because A and C are wrong.", "heron"),
            ("The answer is B, since C is wrong.", "heron"),
            ("The answer is (B) heron (C) adder.", None),
            ("\\boxed{B}, \\boxed{C}", None),
            ("The answer is not B.", None),
            ("The answer isn't heron.", None),
            ("The answer is B or C.", None),
            ("The answer is either (B) or (C).", None),
            ("The answer is B and C.", None),
            ("The answer is B, C.", None),
            ("The answer is B/C.", None),
            ("The answer is both B and C.", None),
            ("The answer is heron or adder.", None),
            ("The answer is none of these.", None),
            ("The answer is neither B nor C.", None),
            ("The answer is unclear.", None),
            ("If it crawls, the answer is C.", None),
            ("A tempting wrong answer is C.", None),
            ("(A) otter: no\n(B) heron: perhaps\n(C) adder: no", None),
            ("A) otter is wet.\nB) heron wades.\nC) adder crawls.", None),
            ("", None),
        ],
    ),
    (
        "choices inside choices",
        PLACES,
        [
            ("The answer is lake house.", "lake house"),
            ("The answer is the lake.", "lake"),
            ("The answer is old mill.", "the old mill"),
            ("The answer is sandpit.", "sand pit"),
            ("The answer is (a) lake house.", "lake house"),
            ("The answer is garages.", "garage"),
            ("The answer is lakes.", "lake"),
            ("The answer is lake and garage.", None),
            ("The answer is lakeside.", None),
        ],
    ),
    (
        "choices that are numbers",
        PRICES,
        [
            ("The answer is 8.", "8"),
            ("The answer is 0.8.", "0.8"),
            ("The answer is .8", "0.8"),
            ("The answer is $80.", "80"),
            ("The answer is 18 km.", "18"),
            ("The answer is (b) 80.", "80"),
            ("The answer is 80.0.", "80"),
            ("The answer is 8 or 18.", None),
            ("The answer is 81.", None),
            ("The answer is -8.", None),
        ],
    ),
]
CHOSEN += [
    (
        "other answers that somebody may give",
        ANIMALS,
        [
            ("The answer is B. Note: some may say the answer is C, as adders glide.", "heron"),
            ("The answer is B. You may be tempted to say that the answer is C.", "heron"),
            ("The best answer is B. The second-best answer is A.", "heron"),
            ("The best answer is B, and the next best answer is A.", "heron"),
            ("The most likely answer is B. The least likely answer is D.", "heron"),
            ("The answer is B. The trap answer is D.", "heron"),
            ("At first glance the answer is A. But only one has wings. The answer is B.", "heron"),
            ("I initially thought the answer was A. The answer is B.", "heron"),
            ("From this one might say the answer is A.", None),
            ("Only one flies, so you could say the answer is B.", None),
        ],
    ),
    (
        "answers that are taken back",
        ANIMALS,
        [
            ("Answer: A\n\nWait, otters cannot fly, so B fits better.", None),
            ("The answer is A. Wait, no. It is the one with wings.", None),
            ("Answer: A\n\nOn reflection, I change my answer to B.", None),
            ("The answer is A. Hmm, that is wrong. The answer is B.", "heron"),
            ("Answer: B\n\nWait, let me check: it has wings. Yes, that holds.", "heron"),
            ("The answer is B. Hmm, the heron it is.", "heron"),
            ("The answer is B, as you wait for it to fly.", "heron"),
        ],
    ),
    (
        "headings of Markdown",
        ANIMALS,
        [
            ("#### A. otter\nIt swims.\n\n#### C. adder\nIt creeps.\n\n**B**", "heron"),
            ("#### A. otter\nIt swims.\n\n#### C. adder\nIt creeps.\n\nAnswer: B", "heron"),
            ("#### Reasons\nOnly one flies.\n\nThe answer is B.", "heron"),
            ("#### Reasons\nOnly one flies.\n\n#### B", "heron"),
            ("#### B\nOnly one flies.", "heron"),
        ],
    ),
    (
        "a letter with the words of another choice",
        ANIMALS,
        [
            ("The answer is A. Heron.", "heron"),
            ("**A. heron**", "heron"),
            ("Answer: A. heron", "heron"),
            ('{"answer": "A. heron"}', "heron"),
            ("The answer is A. It swims.", "otter"),
            ("The answer is A. The heron flies.", "otter"),
        ],
    ),
    (
        "rows of a list",
        ANIMALS,
        [
            ("Option A: otter - no wings.\nOption B: heron - wings.", None),
            ("- A: otter, plausible\n- D: badger, not plausible", None),
            ("It has wings.\nB: heron", "heron"),
        ],
    ),
]
LABELLED: list[tuple[str, list[str], list[tuple[str, str | None]]]] = [
    (
        "inference",
        NLI,
        [
            ("Neutral", "neutral"),
            ("**Neutral.**", "neutral"),
            ("Neutral\n\nNothing is said about it.", "neutral"),
            ("Nothing is said about it.\n\nNeutral", "neutral"),
            ("Label: neutral", "neutral"),
            ("The correct label is neutral.", "neutral"),
            ("The answer is **Neutral**.", "neutral"),
            ("The answer is neutral, as nothing is said.", "neutral"),
            ("The answer is (b) neutral.", "neutral"),
            ("The answer is B.", "neutral"),
            ("The answer is not contradiction but neutral.", "neutral"),
            ("It is not an entailment. So the answer is neutral.", "neutral"),
            ("This is an entailment.", "entailment"),
            ("The premise entails the hypothesis. So the answer is entails.", "entailment"),
            ("The hypothesis is contradicted.", "contradiction"),
            ("So the answer is that they contradict each other.", "contradiction"),
            ("\u7b54\u6848\u662fneutral\u3002", "neutral"),
            ("R\u00e9ponse : neutral", "neutral"),
            ('{"label": "neutral"}', "neutral"),
            ("<label>neutral</label>", "neutral"),
            ("The answer is non-neutral.", None),
            ("The answer is not neutral.", None),
            ("The answer is neither neutral nor contradiction.", None),
            ("The answer is neutral or entailment.", None),
            ("The answer is somewhere between neutral and entailment.", None),
            ("The answer is unknown.", None),
            ("A contradiction would need another date.", None),
            ("Is this a contradiction?", None),
            ("It could be neutral.", None),
        ],
    ),
    (
        "what a label is related to",
        NLI,
        [
            ("So the hypothesis is neutral with respect to the premise.", "neutral"),
            ("Thus, it is a contradiction given the premise.", "contradiction"),
            ("The boy sits. Label: entailment", "entailment"),
            ("Is the label: neutral?", None),
        ],
    ),
    (
        "grades that are numbers",
        ["1", "2", "3", "4", "5"],
        [("3 stars", "3"), ("3", "3"), ("3/5", None), ("2-3 stars", None), ("2 or 3", None)],
    ),
    (
        "labels that begin with not",
        FACTS,
        [
            ("So the answer is NOT ENOUGH INFO.", "NOT ENOUGH INFO"),
            ("The answer is not enough info.", "NOT ENOUGH INFO"),
            ("Not enough info", "NOT ENOUGH INFO"),
            ("The answer is supports.", "SUPPORTS"),
            ("The claim is supported.", "SUPPORTS"),
            ("So the claim is refuted.", "REFUTES"),
            ("The answer is not REFUTES.", None),
            ("The claim is not supported.", None),
        ],
    ),
    (
        "labels that are another with not",
        BINARY,
        [
            ("So the answer is not entailment.", "not entailment"),
            ("So the answer is entailment.", "entailment"),
            ("So the answer is not_entailment.", "not entailment"),
            ("Not entailment", "not entailment"),
            ("This is not entailment.", "not entailment"),
        ],
    ),
    (
        "moods",
        MOOD,
        [
            ("The answer is positive.", "positive"),
            ("Sentiment is mixed at first. Overall, the review is positive.", "positive"),
            ("The answer is very positive.", "positive"),
            ("The answer is not positive.", None),
            ("The answer is non-positive.", None),
            ("The answer is neither.", None),
            ("The answer is both positive and negative.", None),
            ("The position is open.", None),
        ],
    ),
    (
        "yes and no",
        YES_NO,
        [
            ("Yes", "yes"),
            ("No.", "no"),
            ("Yes, it does.", "yes"),
            ("No, it does not.", "no"),
            ("No \u2014 it does not.", "no"),
            ("The answer is no, because it does not.", "no"),
            ("The answer is: yes.", "yes"),
            ("The answer is no one.", None),
            ("The answer is no longer known.", None),
            ("There is no way to tell.", None),
            ("Nobody knows.", None),
        ],
    ),
    (
        "labels that are letters",
        LETTERS,
        [
            ("The answer is C.", "C"),
            ("The answer is (A).", "A"),
            ("B", "B"),
            ("The answer is **A**.", "A"),
            ("Answer: C", "C"),
            ("The answer is A or C.", None),
        ],
    ),
]

LABELLED += [
    (
        "labels that sound like a doubt",
        ["toxic", "non-toxic"],
        [
            ("It is rude. The comment is toxic.", "toxic"),
            ("It is kind. The comment is non-toxic.", "non-toxic"),
            ("It is kind. The comment is not toxic.", None),
        ],
    ),
    (
        "labels that deny",
        ["correct", "incorrect"],
        [
            ("All steps hold. The proof is correct.", "correct"),
            ("The third step fails. The proof is incorrect.", "incorrect"),
            ("The third step is incorrect in one line of the proof.", None),
            ("The proof would be incorrect.", None),
        ],
    ),
    (
        "a label that is nothing",
        ["favor", "against", "none"],
        [
            ("She takes no side. The stance is none.", "none"),
            ("None of them takes the side of those against.", None),
        ],
    ),
    (
        "labels that are denied in other words",
        NLI,
        [
            ("The answer is far from neutral.", None),
            ("The answer is anything but neutral.", None),
            ("The place is unknown. There is insufficient evidence for entailment.", None),
            ("The place is unknown. The premise fails to entail the hypothesis.", None),
            ("Both may hold. This rules out contradiction.", None),
        ],
    ),
]


def _cases(
    table: list[tuple[str, list[str], list[tuple[str, str | None]]]],
) -> list[tuple[str, list[str], str, str | None]]:
    return [(kind, names, *case) for kind, names, cases in table for case in cases]


@pytest.mark.parametrize(("kind", "choices", "completion", "label"), _cases(CHOSEN))
def test_a_choice_is_read_or_left_unread(
    kind: str, choices: list[str], completion: str, label: str | None
) -> None:
    assert CHOICE.parse(completion, choices).label == label


@pytest.mark.parametrize(("kind", "choices", "completion", "label"), _cases(LABELLED))
def test_a_label_is_read_or_left_unread(
    kind: str, choices: list[str], completion: str, label: str | None
) -> None:
    assert LABELS.parse(completion, choices).label == label


@pytest.mark.parametrize(
    "line",
    [
        *("Category: access", "**Topic:** Access", "Predicted category: access.", "Kind: access"),
        *("Main Topic: (b) access", "- Department: `access`", "Intent : access"),
    ],
)
@pytest.mark.parametrize("way", ["{line}", "They are polite.\n\n{line}", "{line}\nReason: polite."])
def test_a_label_stands_on_a_line_of_its_own_under_a_name(line: str, way: str) -> None:
    for task in (LABELS, CHOICE):
        answer = task.parse(way.format(line=line), ["billing", "access", "other"])
        assert (answer.label, answer.read_by) == ("access", "line")


@pytest.mark.parametrize(
    "line",
    [
        *("Wrong category: access", "Not: access", "Other topic: access", "Confidence: access"),
        *(
            "Category: access or billing",
            "Category: (a) access",
            "Case 2: access",
        ),
        "What they wrote in: access",
    ],
)
def test_a_name_may_refute_what_stands_behind_it(line: str) -> None:
    completion = f"They are polite.\n{line}"
    assert LABELS.parse(completion, ["billing", "access"], How(loosest="line")).label is None


def test_yes_needs_a_usual_name() -> None:
    for line, label in (
        ("Decision: yes", "yes"),
        ("Prime: yes", None),
        ("Final decision: no", "no"),
    ):
        assert LABELS.parse(f"13 is odd.\n{line}", ["yes", "no"]).label == label
