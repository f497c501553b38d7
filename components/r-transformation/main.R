# Runs the R code of a configuration between the tables that are mapped in and out.
#
# Exit codes: 0 the code ended well, 1 the configuration or its code is at fault, 2 this component is.

local({
    data_folder <- Sys.getenv("KBC_DATADIR", "/data/")
    known_parameters <- c("script", "blocks", "packages")
    # A message is told once, whole, and by us.
    options(keep.source = TRUE, warn = 1, warning.length = 8170)

    leave <- function(code) base::quit(save = "no", status = code, runLast = FALSE)

    # The configuration is wrong; the text says where and what to do.
    refuse <- function(...) {
        cat(..., "\n", sep = "", file = stderr())
        leave(1)
    }

    is_text <- function(value) is.character(value) && length(value) == 1

    # The text of a script that is given as one string or as a list of lines.
    lines_of <- function(script, path) {
        if (!is_text(script) && !(is.list(script) && all(vapply(script, is_text, TRUE))))
            refuse(path, " must be a string or a list of lines")
        # An empty line has no pieces when it is split, but is a line.
        lines <- strsplit(paste0(unlist(script), "\n"), "\r?\n")
        as.character(unlist(lapply(lines, function(line) if (length(line)) line else "")))
    }

    # Blocks hold a script, or codes that hold one each, as Keboola's transformations do.
    pieces_of_blocks <- function(blocks, path) {
        if (!is.list(blocks) || !is.null(names(blocks))) refuse(path, " must be a list")
        pieces <- list()
        for (index in seq_along(blocks)) {
            block <- blocks[[index]]
            here <- sprintf("%s[%d]", path, index - 1L)
            if (!is.list(block) || is.null(names(block))) refuse(here, " must be an object with name and script")
            name <- if (is_text(block$name)) block$name else here
            if (!is.null(block$codes)) {
                for (piece in pieces_of_blocks(block$codes, paste0(here, ".codes"))) {
                    piece$name <- paste(name, "/", piece$name)
                    pieces <- c(pieces, list(piece))
                }
            } else if (!is.null(block$script)) {
                lines <- lines_of(block$script, paste0(here, ".script"))
                pieces <- c(pieces, list(list(name = name, lines = lines)))
            } else {
                refuse(here, ".script is missing")
            }
        }
        pieces
    }

    # Names and lines of the pieces of code, in the order in which they run.
    pieces_of <- function(parameters) {
        if (!is.list(parameters) || (length(parameters) && is.null(names(parameters))))
            refuse("parameters must be an object")
        unknown <- sort(setdiff(names(parameters), known_parameters))
        if (length(unknown)) refuse("parameters.", unknown[1], " is unknown; expected script or blocks")
        if (length(parameters[["packages"]]))
            refuse(
                "parameters.packages is not supported: nothing is installed at run time; ",
                "use a component whose image holds the packages"
            )
        has <- c("script", "blocks") %in% names(parameters)
        if (all(has)) refuse("parameters.script and parameters.blocks exclude each other")
        if (has[1]) {
            lines <- lines_of(parameters[["script"]], "parameters.script")
            return(list(list(name = "script", lines = lines)))
        }
        if (!has[2]) refuse("parameters.script is missing: the R code to run")
        pieces_of_blocks(parameters[["blocks"]], "parameters.blocks")
    }

    # The line of the configuration's code from which a call was made; our own frames and R's have none.
    place_of <- function(reference) {
        file <- attr(reference, "srcfile")$filename
        if (length(file) == 1 && grepl("^<.*>$", file)) sprintf("%s, line %d", file, as.integer(reference)[1])
    }

    tell <- function(error, top, calls) {
        places <- lapply(lapply(calls, attr, "srcref"), function(reference) if (!is.null(reference)) place_of(reference))
        places <- c(place_of(top), unlist(places))
        quoted <- trimws(as.character(top)[1])
        call <- conditionCall(error)
        # Longer calls are our own doing, or a whole table as text.
        within <- if (is.null(call) || nchar(deparse(call)[1]) > 80) "" else paste0(" (", deparse(call)[1], ")")
        cat(
            "error in ", places[length(places)], within, ": ", conditionMessage(error), "\n",
            if (length(places) > 1) paste0("  reached from ", places[1], ": ", quoted, "\n") else paste0("  ", quoted, "\n"),
            sep = "", file = stderr()
        )
        leave(1)
    }

    run <- function(piece) {
        source <- srcfilecopy(paste0("<", piece$name, ">"), piece$lines)
        code <- tryCatch(
            parse(text = piece$lines, keep.source = TRUE, srcfile = source, encoding = "UTF-8"),
            # R's own message names the line and points at the place.
            error = function(error) refuse("error in the code: ", conditionMessage(error))
        )
        references <- attr(code, "srcref")
        for (index in seq_along(code)) {
            calling <- sys.nframe()
            withCallingHandlers(
                eval(code[[index]], globalenv()),
                error = function(error) {
                    calls <- sys.calls()
                    # What lies beyond the error is R's way to this handler.
                    tell(error, references[[index]], calls[seq_len(length(calls)) > calling])
                }
            )
        }
    }

    # Whatever code the script chose: it is its author's error, not the component's.
    quit <- function(save = "no", status = 0, runLast = FALSE) {
        if (status == 0) leave(0)
        refuse("the code left with exit code ", status)
    }
    attach(list(quit = quit, q = quit), name = "longshore", warn.conflicts = FALSE)

    pieces <- tryCatch(
        {
            document <- jsonlite::read_json(file.path(data_folder, "config.json"), simplifyVector = FALSE)
            setwd(data_folder)
            pieces_of(if (is.null(document$parameters)) list() else document$parameters)
        },
        error = function(error) {
            cat(conditionMessage(error), "\n", sep = "", file = stderr())
            leave(2)
        }
    )
    for (piece in pieces) run(piece)
})
