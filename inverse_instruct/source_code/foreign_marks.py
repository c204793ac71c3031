"""What shows that a text is in none of our languages: marks of other languages, of markup, data, sessions and logs.

Enters: text that parses in one of our languages, with empty strings and without comments. Leaves: what it is instead,
if a mark says so. One mark is enough, since our grammars forgive much: Lua and Elixir parse as Ruby, Makefiles as Bash,
much R as Python. A form that one of our languages has too does not count against that one. Not guaranteed: that other
languages are told; a text may be too short to show a mark, and rare languages have none here.
"""

from __future__ import annotations

import re
from functools import cache

_MAX_CHARACTERS = 5000
_LINE_END = re.compile("\n")

_FOREIGN: dict[str, tuple[str, tuple[str, ...]]] = {
    "ada": ("", (r"^with Ada\.", r"^procedure \w+.{0,60} is$")),
    "applescript": ("", (r"^tell \w+", r"^set \w+ to ", r"^display (dialog|alert)\b")),
    "assembly": (
        "",
        (
            r"^(section|\.section|\.text|\.data|global|\.globl) [._]\w",
            r"^(int 0x\w+|syscall|ret)$",
            r"^(mov|lea|push|pop|add|sub|xor|cmp|addi|lw|sw|li|ldr|str)[lqwb]? [%$]?\w+(, ?\S|$)",
        ),
    ),
    "awk": ("", (r"^(BEGIN|END) ?\{ ?\w", r"^\{[^{}]{0,60}\$\d[^{}]{0,60}\}$")),
    "batch": ("", (r"(?i)^@?echo off$", r"(?i)^(goto :?\w+|setlocal|endlocal)$", r"^REM ")),
    "cmake": ("", (r"^(cmake_minimum_required|project|add_executable|add_library|target_\w+|find_package) ?\(",)),
    "cobol": ("", (r"\b(DIVISION|SECTION)\.$", r"^DISPLAY\b")),
    "coffeescript": ("", (r"^[\w.@]+ ?[=:] ?(\([\w, =@.]{0,60}\) ?)?-> ?", r"^(console\.log|alert) [\w\"']")),
    "configuration": (
        "csharp",
        (
            r"^(listen|server_name|proxy_pass|location|upstream) [^=(]",
            r"^\[[A-Za-z][\w. :-]*\]$",
            r"^[\w.-]+==\d",
            r"^(resource|variable|provider|data|output|module)( \"\"){1,2} ?\{",
            r"^(\*(/\d+)?|\d+)( (\*(/\d+)?|\d+)){4} \S",
        ),
    ),
    "crystal": ("", (r"^def \w+\(\w+ : [A-Z]",)),
    "css": (
        "",
        (
            r"^(color|margin|padding|display|width|height|background|border|position|font)(-\w+)*: ?[^;{}]{1,80};",
            r"^@(media|keyframes|font-face|include|mixin)\b",
            r": ?\d+(px|em|rem|vh|%);",
        ),
    ),
    "a language with declarations": (
        "c cpp csharp go java javascript php rust swift typescript",
        (
            r"^(let|var|const|val|auto|final) \w+( \w+)*( ?: ?[\w<>\[\]?]+)? = ",
            r"^(int|float|double|bool|char|string|String) \w+ = ",
        ),
    ),
    "d": ("", (r"^import std\.\w", r"\bforeach ?\(\w[\w, ]{0,40};", r"\bwriteln\(")),
    "dart": (
        "php python",
        (
            r"\bextends State(less|ful)Widget\b",
            r"\bWidget build\(",
            r"\brunApp\(",
            r"\) async \{",
            r"^@override$",
            r"\b[A-Z]\w*\(\{?(required |final )?this\.\w+[,)]",
            r"\A(?![\s\S]*\w[>*&\]]* print ?\()[\s\S]*?^print\(.{1,200}\);$",
        ),
    ),
    "docker": ("", (r"^FROM [\w./:@$-]+( AS \w+)?$", r"^(WORKDIR|ENTRYPOINT|EXPOSE|COPY|CMD|RUN) \S")),
    "elixir": (
        "",
        (
            r"\bdefmodule\b",
            r"^defp? .{1,80}\bdo$",
            r"^defp? .{1,80}, do:",
            r"\|> ?\w",
            r"\bfn( \w+(, \w+)*)? -> ",
            r"\b(IO\.(puts|inspect)|Enum\.[a-z]\w*|String\.(split|upcase|downcase))\b",
            r"\bdo: \w",
            r"\{:(ok|error)\b",
        ),
    ),
    "elm": ("", (r"\bexposing ?\(",)),
    "erlang": (
        "",
        (r"^-(module|export|include)\(", r"^[a-z]\w*\([^()]{0,60}\)( when .{1,40})? -> ", r"\b(io|lists|maps):\w+\("),
    ),
    "fortran": (
        "",
        (
            r"(?i)^(implicit none|end (program|subroutine|function|do))\b",
            r"(?i)^(subroutine|call) \w+",
            r"(?i)^(integer|real|character).{0,40} :: ",
            r"(?i)^do \w+ ?= ?\w+, ?\w+",
        ),
    ),
    "gdscript": ("", (r"^extends \w+$", r"^func \w+\(.{0,80}\).{0,20}:$")),
    "glsl": ("", (r"^#version\b", r"\bgl_\w+", r"\b(vec[234]|float[234]|mat[234]) \w+ ?[=;(]")),
    "groovy": (
        "cpp",
        (
            r"^def \w+ ?= ?\S",
            r"^def \w+ ?\(.{0,80}\) ?\{",
            r"\{ ?it( [-+*/<>=%}]|\.| ?\})",
            r"\{ ?\w+ -> ",
            r"^(plugins|dependencies|repositories|pipeline|stages|steps|android) ?\{$",
            r"\b(print|assert)ln [\"'\w]",
        ),
    ),
    "haskell": (
        "",
        (
            r"^[\w']+ :: ",
            r"^module [A-Z][\w.]* .{0,80}where$",
            r"^import [A-Z]\w+\.[\w.]+( \(| as | hiding|$)",
            r"^import qualified\b",
            r"= do$",
            r"^(data|newtype) [A-Z]\w* .{0,40}= ?[A-Z]",
            r"\bputStrLn\b",
            r"\| ?\w+ <- ",
        ),
    ),
    "julia": (
        "rust",
        (
            r"^using [A-Z]\w+(, ?[A-Z]\w+)*$",
            r"\w::(Int\d*|Float\d+|Vector|AbstractString|Any|Bool)\b",
            r"^(mutable )?struct \w+$",
            r"^for \w+ (in|=) \w+:\w",
            r"(?<![.\w])(push|append|pop|sort|insert)!\(",
        ),
    ),
    "kotlin": (
        "",
        (
            r"\bfun (<[^>]{1,40}> )?[\w.`]+ ?\(",
            r"\b(val|lateinit var) \w+ ?[=:]",
            r"\b(data|sealed|inner) class\b",
            r"^when ?[({]",
            r"\b(mutable)?(list|set|map|array|List|Set|Map)Of[(<]",
            r"\bcompanion object\b",
        ),
    ),
    "latex": ("", (r"\\(begin|end|documentclass|usepackage|section|frac|item)\b",)),
    "lisp": ("", (r"^\((defun|define|defn|defmacro|ns|setq|cond|lambda|display|println)\b", r"^#lang\b")),
    "log": (
        "",
        (
            r"^\[?\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d",
            r"^\[(INFO|WARN(ING)?|ERROR|DEBUG|FATAL)\]",
            r"^Traceback \(most",
            r"^(INFO|WARN(ING)?|ERROR|DEBUG|FATAL):? [A-Z]",
            r"^npm (ERR!|WARN)",
            r"^(\d+\.){3}\d+ ",
            r"^[d-][rwx-]{9} ",
            r"^total \d+$",
        ),
    ),
    "lua": (
        "",
        (
            r"^local \w+(, ?\w+)* (= |$)",
            r"^local function\b",
            r"^for \w+ = .{1,40}, ?.{1,40} do$",
            r"\bi?pairs\(",
            r"\w ~= ",
            r"^(else)?if .{1,80}[^;\s] then$",
            r"\"\" \.\. |\.\. \"\"",
            r"\b(io\.(read|write)|table\.insert)\b",
            r"^function [\w.:]+ ?\(.{0,80}\)$(?!\n\{)",
        ),
    ),
    "make": (
        "",
        (
            r"^\.PHONY\b",
            r"\$\((CC|CXX|CFLAGS|LDFLAGS|MAKE|OBJS?|SRCS?|TARGET|wildcard|patsubst|shell)\b",
            r"\$[@<^](?= |$)",
        ),
    ),
    "makefile": (
        "c cpp csharp go java javascript php python ruby rust swift typescript",
        (r"^[\w.%/$()-]+ ?:( [\w.%/$()-]+)*$", r"^\w+ [:?+]= ", r"^\w+[:?]= ?", r"^\w+ ?= \S"),
    ),
    "matlab": (
        "rust",
        (
            r"^for \w+ ?= ?[\w.()]{1,20}:[\w.()]",
            r"(?<![.\w])(disp|numel|num2str|linspace|zeros|subplot)\(.{0,80}\);?$",
            r"[\w)\]']\.[*^/] ?[\w(]",
            r"= ?\[[\d. -]+;[\d. ;-]+\]",
            r"^(clc|clear|close all|hold on|figure);?$",
            r"^end(if|while|for|function);?$",
            r"\(:,|, ?:\)",
            r"\A% \w",
            r"^function \[?[\w, ]{1,40}\]? = \w+",
        ),
    ),
    "matlab's several results": ("javascript php rust swift typescript", (r"^\[\w+(, ?\w+)+\] = \w+\(.{0,80}\);$",)),
    "mermaid": ("", (r"^(graph|flowchart) (TD|LR|TB|RL|BT)\b",)),
    "ml": (
        "bash rust",
        (
            r"\blet (rec|mutable) \w",
            r"\blet \(\) =",
            r"^let \w+( \(?\w+( ?: ?\w+)?\)?)+ = ",
            r"\bfun \w+( \w+)* -> ",
            r"^\| .{1,60} -> ?",
            r"^\| [A-Z]\w*( of\b|$)",
            r"\bmatch .{1,40} with$",
            r";;$",
            r"^open [A-Z]\w+$",
            r"\bprintfn? [\"'(]",
            r"^type \w+ = \{ ?\w+ : ",
        ),
    ),
    "nim": ("", (r"^(proc|template|iterator) \w+\*?.{0,80}=$", r"^proc \w+")),
    "objective-c": (
        "python rust",
        (
            r"^@(interface|implementation|property|protocol|end)\b",
            r"@autoreleasepool\b",
            r"\bNSLog\(",
            r"^#import\b",
            r"\bNS[A-Z]\w+ ?\*",
            r"^[-+] ?\(\w[\w *]*\)",
            r"@\"",
        ),
    ),
    "pascal": (
        "go",
        (
            r"^(BEGIN|Begin)$",
            r"(?i)^end[.;]$",
            r"^program \w+;",
            r"^\w+ := .{1,80};$",
            r"(?i)^(procedure|function) \w+.{0,120};$",
        ),
    ),
    "patch": ("", (r"^(diff --git|--- a/|\+\+\+ b/|@@ -)",)),
    "perl": (
        "",
        (
            r"\b(my|our) ?[($@%]",
            r"^use (strict|warnings|utf8)\b",
            r"^sub \w+ ?\{?$",
            r"\$_\b|@_\b",
            r"\bqw[(/{\[]",
            r"=~ ?(m|s|tr|y)/.{0,80}/\w{0,3};$",
            r"\$\w+\{\$?\w+\}",
        ),
    ),
    "powershell": (
        "",
        (
            r"\b(Get|Set|New|Write|Remove|Import|Export|Add|Start|Stop|Invoke|Select|Where|ForEach|Out)-[A-Z]\w+",
            r"^param ?\(",
            r"\[\w+\]\$\w",
            r" -(le|ge|lt|gt|eq|ne|like|match) .{0,40}\) ?\{",
        ),
    ),
    "println": ("go", (r"(?<![.\w:])println ?\(", r"(?<![.\w])println [\"'\w$]")),
    "prolog": ("", (r"^\w+(\(.{0,80}\))? ?:-", r"^:- ", r"^\w+\([\w, ]{1,80}\)\.$")),
    "protobuf": ("", (r"^syntax = ", r"^message \w+ ?\{")),
    "pseudocode": (
        "",
        (
            r"(?i)^end ?(if|for|while|function|procedure|loop|sub|module|class)\b",
            r"[←≤≥∈]",
            r"^(ELSE|END|IF|FOR|WHILE|FUNCTION|PROCEDURE|SET|PRINT|RETURN)( |$)",
        ),
    ),
    "r": (
        "go",
        (
            r"^[\w.$\[\]\"']+ ?<<?- ?\S",
            r"[=(,] ?c\(",
            r"^(library|require)\(\w*[\"']*\)$",
            r"%(>|in|o)%",
            r"^for ?\(\w+ in (\w+:\w|seq)",
            r"\b(paste0?|data\.frame|[slmv]apply|read\.csv|ggplot|nrow|ncol|rnorm)\(",
            r"^\w+ = seq\(",
            r"= ?function\([\w, =.]{0,40}\) ?[\w(]",
            r"(?<![.\w])matrix\(",
            r"\w ~ \w",
        ),
    ),
    "scala": (
        "",
        (
            r"^(case )?object \w+.{0,60}\{?$",
            r"\bcase class\b",
            r"^(override )?def \w+.{0,80}: [A-Z][\w\[\], ]* =",
            r"^case .{1,60} => ",
            r"\w match ?\{$",
            r"\(_ [-+*/<>=%]",
            r"^def \w+.{0,80} = ?\{?$",
            r"^for ?\(\w+ <- ",
        ),
    ),
    "session": (
        "",
        (
            r"^\$ \S",
            r"^>>> ?\S",
            r"\A[%>] \w",
            r"^[\w.-]+@[\w.-]+:?[^$#\n]{0,60}[$#] ?\S",
            r"^(In|Out) ?\[\d+\]:",
            r"^(PS|[A-Z]:\\)[^>\n]{0,60}> ?\S",
            r"^(irb|mysql|sqlite|postgres\w*|ghci|scala|julia|iex)\b[^>\n]{0,20}[>#] ?\S",
        ),
    ),
    "solidity": ("", (r"^pragma solidity\b", r"^contract \w+.{0,80}\{", r"\b(uint256|mapping\()")),
    "sql": (
        "",
        (
            r"(?i)^select\b.{0,200}\bfrom\b",
            r"(?i)^(insert into|delete from|(alter|drop|truncate) table) ?\S",
            r"^SELECT\b",
            r"(?i)^create (or replace )?(temp\w* )?(unique )?(table|view|index|procedure|function|trigger|database) \w",
            r"(?i)^update \w+( \w+)? set\b",
            r"(?i)^(inner|left|right|full|cross) (outer )?join\b",
            r"(?i)^(group|order) by \w",
        ),
    ),
    "tcl": ("", (r"^proc \w+ \{", r"\[expr\b", r"^set \w+ [\w\"\[$]", r"\bforeach \w+ \$")),
    "text": ("", (r"\{%", r"\bHTTP/[12](\.\d)?\b", r"^[|+][-+=|: ]{3,}", r"[│├└─┌]", r"\[[^\]\n]{1,60}\]\(https?:")),
    "verilog": ("", (r"\bendmodule\b", r"^always ?@", r"\bstd_logic\b")),
    "vim": ("", (r"^[nvixt](nore)?map <", r"^(function!|endfunction|autocmd|Plug)\b", r"^let [gsblav]:[a-z_]+ =")),
    "visual basic": (
        "php",
        (
            r"^End (Sub|Function|If|Module|Class|Property|With)\b",
            r"\bDim \w+",
            r"^(If|ElseIf) .{1,80} Then\b",
            r"\bMsgBox\b",
            r"^((Public|Private) )*(Sub|Function) \w+ ?\(",
            r"^Next( \w+)?$",
        ),
    ),
    "yaml": ("", (r"^[\w-]+:\n- \w", r"^- [\w-]+: ", r"^---$", r"^apiVersion: ")),
    "zig": ("", (r"@import\(", r"^(pub )?fn \w+\(.{0,60}\) !?\w+ \{")),
}
"""What a text may be -> those of our languages that have such forms too, and the marks, which are over lines."""


