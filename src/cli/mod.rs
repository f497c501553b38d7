//! The command line: one verb, one file. Parses, opens the project, calls the rooms, prints.

mod component;
mod exit;
mod file;
mod gc;
mod home;
mod image;
mod job;
mod print;
mod progress;
mod run;
mod table;
mod turn;
mod view;

use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand};

use exit::{ExitStatus, Trouble};
use home::Home;
use print::{Format, Printer};

use crate::settings::{Settings, SettingsError, process_environment};

/// Where the help lists what every verb takes.
const EVERYWHERE: &str = "Options of every verb";

/// Runs data components in containers, between two table mappings.
///
/// Exit codes: 0 success, 1 user error, 2 wrong usage, 3 component error, 4 platform error, 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "longshore", version, max_term_width = 110)]
struct Arguments {
    /// Project folder (where `longshore.yaml` and `.longshore/` are); default: found upwards from here
    #[arg(long, global = true, value_name = "DIR", help_heading = EVERYWHERE)]
    project: Option<PathBuf>,
    /// How reports are printed to stdout
    #[arg(long, global = true, value_enum, default_value_t, help_heading = EVERYWHERE)]
    format: Format,
    /// Say only what failed
    #[arg(long, short, global = true, help_heading = EVERYWHERE)]
    quiet: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run a component once with a configuration
    Run(run::Arguments),
    /// Tables: list, look, import, export, compare
    #[command(subcommand)]
    Table(table::Verb),
    /// Files: list, put, get, remove
    #[command(subcommand)]
    File(file::Verb),
    /// Jobs: list, show, read the log
    #[command(subcommand)]
    Job(job::Verb),
    /// Components: list, check
    #[command(subcommand)]
    Component(component::Verb),
    /// Images of components: list, look, clean up
    #[command(subcommand)]
    Image(image::Verb),
    /// Remove what no version, file or job needs any more
    Gc(gc::Arguments),
    /// Print a completion script for a shell
    ///
    /// bash: source <(longshore completions bash); zsh: write it as `_longshore` into a folder of $fpath; fish: write
    /// it to ~/.config/fish/completions/longshore.fish
    Completions {
        /// Whose script
        shell: clap_complete::Shell,
    },
}

/// Runs the command line to its end.
pub fn main() -> std::process::ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are data, mistakes are for people; clap knows which. A closed pipe is no failure.
            drop(error.print());
            let status = if error.use_stderr() { ExitStatus::Usage } else { ExitStatus::Success };
            return status.into();
        }
    };
    let has_colour = process_environment("NO_COLOR").is_none_or(|value| value.is_empty());
    let printer = Printer::new(arguments.format, arguments.quiet, has_colour);
    start_tracing(printer);
    let ended = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime.block_on(Box::pin(act(arguments, printer))),
        Err(error) => Err(Trouble::platform(&error)),
    };
    match ended {
        Ok(status) => status.into(),
        Err(trouble) => {
            printer.trouble(&trouble);
            trouble.status.into()
        }
    }
}

async fn act(arguments: Arguments, printer: Printer) -> Result<ExitStatus, Trouble> {
    if let Verb::Completions { shell } = arguments.verb {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Arguments::command(), "longshore", &mut script);
        printer.data(&script)?;
        return Ok(ExitStatus::Success);
    }
    let here = std::env::current_dir().map_err(|error| Trouble::platform(&error))?;
    // The engine takes absolute paths only, and everything of a project lies below this one.
    let project = arguments.project.map(|project| here.join(project));
    let settings = Settings::load(&here, project.as_deref(), process_environment)
        .map_err(|error| settings_trouble(&error))?;
    if let Verb::Component(verb) = arguments.verb {
        return component::act(verb, &settings, printer);
    }
    let home = Box::pin(Home::open(settings, printer)).await?;
    let status = match arguments.verb {
        Verb::Run(arguments) => Box::pin(run::act(arguments, &home, printer)).await,
        Verb::Table(verb) => table::act(verb, &home, printer).await,
        Verb::File(verb) => file::act(verb, &home, printer).await,
        Verb::Job(verb) => job::act(verb, &home, printer).await,
        Verb::Image(verb) => Box::pin(image::act(verb, &home, printer)).await,
        Verb::Gc(arguments) => gc::act(arguments, &home, printer).await,
        // Both were handled before a project was opened.
        Verb::Component(_) | Verb::Completions { .. } => Ok(ExitStatus::Success),
    };
    home.close().await;
    status
}

fn settings_trouble(error: &SettingsError) -> Trouble {
    let messages = match error {
        SettingsError::Invalid(complaints) => complaints.0.iter().map(ToString::to_string).collect(),
        SettingsError::NoProject { .. } | SettingsError::Unreadable(_) => vec![exit::chain(error)],
    };
    Trouble { status: ExitStatus::User, messages, hint: None }
}

/// `LONGSHORE_LOG=debug` shows what the rooms log; by default only warnings.
fn start_tracing(printer: Printer) {
    let filter = process_environment("LONGSHORE_LOG").unwrap_or_else(|| "warn".to_owned());
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .with_ansi(printer.has_colour)
        // It would tell by `eprintln!` that stderr is closed, and so end the job in the middle.
        .log_internal_errors(false)
        .init();
}
