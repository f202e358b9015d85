"""Write tickets.csv: support messages of an online shop, made up from sentences with gaps.

Each message is an opening, one problem, perhaps a detail and a closing. The problem decides the
category. Some details mention another category, so that single words do not decide.

    python make_tickets.py > tickets.csv
"""

from __future__ import annotations

import csv
import random
import sys

SEED = 17
ROWS_PER_CATEGORY = 60

GAPS = {
    "item": [
        *("blue raincoat", "desk lamp", "coffee grinder", "running shoes", "bookshelf"),
        *("phone case", "winter jacket", "board game", "toaster", "yoga mat", "backpack"),
        *("garden hose", "wool blanket", "set of knives", "headphones", "alarm clock"),
    ],
    "month": ["January", "March", "April", "June", "August", "October", "December"],
    "day": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"],
    "sum": ["12.90", "24.00", "35.50", "49.99", "61.20", "84.75", "119.00", "7.45"],
    "days": ["three", "four", "five", "six", "eight", "ten", "twelve"],
    "order": ["48213", "50177", "51904", "53366", "55820", "57011", "58439", "60254"],
    "city": ["Leeds", "Porto", "Graz", "Tampere", "Lyon", "Utrecht", "Bergen", "Gdansk"],
    "device": ["phone", "tablet", "laptop", "old computer", "work computer"],
    "page": ["checkout", "search", "wish list", "order history", "product", "start"],
}

PROBLEMS = {
    "billing": [
        "I was charged {sum} twice for the {item}.",
        "The invoice for order {order} shows {sum}, but the price on the page was lower.",
        "My card statement has an amount of {sum} from you in {month} that I cannot explain.",
        "The discount code was accepted, yet the full {sum} was taken from my card.",
        "Could you send me an invoice with my company's name for order {order}?",
        "You booked {sum} although I paid with a gift card.",
        "Why does order {order} include tax when we are a charity?",
        "The payment of {sum} is still pending after {days} days.",
        "I would like to pay the {item} in three parts, is that possible?",
        "The receipt for the {item} has the wrong date, and my employer will not accept it.",
    ],
    "delivery": [
        "Order {order} should have arrived on {day}, and nothing has come.",
        "The tracking page has shown the same place near {city} for {days} days.",
        "The driver left the {item} with a neighbour I do not know.",
        "Can the {item} be brought on {day} evening instead?",
        "I moved to {city}; please send order {order} to the new address.",
        "The parcel is marked as delivered, but there was nobody at our door on {day}.",
        "How long does it take until the {item} reaches {city}?",
        "Only half of order {order} was in the box, the rest is on its way they say.",
        "The pick-up shop in {city} cannot find the box with my {item}.",
        "Customs in {city} has held the {item} for {days} days.",
    ],
    "returns": [
        "The {item} is too small, and I would like to send it back.",
        "Please tell me how to exchange the {item} for another colour.",
        "I sent the {item} back {days} days ago and have heard nothing since.",
        "The {item} came with a crack in it; I want a new one.",
        "There was no return label in the box with the {item}.",
        "Is it still possible to give back a {item} bought in {month}?",
        "You sent a {item}, but I had ordered something else. Who pays for sending it back?",
        "My {item} stopped working after {days} days, and I would like to swap it.",
        "I opened the {item} and do not like it. Can it go back without the box?",
        "The return of the {item} was refused at the counter in {city}.",
    ],
    "account": [
        "I cannot log in; the reset mail never comes.",
        "Please change the email address of my account, I lost the old one.",
        "Someone in {city} has used my account, I got a warning on {day}.",
        "How do I delete my profile and everything you store about me?",
        "My account is locked since {day}, although the password is right.",
        "I have two accounts by mistake. Could you join them?",
        "The code for the second step of the login is not sent to my {device}.",
        "My name is spelled wrong in my profile, and the field cannot be edited.",
        "I no longer want the newsletter, and the switch in my profile does nothing.",
        "My points from {month} are gone from my profile.",
    ],
    "technical": [
        "The {page} page stays white on my {device}.",
        "The app closes by itself as soon as I open the {page} page.",
        "Pictures of the {item} do not load on my {device}.",
        "I get an error with a long number when I press the button on the {page} page.",
        "Since {day} the site is so slow on my {device} that I gave up.",
        "The filter for sizes does nothing on the {page} page.",
        "Your app says it needs an update, but the store has none for my {device}.",
        "The text of the {page} page overlaps when I turn my {device}.",
        "Everything I put in the cart is gone when I reload the {page} page.",
        "The print view of the {page} page cuts off the right side.",
    ],
    "cancellation": [
        "Please cancel order {order}, I bought the {item} elsewhere.",
        "I ordered the {item} twice by accident; stop one of them before it leaves.",
        "I want to end my subscription in {month}.",
        "Please take the {item} out of order {order}, and leave the rest.",
        "My child ordered a {item} without asking. It must not be sent.",
        "I no longer need the {item}. The order is from {day}.",
        "How can I stop the yearly membership before it starts again in {month}?",
        "Order {order} has not been packed yet, so I would like to call it off.",
        "We do not need the {item} any more, our event in {city} was moved.",
        "The trial of your premium plan ends on {day}; please do not continue it.",
    ],
}

OPENINGS = [
    *("Hello,", "Hi there,", "Good morning,", "Dear team,", "Hi,", "To whom it may concern,"),
    *("Hello support,", "Good evening,", "", "", "", "Second try:", "Me again.", "Quick question:"),
]
DETAILS = [
    *("", "", "", "", "I have been a customer for years.", "It is for a birthday on {day}."),
    *("I already called on {day}.", "The chat did not help.", "My order number is {order}."),
    *("I paid {sum}.", "The parcel itself was fine.", "I can log in without trouble."),
    *("I wrote about this in {month}.", "The site works well otherwise.", "I live in {city}."),
    *("I do not want to send anything back.", "The invoice looks right.", "This is urgent."),
]
CLOSINGS = [
    *("Thanks!", "Please help.", "Thank you.", "What can I do?", "Kind regards", "", "", "", ""),
    *("I look forward to your answer.", "Cheers", "Please reply soon.", "Best wishes"),
]


def message(random_source: random.Random, category: str, number: int) -> str:
    """Make one message; ``number`` chooses the problem, so that each occurs equally often."""
    problems = PROBLEMS[category]
    parts = [
        random_source.choice(OPENINGS),
        problems[number % len(problems)],
        random_source.choice(DETAILS),
        random_source.choice(CLOSINGS),
    ]
    text = " ".join(filter(None, parts))
    for gap, words in GAPS.items():
        while "{" + gap + "}" in text:
            text = text.replace("{" + gap + "}", random_source.choice(words), 1)
    return text.lower() if random_source.random() < 0.1 else text


def rows() -> list[tuple[str, str, str]]:
    """Make all rows: id, text and category, in random order; no text occurs twice."""
    random_source = random.Random(SEED)
    made: dict[str, str] = {}
    for category in PROBLEMS:
        number = 0
        while number < ROWS_PER_CATEGORY:
            text = message(random_source, category, number)
            if text not in made:
                made[text] = category
                number += 1
    found = list(made.items())
    random_source.shuffle(found)
    return [(f"ticket-{place:03}", *pair) for place, pair in enumerate(found, start=1)]


def main() -> None:
    """Write all rows to stdout as CSV."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["id", "text", "category"])
    writer.writerows(rows())


if __name__ == "__main__":
    main()