@cache
def _compiled(language: str) -> tuple[list[tuple[str, re.Pattern[str]]], re.Pattern[str], re.Pattern[str]]:
    """Return the marks that count against a language: each, those at the start of a line in one, the others in one."""
    marks = [(name, mark) for name, (ours, its) in _FOREIGN.items() if language not in ours.split() for mark in its]
    by_start: dict[str, list[str]] = {"^": [], r"\b": [], "": []}
    for mark in (mark for _, mark in marks):
        start = next(start for start in by_start if mark.removeprefix("(?i)").startswith(start))
        rest = mark.removeprefix("(?i)").removeprefix(start)
        by_start[start].append(f"(?i:{rest})" if mark.startswith("(?i)") else rest)
    at_line, at_word, others = ("|".join(marks) for marks in by_start.values())
    return (
        [(name, re.compile(mark, re.MULTILINE)) for name, mark in marks],
        re.compile(at_line, re.MULTILINE),
        re.compile(rf"\b(?:{at_word})|{others}", re.MULTILINE),
    )


def foreign_language(text: str, language: str) -> str | None:
    """Return what a text that parses in the language is instead, or None if nothing shows it.

    Args:
        text: with empty strings, without comments.
        language: one of ours.
    """
    lines = squeezed(text)[:_MAX_CHARACTERS]
    marks, at_start, others = _compiled(language)
    starts = [0, *(end.end() for end in _LINE_END.finditer(lines))]
    if not others.search(lines) and not any(at_start.match(lines, start) for start in starts):
        return None
    return next(name for name, mark in marks if mark.search(lines))


def squeezed(text: str) -> str:
    """Return the text without indentation, blank lines and runs of spaces, on which marks could take for ever."""
    return "\n".join(line for line in (" ".join(line.split()) for line in text.split("\n")) if line)
