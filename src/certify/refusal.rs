//! How a component may answer what it cannot work with: success, or exit code 1 and a sentence.

use super::ran::{Ran, brief};
use super::report::Judgement;
use crate::job::BadExit;

/// How the stack traces of common languages begin.
const TRACE_MARKS: [&str; 8] = [
    "Traceback (most recent call last)",
    "Exception in thread ",
    "panic: ",
    "thread 'main' panicked",
    "Execution halted",
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

/// What is wrong with what a run said that ended with exit code 1.
pub(super) fn poor_message(ran: &Ran) -> Option<String> {
    let container =
        ran.containers.iter().find(|container| matches!(container.exit, crate::job::Exit::Bad(_)))?;
    let words = &container.words;
    let said = if words.stderr.trim().is_empty() { &words.stdout } else { &words.stderr };
    if said.trim().is_empty() {
        return Some("it ended with exit code 1 and said nothing".to_owned());
    }
    TRACE_MARKS
        .iter()
        .any(|mark| said.contains(mark))
        .then(|| format!("it ended with exit code 1 and a stack trace: {}", last_line(said)))
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
        | BadExit::Cancelled
        | BadExit::CouldNotStart(_) => ran.message(),
    }
}
