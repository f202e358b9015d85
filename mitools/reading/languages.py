"""Words that announce an answer in languages other than English.

All in lower case, as :func:`~mitools.reading.characters.fold` leaves it.
"""

from __future__ import annotations

__all__ = ["ADJECTIVES", "EASTERN_LINKS", "EASTERN_NOUNS", "NEGATIONS", "NOUNS", "VERBS"]

NOUNS = (
    "antwort", "lösung", "ergebnis",  # German
    "réponse", "reponse", "résultat",  # French
    "respuesta", "resultado",  # Spanish
    "resposta", "risposta", "risultato", "răspuns", "raspuns",  # Portuguese, Italian, Romanian
    "antwoord", "svaret", "svar", "vastaus",  # Dutch, Scandinavian languages, Finnish
    "odpowiedź", "odpověď", "odpoved", "válasz",  # Polish, Czech, Slovak, Hungarian
    "ответ", "відповідь", "отговор",  # Russian, Ukrainian, Bulgarian
    "cevap", "yanıt", "απάντηση",  # Turkish, Greek
    "jawaban", "jawapan", "đáp án", "câu trả lời",  # Indonesian, Malay, Vietnamese
    "jibu", "idahun", "ìdáhùn", "idáhùn",  # Swahili, Yoruba
    "الجواب", "الإجابة", "إجابة", "پاسخ", "התשובה", "תשובה",  # Arabic, Persian, Hebrew
    "उत्तर", "উত্তর", "సమాధానం", "பதில்",  # Hindi, Bengali, Telugu, Tamil
)  # fmt: skip

ADJECTIVES = (
    "correcta", "correcto", "correta", "corretta", "correcte", "correct", "finale", "final",
    "richtige", "lautet", "juste", "exacte", "yang benar", "akhir", "đúng", "النهائية", "النهائي",
    "الصحيحة", "الصحيح",
)  # fmt: skip
"""What may stand between a noun and its verb or colon."""

VERBS = (
    "ist", "lautet", "wäre", "est", "serait", "es", "sería", "é", "è", "e", "is", "to", "je", "är",
    "er", "on", "este", "adalah", "là", "είναι", "है", "هو", "هي", "است", "היא",
    "ni", "—", "–", "-",
)  # fmt: skip

NEGATIONS = ("nicht", "pas", "nie", "ikke", "inte", "niet")

EASTERN_NOUNS = (
    "正確答案", "正确答案", "答案", "答复", "答曰", "答え", "正解", "回答", "解答", "结果", "結果",
    "答", "정답", "답변", "답", "คำตอบ",
)  # fmt: skip
"""Of languages that write no spaces between words."""

EASTERN_LINKS = ("应该是", "应为", "應為", "就是", "是", "为", "為", "は", "은", "이", "คือ")
