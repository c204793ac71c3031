"""What shows that a text may be in one of our languages: strong and weak marks of each.

A mark is a regular expression over lines without indentation and runs of spaces. Not guaranteed: that a text with marks
is code; many are words of English too. What shows another language is in `foreign_marks.py`.
"""

from __future__ import annotations

_ASSIGNMENT = r"^\s*[\w.\[\]'\", ]+?\s*[-+*/]?=(?!=)\s*\S"
_CALL = r"[\w\]]\([^()]*\)"
_STATEMENT_END = r"[;{}]\s*$"
_C_FUNCTION = r"^\s*(static )?(unsigned )?(int|void|char|float|double|long|bool|struct \w+)\b[\w \t*&]*\("

COMMANDS = frozenset(
    ". : [ [[ alias apk apt apt-get awk aws az base64 basename bash bg brew bundle bzip2 cargo cat cd chgrp chmod "
    "chown clear cmake cmp column comm command composer conda cp cron crontab curl cut date dd declare deno df diff "
    "dig dirname dnf docker docker-compose du echo egrep env eval exec exit export expr false ffmpeg fg fgrep file "
    "find flask flutter free g++ gcc gcloud gem getopts git go gpg grep groupadd gunzip gzip head helm history "
    "hostname id ifconfig ip iptables java javac jest jobs journalctl jq kill killall kubectl less let ln local "
    "locate ls lsof make man md5sum mkdir mktemp mongo more mount mv mvn mysql nano nc netstat ng node nohup npm "
    "nproc npx openssl pacman paste patch perl php pidof ping pip pip3 pkill pnpm poetry popd printenv printf ps psql "
    "pushd pwd pytest python python3 rails read readlink readonly realpath redis-cli return rm rmdir rsync ruby rustc "
    "rustup scp screen sed select seq service set sh sha256sum shift shopt sleep snap sort source split sqlite3 ssh "
    "ssh-keygen stat strace su sudo swift systemctl tac tail tar tee terraform test time timeout tmux touch tr trap "
    "tree true truncate tsc type typeset ulimit umask umount uname uniq unlink unset unzip uptime useradd vi vim "
    "virtualenv wait watch wc wget which while who whoami xargs xz yarn yes yum zip zsh".split()
)
"""Programs and builtins that shell scripts call."""

