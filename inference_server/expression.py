"""A referring expression taken apart: target, attributes, number, order, position, relations.

The one place to import from; the rooms behind it:

    expression_terms      the values (Expression, Phrase, Attribute, ...)
    expression_words      the words known
    expression_lexer      text -> lexemes
    expression_places     directions, places and distances among the lexemes
    expression_parser     lexemes -> Expression
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
