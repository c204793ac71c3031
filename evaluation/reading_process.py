"""The child process in which replies and solutions are read; `reading.py` starts and asks it.

Enters: a function of ours and its arguments, pickled. Leaves: what it returns, or the text of a `BenchmarkError`, as
JSON: nothing that comes from this process is trusted with more.
"""

import json
import pickle

from evaluation.errors import BenchmarkError
from evaluation.limited_process import answer_questions


def _answer(request: bytes) -> bytes:
    function, arguments = pickle.loads(request)
    try:
        return json.dumps({"value": function(*arguments)}).encode("ascii")
    except BenchmarkError as error:
        return json.dumps({"error": str(error)}).encode("ascii")


if __name__ == "__main__":
    answer_questions(_answer)
