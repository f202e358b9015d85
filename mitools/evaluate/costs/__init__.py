"""What answers cost: time, tokens, memory and money, of the student and of its teacher.

Prices are given by people; without one, there is no figure in money.

- ``meter``: times a student, and counts the tokens that it decodes;
- ``bill``: adds up the tokens that a teacher took;
- ``figures``: the figures of all that.

Importing this package imports none of them.
"""
