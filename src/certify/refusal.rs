//! How a component may answer what it cannot work with: success, or exit code 1 and a sentence.

use super::ran::{Ran, brief};
use super::report::Judgement;
use crate::job::{BadExit, Exit};

/// How the stack traces of common languages begin.
const TRACE_MARKS: [&str; 7] = [
    "Traceback (most recent call last)",
    "Exception in thread ",
    "panic: ",
    "thread 'main' panicked",
    "PHP Fatal error",
    "Unhandled exception",
    "    at ",
];

/// Whether a run that met something hostile ended as it may.
pub(super) fn judge(ran: &Ran) -> Judgement {
    match ran.bad_exit() {
        None if ran.is_success() => Judgement::Passed,
        None => Judgement::Failed(format!("its outputs were not valid then: {}", ran.message())),
        Some(BadExit::Code(1)) => match poor_message(ran) {
            None => Judgement::Passed,
            Some(reason) => Judgement::Failed(reason),
        },
        Some(exit) => Judgement::Failed(bad_words(exit, ran)),
    }
}

/// Whether a user's error was told as one: by the exit code alone.
pub(super) fn judge_code(ran: &Ran) -> Judgement {
    match ran.bad_exit() {
        None | Some(BadExit::Code(1)) => Judgement::Passed,
        Some(exit) => Judgement::Failed(bad_words(exit, ran)),
    }
}

/// What is wrong with what a run said that failed. A trace that follows a sentence is no fault.
pub(super) fn poor_message(ran: &Ran) -> Option<String> {
    let container = ran.containers.iter().find(|container| matches!(container.exit, Exit::Bad(_)))?;
    let words = &container.words;
    let said = if words.stderr.trim().is_empty() { &words.stdout } else { &words.stderr };
    let code = container.exit_code.unwrap_or_default();
    if said.trim().is_empty() {
        return Some(format!("it ended with exit code {code} and said nothing"));
    }
    is_trace(said)
        .then(|| format!("it ended with exit code {code} and nothing but a stack trace: {}", last_line(said)))
}

fn is_trace(said: &str) -> bool {
    let first = TRACE_MARKS.iter().filter_map(|mark| said.split_once(mark)).map(|(before, _)| before);
    first.min_by_key(|before| before.len()).is_some_and(|before| before.trim().is_empty())
}

fn last_line(said: &str) -> String {
    brief(said.lines().last().unwrap_or_default())
}

fn bad_words(exit: &BadExit, ran: &Ran) -> String {
    match exit {
        BadExit::TimeLimit { limit } => format!("it had not ended after {} s", limit.as_secs_f64()),
        BadExit::Code(_)
        | BadExit::OutOfMemory { .. }
        | BadExit::SizeLimit { .. }
        | BadExit::DiskReserve { .. }
        | BadExit::Cancelled
        | BadExit::CouldNotStart(_) => ran.message(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_alone_is_told_from_a_sentence_with_one() {
        assert!(is_trace("Traceback (most recent call last):\n  File \"a.py\"\nKeyError: 'x'"));
        assert!(is_trace("\nException in thread \"main\" java.lang.X\n    at A.b(A.java)"));
        assert!(!is_trace("the parameter x is missing\nTraceback (most recent call last):\nKeyError: 'x'"));
        assert!(!is_trace("Error in f(): the parameter x is missing"));
    }
}
