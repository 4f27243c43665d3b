"""The languages that agents write: what is always on offer, and what a copied token may become."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from code_envs.syntax.spacing import BREAK, STRUCTURE
from code_envs.syntax.tokens import FIXED
from code_envs.syntax.writing import Language

__all__ = ["CSHARP", "ENGLISH", "LINES", "PYTHON_SPANS", "sentence", "subwords", "words"]

_OPERATORS = (
    "( ) . , = : [ ] == + - * / % < > != <= >= += -= { } ** // *= /= @ -> & | ^ ~ << >> ; ! && || ++ -- ? => |= &= ^= "
    ":= ..."
).split()
_LITERALS = [
    *(str(number) for number in range(13)),
    *"15 16 20 24 30 32 50 60 64 100 128 200 255 256 1000 1.0 0.0 0.5 2.0 <NUM_LIT>".split(),
    *"'' \"\" \"\"\"\"\"\" b'' u'' r''".split(),
    *(f"{quote}{sign}{quote}" for quote in "\"'" for sign in " ,.:;-_/0123456789abcdeABCDE()[]"),
    *("'\\n'", '"\\n"', "'__main__'", "'name'", "'w'", "'r'", "'rb'", "'wb'", "'utf-8'"),
]
_PYTHON_NAMES = (
    "i x n s c j k e f y a b t v m d p r l z w h g q _ args kwargs name value data path key val item items line lines "
    "text idx index num char elem result results count total temp tmp res arr lst left right first last digit digits "
    "word words current start end size length other obj msg message url user request response context options config "
    "model models node root parent child method action mode version status state error code body title content id "
    "field fields form query filename file fp row col column width height label color date time timestamp timeout "
    "port host token os sys re json np plt logging logger log datetime copy random subprocess Popen PIPE argv environ "
    "stdout stderr exit join dirname basename abspath exists isfile isdir listdir makedirs getattr getcwd read write "
    "close readline readlines dumps loads dump load info debug warning exception critical getLogger TypeError "
    "ValueError KeyError Exception AttributeError IndexError RuntimeError NotImplementedError ImportError OSError "
    "IOError StopIteration assertEqual assertTrue assertFalse assertRaises assertIn assertIsNone assertEquals setUp "
    "tearDown TestCase unittest test mock patch return_value Mock main __init__ __name__ __file__ __class__ __dict__ "
    "__str__ __repr__ __doc__ __len__ __getitem__ __all__ __version__ super unicode basestring xrange long iteritems "
    "has_key objects filter get_or_create CharField TextField IntegerField ForeignKey BooleanField DateTimeField "
    "primary_key max_length null blank default verbose_name unique related_name Meta db_table ordering settings "
    "reverse render required help choices dest nargs add_argument parse_args ArgumentParser POST GET zeros ones shape "
    "dtype array mean sum axis"
).split()
_C_LIKE = (
    "public private protected static final void int long boolean char byte short float double String Object return if "
    "else for while do new null true false this super class interface enum extends implements import package throw "
    "throws try catch finally switch case default break continue instanceof abstract synchronized native transient "
    "volatile assert"
).split()
_JAVA_NAMES = (
    "Override get set add size length equals toString hashCode put remove contains isEmpty List ArrayList Map HashMap "
    "Set Integer Long Boolean Exception RuntimeException IllegalArgumentException IOException Iterator Class System "
    "out println append value key name type id index i j e o result count s x y t v m c p a b d r f n k ex args "
    "message getName getClass getValue getKey getId getType getMessage getPath getProperty getContext getString "
    "getSimpleName java util io lang net Runnable Throwable Error Number Void Serializable serialVersionUID "
    "Deprecated SuppressWarnings main test run init create build read write close open next hasNext iterator start "
    "stop execute process parse format version context info error warn debug logger log env root path file data url "
    "text line node parent child list map set builder input output stream in err print printStackTrace valueOf asList "
    "copyOf isInstance cast parseInt Math max min abs Arrays Collections StringBuilder File InputStream OutputStream "
    "PrintWriter BufferedReader Date Test Before Assert assertEquals assertTrue assertNotNull T E K V R S U"
).split()
_CSHARP_KEYWORDS = (
    "public private protected internal static readonly const void int long bool char byte sbyte short ushort uint "
    "ulong float double string object return if else for foreach in while do new null true false this base class "
    "interface enum struct using namespace throw try catch finally switch case default break continue is as abstract "
    "virtual override sealed lock get set value out ref params var typeof unchecked checked volatile event delegate "
    "operator yield"
).split()
_CSHARP_NAMES = (
    "String Object Exception ArgumentException ArgumentNullException InvalidOperationException NotSupportedException "
    "IndexOutOfRangeException NotImplementedException IOException Length Count Add Remove Contains Clear Equals "
    "ToString GetHashCode GetType Append Insert IndexOf Substring StartsWith EndsWith Replace Trim Split ToArray "
    "ToLower ToUpper Key Value Current MoveNext Dispose Next HasNext Get Set Put Size Name Type Array Math Min Max "
    "Abs System Console WriteLine StringBuilder List IList IDictionary Dictionary HashSet ICollection IEnumerable "
    "IEnumerator KeyValuePair Request Response Client options Instance ResponseUnmarshaller RequestMarshaller "
    "InvokeOptions Method MethodType POST java util io nio lang org sb i j e o b s obj other result request input "
    "output str val temp buffer children T K V StringComparison Ordinal CompareOrdinal TryGetValue DateTime "
    "MemoryStream Runtime Debug HashMap TreeMap Text goto UriPattern in1 out1 Marshaller Unmarshaller Invoke Sharpen "
    "Copy Arrays ByteBuffer MaxValue MinValue"
).split()
_RENAMED = {
    "boolean": ("bool",),
    "String": ("string", "String"),
    "Object": ("object", "Object"),
    "final": ("readonly", "const", "sealed"),
    "super": ("base",),
    "extends": (":",),
    "implements": (":",),
    "instanceof": ("is",),
    "synchronized": ("lock",),
    "throws": (),
    "Integer": ("int",),
    "Long": ("long",),
    "Character": ("char",),
    "Boolean": ("bool",),
    "byte": ("byte", "sbyte"),
    "Override": ("override",),
    "in": ("in1",),
    "out": ("out1", "@out"),
    "ref": ("@ref", "ref1"),
    "length": ("Length",),
    "size": ("Count", "Size"),
    "Map": ("IDictionary",),
    "HashMap": ("Dictionary",),
    "Collection": ("ICollection",),
    "List": ("IList", "List"),
    "ArrayList": ("List",),
    "Iterator": ("Iterator", "IEnumerator"),
    "IllegalArgumentException": ("ArgumentException",),
    "IllegalStateException": ("InvalidOperationException",),
    "UnsupportedOperationException": ("NotSupportedException",),
    "RuntimeException": ("Exception", "RuntimeException"),
    "ArrayIndexOutOfBoundsException": ("IndexOutOfRangeException",),
    "NullPointerException": ("ArgumentNullException", "NullReferenceException"),
    "iterator": ("GetEnumerator",),
}
_ENGLISH = (
    "the a of to . , return and in for is if an with from or that returns given this ' ( ) - on as by be it not are "
    'all / : ; " ` = < > [ ] 0 1 2 3 # * % @ ! ? + \\ string object file value list name new set get create check '
    "whether true false none number into using used when s at which data function return method class instance "
    "current default path type index key can one string . return the has no than only other two first last same each "
    "any return between its line text time message make add remove convert find test raise error call read write send "
    "open close print parse format handle compute calculate generate update delete load save start stop run build "
    "copy move put return append insert initialize decode encode split join match replace compare sort count test "
    "determine look return process string bytes byte int integer float boolean bool dict dictionary tuple sequence "
    "iterator iterable array map module package attribute argument arguments parameter parameters option options "
    "keyword command code source target result results output input stream buffer socket connection server client "
    "request response header headers address host port url directory folder size length width height position offset "
    "end begin beginning character characters char word words pattern item items element elements node tree root "
    "parent child children field fields row rows column columns table record entry entries date year month day hour "
    "minute second seconds exception warning errors raised occurs process thread lock event timeout wait signal "
    "handler callback equal equivalent empty exists otherwise else also may must should will more less such like up "
    "down out over before after until while then there their they we you i so but have been being do does did was "
    "were internal private public abstract static implementation support version python system operation operations "
    "representation form state status information info content contents context level mode flag flags base left right "
    "top bottom next previous max min maximum minimum sum total average random copy original parses reads writes "
    "creates gets sets checks adds removes converts finds makes called calls returned based specified associated "
    "corresponding containing contains contain found known valid invalid available use uses just according objects "
    "strings order possible currently without created them construct helper user both about where writing reading "
    "optional variables variable appropriate standard expression files display callable names through full encoding "
    "produce selected keys inside member instances positive negative absolute pair numbers stack named needed "
    "messages functions iterate against retrieve multiple documentation memory point following different provided "
    "initial another required local lists unknown whole unless because specific passed space special attributes "
    "changed clear program already exactly allow allowed indicate returning given non single either most zero values "
    "existing several default defaults starting amount document extension block window widget unix html xml http"
).split()


def _lines(fixed: list[str], keywords: list[str]) -> Language:
    needed = len(_OPERATORS) + len(keywords) + NUMBERS
    known = [word for word in FIXED if word[0].isidentifier()][:KNOWN]
    return Language(
        (*_OPERATORS, *keywords, *_LITERALS[:NUMBERS], *fixed, *known, *_LITERALS), frozenset(keywords), needed=needed
    )


KNOWN, NUMBERS = 230, 40
"""Words of the shared vocabulary, and literals that are always on offer."""
_PYTHON_KEYWORDS = [*keyword.kwlist, "self", "print"]
LINES: dict[str, Language] = {
    "python": _lines(_PYTHON_NAMES, _PYTHON_KEYWORDS),
    "java": _lines(_JAVA_NAMES, _C_LIKE),
}
"""Languages whose lines can be completed; the end of the line is the end of the text."""
PYTHON_SPANS = replace(
    LINES["python"], fixed=(*STRUCTURE, *LINES["python"].fixed), breaks=BREAK, needed=LINES["python"].needed + 3
)
"""Python over several lines."""


# Java to C# ---------------------------------------------------------------------------------------


def _translations(token: str) -> Iterator[str]:
    """What a token of Java may be in C#: itself, renamed, capitalised, a property instead of its accessor."""
    yield from _RENAMED.get(token, ())
    if not token[0].isidentifier():
        yield token
        return
    capital = token[0].upper() + token[1:]
    yield from (token, capital)
    for prefix in ("get", "set", "is"):
        rest = token.removeprefix(prefix)
        if rest != token and rest[:1].isupper():
            yield rest
    if "_" in token and token.isupper():
        yield "".join(part.capitalize() for part in token.split("_"))
    if token.endswith(("Request", "Result")):
        stem = token.removesuffix("Request").removesuffix("Result")
        yield from (f"{stem}Response", f"{stem}RequestMarshaller", f"{stem}ResponseUnmarshaller")
    if token[0].islower():
        yield from (f"{token}_1", f"_{token}")
    elif token[1:2].islower():
        yield f"I{token}"


