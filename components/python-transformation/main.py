"""Runs the Python code of a configuration between the tables that are mapped in and out.

Exit codes: 0 the code ended well, 1 the configuration or its code is at fault, 2 this component is.
"""

import json
import linecache
import os
import signal
import sys
import traceback
import types

DATA_FOLDER = os.environ.get("KBC_DATADIR", "/data/")
KNOWN_PARAMETERS = {"script", "blocks", "packages"}


class UserError(Exception):
    """The configuration is wrong; the text says where and what to do."""


def lines_of(script, path):
    """The text of a script that is given as one string or as a list of lines."""
    if isinstance(script, str):
        return script
    if isinstance(script, list) and all(isinstance(line, str) for line in script):
        return "\n".join(script)
    raise UserError(f"{path} must be a string or a list of lines")


def pieces_of(parameters):
    """Names and texts of the pieces of code, in the order in which they run."""
    unknown = sorted(set(parameters) - KNOWN_PARAMETERS)
    if unknown:
        raise UserError(f"parameters.{unknown[0]} is unknown; expected script or blocks")
    if parameters.get("packages"):
        raise UserError(
            "parameters.packages is not supported: nothing is installed at run time; "
            "use a component whose image holds the packages"
        )
    if "script" in parameters and "blocks" in parameters:
        raise UserError("parameters.script and parameters.blocks exclude each other")
    if "script" in parameters:
        return [("script", lines_of(parameters["script"], "parameters.script"))]
    if "blocks" not in parameters:
        raise UserError("parameters.script is missing: the Python code to run")
    return list(pieces_of_blocks(parameters["blocks"], "parameters.blocks"))


def pieces_of_blocks(blocks, path):
    """Blocks hold a script, or codes that hold one each, as Keboola's transformations do."""
    if not isinstance(blocks, list):
        raise UserError(f"{path} must be a list")
    for index, block in enumerate(blocks):
        here = f"{path}[{index}]"
        if not isinstance(block, dict):
            raise UserError(f"{here} must be an object with name and script")
        name = str(block.get("name") or here)
        if "codes" in block:
            for code_name, text in pieces_of_blocks(block["codes"], f"{here}.codes"):
                yield f"{name} / {code_name}", text
        elif "script" in block:
            yield name, lines_of(block["script"], f"{here}.script")
        else:
            raise UserError(f"{here}.script is missing")


def run(pieces):
    """Runs all pieces in one namespace; a failure ends the process with code 1."""
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    for name, text in pieces:
        file_name = f"<{name}>"
        # Makes the traceback quote the lines of the configuration.
        linecache.cache[file_name] = (len(text), None, text.splitlines(keepends=True), file_name)
        try:
            exec(compile(text, file_name, "exec", dont_inherit=True), module.__dict__)
        except SystemExit as leaving:
            if leaving.code in (None, 0):
                return
            if isinstance(leaving.code, str):
                print(leaving.code, file=sys.stderr)
            else:
                print(f"the code of {name} left with exit code {leaving.code}", file=sys.stderr)
            # Whatever code the script chose: it is its author's error, not the component's.
            sys.exit(1)
        except BaseException as error:
            print_traceback(error)
            sys.exit(1)


def print_traceback(error):
    """Our own frames stand above the first frame of the user's code and tell its author nothing."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    traceback.print_exception(type(error), error, trace)


def main():
    # The kernel ignores the default action of SIGTERM for process 1; under an init the default ends us at once.
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
    # A line is an event: it leaves at once, but in one piece.
    sys.stdout.reconfigure(line_buffering=True)
    try:
        with open(os.path.join(DATA_FOLDER, "config.json"), encoding="utf-8") as file:
            parameters = json.load(file).get("parameters") or {}
        if not isinstance(parameters, dict):
            raise UserError("parameters must be an object")
        pieces = pieces_of(parameters)
        os.chdir(DATA_FOLDER)
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    except Exception:
        traceback.print_exc()
        sys.exit(2)
    run(pieces)


main()
