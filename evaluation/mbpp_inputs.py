"""MBPP+ inputs as the tasks mean them: JSON has no tuples, sets or complex numbers.

Enters: the number of a task and one of its argument lists as parsed. Leaves: the arguments as the task's functions
expect them. Which task needs what is a fact of the MBPP+ releases, taken from EvalPlus's loader.
"""

from collections.abc import Callable
from typing import Any

from evaluation.problems import Arguments

_Convert = Callable[[Any], object]


def _same(value: Any) -> object:
    return value


def _tuple(value: Any) -> object:
    return tuple(value) if isinstance(value, list) else value


def _list_of_tuples(value: Any) -> object:
    return [_tuple(item) for item in value]


def _tuple_of_tuples(value: Any) -> object:
    return tuple(_tuple(item) for item in value)


def _tuples_throughout(value: Any) -> object:
    return tuple(_tuples_throughout(item) for item in value) if isinstance(value, list) else value


def _dictionary_of_tuples(value: Any) -> object:
    return {key: _tuple(item) for key, item in value.items()}


def _list_of_sets(value: Any) -> object:
    return [set(item) if isinstance(item, list) and item else {} for item in value]  # an empty one becomes a dict


# Tasks with one conversion per argument; the last one serves all further arguments.
_BY_ARGUMENT: dict[tuple[_Convert, ...], tuple[int, ...]] = {
    (_tuple,): (
        *(2, 116, 132, 143, 222, 261, 273, 394, 399, 421, 424),
        *(429, 470, 560, 579, 596, 616, 630, 726, 740, 744, 809),
    ),
    (_tuple, _same): (250, 307, 405, 446, 617, 720, 763, 808),
    (_same, _tuple): (106, 750),
    (_list_of_tuples,): (63, 64, 70, 94, 120, 237, 272, 299, 400, 409, 417, 438, 473, 614, 780),
    (_list_of_tuples, _same): (75, 413, 444, 753),
    (_tuple_of_tuples,): (259, 278, 401, 445),
    (_tuples_throughout,): (580, 615, 791),
    (_dictionary_of_tuples, _same): (722,),
    (_list_of_sets,): (115,),
    (float, complex): (124,),
    (complex,): (252,),
}
_CONVERSIONS = {task: conversions for conversions, tasks in _BY_ARGUMENT.items() for task in tasks}


def convert_arguments(task: int, arguments: Arguments) -> Arguments:
    """Return the arguments of MBPP task number `task` with the types that JSON has lost."""
    conversions = _CONVERSIONS.get(task)
    if conversions is None:
        return arguments
    last = len(conversions) - 1
    return [conversions[min(number, last)](argument) for number, argument in enumerate(arguments)]