_PLAIN = {new: old.lower() for old, every in _RENAMED.items() for new in every}


@lru_cache(1 << 14)
def _plain_java(token: str) -> str:
    return _PLAIN.get(token, token.lower())


CSHARP = Language(
    (*_OPERATORS, *_CSHARP_KEYWORDS, *_LITERALS[:NUMBERS], *_CSHARP_NAMES, *_LITERALS),
    frozenset(_CSHARP_KEYWORDS),
    _plain_java,
    _translations,
    breaks="",
    needed=len(_OPERATORS) + len(_CSHARP_KEYWORDS) + NUMBERS,
)
"""C# written from Java."""


# English ------------------------------------------------------------------------------------------

_SUBWORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\w\s]")
_WORD = re.compile(r"[^\W_]+|[^\w\s]")


def subwords(code: str) -> list[str]:
    """The words of a program in lower case: parts of names, words of strings and comments, single signs."""
    return [part.lower() for part in _SUBWORD.findall(code)]


def words(text: str) -> list[str]:
    """The words of a text in lower case, each sign apart; underscores part words."""
    return [word.lower() for word in _WORD.findall(text)]


def sentence(tokens: Sequence[str]) -> str:
    """Words as a text: signs close to the words that they belong to."""
    parts: list[str] = []
    for number, token in enumerate(tokens):
        before = tokens[number - 1] if number else "("
        close = before in ("(", "[", "'", "`", "/", "-") or token in (
            ".",
            ",",
            ")",
            "]",
            ":",
            ";",
            "!",
            "?",
            "'",
            "/",
            "-",
        )
        parts.append(token if close else f" {token}")
    return "".join(parts)