MARKS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "python": (
        (
            r"^\s*(async )?def \w+\s*\(.*",
            r"^\s*class \w+[^{;\n]*:\s*(#.*)?$",
            r"^(import|from) [\w.]+( import| as|,|$)",
            r"^\s*(for|while|if|elif|with) .*:\s*(#.*)?$",
            r"\bprint\s*\(",
            r"\bfor [\w, ()]{1,40} in .{1,80}[\])}]",
            r"\blambda\b.*:",
        ),
        (_ASSIGNMENT, _CALL, r"^assert "),
    ),
    "javascript": (
        (
            r"\bconsole\.\w+\(",
            r"\bfunction\s*\w*\s*\(",
            r"=>",
            r"^\s*(const|let|var) [\w{}\[\], ]+ = ",
            r"===",
            r"\b(document|window|module|xhr)\.\w",
            r"\brequire\(",
            r"\$\(['\"]",
            r"\$(and|or|[gl]te?|ne|in|set|match): ",
            r"\bnew (Date|Promise|Error|XMLHttpRequest|RegExp)\b",
            r"\balert\(",
            r"^import .{1,200} from ['\"]",
            r"^export (default|const|function|class)\b",
            r"\bthis\.#?\w+ = |\bthis\.#",
            r"^constructor ?\(",
            r"\bfor ?\((let|const|var) ",
            r"^db\.\w+\.\w+\(",
        ),
        (_ASSIGNMENT, _CALL, _STATEMENT_END),
    ),
    "typescript": (
        (
            r":\s*(string|number|boolean|any|void|unknown)\b",
            r"^\s*(export )?interface \w+",
            r"^\s*(export )?type \w+.* =",
            r"^\s*(export )?enum \w+",
        ),
        (r"\bconsole\.", r"^\s*(const|let|var) ", r"=>", _STATEMENT_END),
    ),
    "java": (
        (
            r"\bSystem\.(out|in)\b",
            r"public static void main",
            r"^import (static )?javax?\.",
            r"@Override",
            r"\b(extends|implements) \w+.*\{",
            r"\bnew (ArrayList|HashMap|Scanner)\b",
        ),
        (r"\bString\b", r"^\s*(public|private|protected)\b.*[({;]", r"\b(public )?class \w+", _STATEMENT_END),
    ),
    "c": (
        (r"^\s*#include\s*[<\"]", r"\b([fs]?printf|scanf|[mc]alloc|sizeof|perror|strcpy)\s*\(", r"^\s*#define \w"),
        (_C_FUNCTION, r"^(typedef |struct \w+ \{)", _STATEMENT_END),
    ),
    "cpp": (
        (
            r"#include\s*<\w+>",
            r"\bstd::",
            r"\b(cout|cin)\b\s*(<<|>>)",
            r"\busing namespace\b",
            r"\btemplate\s*<",
            r"\bvector<",
        ),
        (r"^\s*#include", r"\w::\w", r"\bclass \w+", r"\b(public|private):", _C_FUNCTION, _STATEMENT_END),
    ),
    "csharp": (
        (
            r"^\s*using (static )?[A-Z][\w.]*;",
            r"\bConsole\.\w+\(",
            r"\bstatic void Main\b",
            r"\{ get;",
            r"\bnew (List|Dictionary)<",
            r"\bIEnumerable<",
        ),
        (
            r"^\s*namespace \w",
            r"\bstring\b",
            r"^\s*(public|private|protected|internal)\b.*",
            r"\bclass \w+",
            _STATEMENT_END,
        ),
    ),
    "go": (
        (r"^package \w+\s*$", r"^func (\(.*\) )?\w+\(.*\{", r"\w :=\s", r"\bfmt\.\w+\("),
        (r"^import [(\"]", r"^type \w+ (struct|interface) \{", _STATEMENT_END),
    ),
    "rust": (
        (
            r"\bfn \w+.*(\{|->)",
            r"\blet mut \w",
            r"\b(println|print|vec|format)!\s*[(\[]",
            r"^\s*impl\b.*\{",
            r"^use std::",
            r"\b([iu](8|16|32|64|size)|f(32|64))\b",
            r"^#\[\w+",
            r"&mut \w|&str\b",
        ),
        (r"\blet \w+", r"->", _STATEMENT_END),
    ),
    "php": (
        (
            r"<\?(php|=)",
            r"^\s*\$\w+(\[.*\])?\s*[.+-]?=[^=]",
            r"^\s*echo\b.*;\s*$",
            r"\bfunction \w+\([^()\n]{0,80}\$\w",
            r"\b(implode|explode|array_\w+|isset|str_\w+|htmlspecialchars)\(",
        ),
        (r"\$\w+->\w", _STATEMENT_END),
    ),
    "ruby": (
        (
            r"(\bdo|\{) ?\|[\w, ()*&]{1,60}\|",
            r"\bputs [\"'\w#]",
            r"^require(_relative)? [\"']",
            r"\battr_\w+ :",
            r"^def (self\.)?\w+[?!=]?( ?\([^()]{0,120}\)| \w+(, \w+)*)?$",
            r"^@@?\w+ (\|\||\+)?= ",
            r"\.\w+\?( |\)|$|\.)",
            r"^(elsif|unless|until|rescue|ensure)\b",
            r"^(class|module) [A-Z]\w*( < [A-Z][\w:]*)?$",
            r"\(&:\w+\)",
            r"\.(each|times|map|select|each_with_index)( do| \{|$)",
            r"\bgets\b",
            r"\.(gsub|chomp|upcase|downcase|to_[isf])\b",
            r"^(describe|context|it|get|post|task|namespace) .{1,80} do$",
        ),
        (r"^end$", r"#\{", r":\w+ => ", _ASSIGNMENT, r"\w\.\w+[?!]?"),
    ),
    "swift": (
        (
            r"^\s*(\w+ )*func \w+.*(->|\{)",
            r"^protocol \w+",
            r"^import (Foundation|UIKit|SwiftUI)\b",
            r"\\\(\w",
            r"\b(guard|if) let \w+ =",
            r"\{ ?\$0\b",
            r"^@(State|IBOutlet|IBAction|Published|main|Binding)\b",
        ),
        (
            r"^case \.?\w+(, \.?\w+)*$",
            r"\b(let|var) \w+(: ?[\w\[\]?]+)? = ",
            r"\bprint\(",
            r"\b(struct|class|enum) \w+.*\{",
        ),
    ),
    "bash": (
        (
            r"\A#!.*\b(ba|z|da)?sh\b",
            r"^\s*(if|while|for|until)\b.*;\s*(then|do)\b",
            r"^\s*(then|fi|do|done|esac)\s*$",
            r"^\s*echo +(-\w+ +)?[\"'$]",
            r"\$\((?!\d)\w",
            r"^(sudo )?(npm|yarn|pip3?|git|docker|docker-compose|apt|apt-get|brew|conda|gem|cargo|go|kubectl) (install|"
            r"add|run|build|init|clone|commit|push|pull|update|uninstall|start|test|create|get|apply|checkout|mod|up|down)\b",
        ),
        (
            r"^(sudo |\w+=\S+ )*(cd|ls|mkdir|grep|chmod|chown|apt|apt-get|pip3?|npm|npx|yarn|git|curl|wget|docker|cat|"
            r"rm|cp|mv|sed|awk|export|tar|ssh|find|touch|echo|kill|ps|python3?|source|make|gcc|g\+\+|javac?|node|go|rustc|"
            r"pytest|sudo) +\S",
            r"(?<=\s)[\w./-]+\.(sh|py|js|c|cpp|java|jar|txt|csv|json|t?gz|zip|log|conf|go|rs|rb|php)\b",
            r"(?<=\s)--?[a-zA-Z][\w-]*",
            r"\S \| \w",
            r"\$[A-Za-z_{]",
            r"(?<=\s)\.?\.?(/[\w.*-]+)+",
            r"^\s*\w+=\S",
        ),
    ),
}
"""Language -> its strong and its weak marks."""

NEED_A_STRONG_MARK = {"javascript", "ruby"}
"""Their grammars take what is no code at all, or code of most other languages."""
