"""A referring expression taken apart: target, attributes, number, order, position, relations.

The one place to import from; the rooms behind it:

    expression_terms      the values (Expression, Phrase, Attribute, ...)
    expression_nouns      nouns, their plurals, what belongs to what
    expression_words      the other words known
    expression_lexer      text -> lexemes
    expression_places     directions, places and quantities among the lexemes
    expression_phrases    what precedes a noun (expression_draft: the phrase while it is read)
    expression_relating   what relates a noun to others
    expression_clauses    what follows a noun, and which noun it belongs to
    expression_parser     the request around it all
    expression_notation   Expression -> one line
"""

from inference_server.expression_notation import describe, notation
from inference_server.expression_parser import parse
from inference_server.expression_terms import (
    Attribute,
    Expression,
    Measure,
    Number,
    Order,
    Phrase,
    Position,
    Relation,
)

__all__ = [
    "Attribute",
    "Expression",
    "Measure",
    "Number",
    "Order",
    "Phrase",
    "Position",
    "Relation",
    "describe",
    "notation",
    "parse",
]
