# Prints parameters.script of a JSON document, a string or a list of lines.
# Exit codes: 0 printed, 1 the configuration is wrong (said on stderr), 2 the document is not JSON.
#
# A recursive descent over the whole document: `value(path)` reads one value, remembers the strings below
# `parameters`, and refuses what is not JSON. The image holds busybox alone, hence awk.

{ text = text $0 "\n" }

END {
    at = 1
    kind_of["parameters"] = "object"
    value("")
    if (peek() != "") broken("text after the document")
    if (kind_of["parameters"] != "object") wrong("parameters must be an object")
    for (path in kind_of)
        if (path ~ /^parameters\.[^[]*$/ && path != "parameters.script") wrong(path " is unknown; expected script")
    if (kind_of["parameters.script"] == "string") {
        print string_at["parameters.script"]
        exit 0
    }
    if (!("parameters.script" in kind_of)) wrong("parameters.script is missing: the shell script to run")
    if (kind_of["parameters.script"] != "array") wrong("parameters.script must be a string or a list of lines")
    for (i = 0; i < size_of["parameters.script"]; i++)
        if (kind_of["parameters.script[" i "]"] != "string") wrong("parameters.script[" i "] must be a string")
    for (i = 0; i < size_of["parameters.script"]; i++) print string_at["parameters.script[" i "]"]
}

function wrong(message) { print message > "/dev/stderr"; exit 1 }
function broken(message) { print "config.json, character " at ": " message > "/dev/stderr"; exit 2 }

# The next character that is not white space, not yet taken; empty at the end.
function peek() {
    while (substr(text, at, 1) ~ /[ \t\r\n]/) at++
    return substr(text, at, 1)
}

function take(wanted) {
    if (peek() != wanted) broken("expected " wanted)
    at++
}

function value(path,    c, rest) {
    c = peek()
    if (c == "{") return object(path)
    if (c == "[") return array(path)
    if (c == "\"") { kind_of[path] = "string"; string_at[path] = string(); return }
    rest = substr(text, at, 64)
    if (match(rest, /^(true|false|null)/) || match(rest, /^-?[0-9][0-9.eE+-]*/)) {
        kind_of[path] = "other"
        at += RLENGTH
        return
    }
    broken("expected a value")
}

function object(path,    name) {
    kind_of[path] = "object"
    take("{")
    if (peek() == "}") { at++; return }
    for (;;) {
        if (peek() != "\"") broken("expected a name")
        name = string()
        take(":")
        value(path == "" ? name : path "." name)
        if (peek() == "}") { at++; return }
        take(",")
    }
}

function array(path,    i) {
    kind_of[path] = "array"
    take("[")
    size_of[path] = 0
    if (peek() == "]") { at++; return }
    for (i = 0; ; i++) {
        value(path "[" i "]")
        size_of[path] = i + 1
        if (peek() == "]") { at++; return }
        take(",")
    }
}

function string(    result, rest, c) {
    at++
    result = ""
    for (;;) {
        # A window, because taking the whole rest for each escape would cost the square of the script.
        rest = substr(text, at, 1024)
        if (rest == "") broken("a string does not end")
        if (!match(rest, /["\\]/)) {
            result = result rest
            at += length(rest)
            continue
        }
        result = result substr(rest, 1, RSTART - 1)
        c = substr(rest, RSTART, 1)
        at += RSTART
        if (c == "\"") return result
        result = result escape()
    }
}

function escape(    c, code, low) {
    c = substr(text, at++, 1)
    if (c == "n") return "\n"
    if (c == "t") return "\t"
    if (c == "r") return "\r"
    if (c == "b") return "\b"
    if (c == "f") return "\f"
    if (c == "\"" || c == "\\" || c == "/") return c
    if (c != "u") broken("unknown escape")
    code = hex()
    if (code >= 55296 && code < 56320 && substr(text, at, 2) == "\\u") {
        at += 2
        low = hex()
        code = 65536 + (code - 55296) * 1024 + (low - 56320)
    }
    return utf8(code)
}

function hex(    digits, i, code) {
    digits = tolower(substr(text, at, 4))
    if (digits !~ /^[0-9a-f][0-9a-f][0-9a-f][0-9a-f]$/) broken("expected four hexadecimal digits")
    code = 0
    for (i = 1; i <= 4; i++) code = code * 16 + index("0123456789abcdef", substr(digits, i, 1)) - 1
    at += 4
    return code
}

function utf8(code) {
    if (code == 0) wrong("a NUL character cannot be part of a script")
    if (code < 128) return sprintf("%c", code)
    if (code < 2048) return sprintf("%c%c", 192 + int(code / 64), 128 + code % 64)
    if (code < 65536) return sprintf("%c%c%c", 224 + int(code / 4096), 128 + int(code / 64) % 64, 128 + code % 64)
    return sprintf("%c%c%c%c", 240 + int(code / 262144), 128 + int(code / 4096) % 64, 128 + int(code / 64) % 64, 128 + code % 64)
}