def _inflections(word: str) -> Iterator[str]:
    """A word of a program as a sentence may have it."""
    yield word
    if len(word) > 2 and word.isalpha():
        if word.endswith(("s", "x", "sh", "ch")):
            yield word + "es"
        elif word.endswith("y") and word[-2] not in "aeiou":
            yield word[:-1] + "ies"
        else:
            yield word + "s"
        if word.endswith("s") and not word.endswith("ss"):
            yield word[:-1]
        yield from (word + "d",) if word.endswith("e") else (word + "ed",)
    if word in _LONG:
        yield _LONG[word]


_LONG = dict(
    pair.split(":")
    for pair in (
        "str:string int:integer num:number msg:message dir:directory arg:argument args:arguments func:function "
        "obj:object val:value attr:attribute attrs:attributes param:parameter params:parameters dict:dictionary "
        "char:character chars:characters len:length idx:index src:source dst:destination tmp:temporary "
        "temp:temporary info:information init:initialize repr:representation conn:connection sock:socket "
        "addr:address req:request resp:response exc:exception err:error del:delete cmp:compare calc:calculate "
        "gen:generate config:configuration pos:position spec:specification iter:iterator seq:sequence elem:element "
        "cls:class cmd:command opt:option opts:options buf:buffer fname:filename eq:equal ne:equal lt:less "
        "gt:greater is:whether has:whether"
    ).split()
)
"""What a programmer's abbreviation is short for."""


@lru_cache(1 << 14)
def _stem(word: str) -> str:
    for ending in ("ies", "es", "s", "ed", "ing", "e"):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            return word[: -len(ending)]
    return word


ENGLISH = Language(tuple(dict.fromkeys(_ENGLISH)), frozenset(), _stem, _inflections, breaks="", needed=80, sparse=True)
"""A sentence about a program, in lower case."""
