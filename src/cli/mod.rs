//! The command line: one verb, one file. Parses, opens the project, calls the rooms, prints.

mod component;
mod config;
mod db;
mod exit;
mod file;
mod follow;
mod gc;
mod home;
mod image;
mod job;
mod open_files;
mod print;
mod progress;
mod queue;
mod run;
mod sealing;
mod secret;
mod submit;
mod table;
mod turn;
mod view;
mod worker;

use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser, Subcommand};

use exit::{ExitStatus, Trouble};
use home::Home;
use print::{Format, Printer};

use crate::settings::{Settings, SettingsError, Variables, process_environment};
use crate::sweep::Trade;
use crate::telemetry::{self, Log};

/// Where the help lists what every verb takes.
const EVERYWHERE: &str = "Options of every verb";

/// Runs data components in containers, between two table mappings.
///
/// Exit codes: 0 success, 1 user error, 2 wrong usage, 3 component error, 4 platform error, 124 a wait timed out,
/// 130 interrupted.
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
    /// Take jobs and run them until told to leave
    ///
    /// SIGTERM: no more jobs, leave when those under way have ended. Again: stop them, other workers will run them.
    Worker(worker::Arguments),
    /// Submit a job to the workers
    Submit(submit::Arguments),
    /// Stored configurations: put, get, list, versions
    #[command(subcommand)]
    Config(config::Verb),
    /// Tables: list, look, import, export, compare
    #[command(subcommand)]
    Table(table::Verb),
    /// Files: list, put, get, remove
    #[command(subcommand)]
    File(file::Verb),
    /// Jobs: list, show, read the log, wait, cancel, retry
    #[command(subcommand)]
    Job(job::Verb),
    /// Components: list, check, certify
    #[command(subcommand)]
    Component(component::Verb),
    /// The catalog's database: migrate, status
    #[command(subcommand)]
    Db(db::Verb),
    /// The broker: set up, look, dead letters
    #[command(subcommand)]
    Queue(queue::Verb),
    /// Secrets of configurations: make keys, encrypt values, change keys
    #[command(subcommand)]
    Secret(secret::Verb),
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
    let ended = match start_runtime() {
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

/// Threads with room for the story of a job and the deep calls of the object store's client in a build that is not
/// optimised; what is not used is only address space.
fn start_runtime() -> std::io::Result<tokio::runtime::Runtime> {
    const STACK_BYTES: usize = 16 << 20;
    tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK_BYTES).build()
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
    let trade = if matches!(arguments.verb, Verb::Worker(_)) { Trade::Service } else { Trade::Command };
    let settings = load_settings(&here, project.as_deref(), trade, printer)?;
    if let Err(error) = open_files::take_all_that_may_be_had() {
        tracing::warn!(%error, "components that open many connections may leave none for others");
    }
    if let Err(error) = crate::secret::keep_out_of_core_dumps() {
        tracing::warn!(%error, "a core dump of this process may hold secrets");
    }
    if let Verb::Component(verb) = arguments.verb {
        return Box::pin(component::act(verb, settings, printer)).await;
    }
    if let Verb::Db(verb) = arguments.verb {
        return db::act(verb, &settings, printer).await;
    }
    if let Verb::Queue(verb) = arguments.verb {
        return Box::pin(queue::act(verb, &settings, printer)).await;
    }
    if let Verb::Secret(verb) = arguments.verb {
        return Box::pin(secret::act(verb, settings, printer)).await;
    }
    let home = Box::pin(Home::open(settings, trade, printer)).await?;
    let status = match arguments.verb {
        Verb::Run(arguments) => Box::pin(run::act(arguments, &home, printer)).await,
        Verb::Worker(arguments) => Box::pin(worker::act(arguments, &home, printer)).await,
        Verb::Submit(arguments) => Box::pin(submit::act(arguments, &home, printer)).await,
        Verb::Config(verb) => config::act(verb, &home, printer).await,
        Verb::Table(verb) => table::act(verb, &home, printer).await,
        Verb::File(verb) => file::act(verb, &home, printer).await,
        Verb::Job(verb) => job::act(verb, &home, printer).await,
        Verb::Image(verb) => Box::pin(image::act(verb, &home, printer)).await,
        Verb::Gc(arguments) => gc::act(arguments, &home, printer).await,
        // These were handled before a project was opened.
        Verb::Component(_) | Verb::Db(_) | Verb::Queue(_) | Verb::Secret(_) | Verb::Completions { .. } => {
            Ok(ExitStatus::Success)
        }
    };
    home.close().await;
    status
}

/// Reads the settings and begins to log as they say. A variable that is misspelt is told to whoever looks.
fn load_settings(
    here: &Path,
    project: Option<&Path>,
    trade: Trade,
    printer: Printer,
) -> Result<Settings, Trouble> {
    let variables = Variables::default();
    let loaded = Settings::load(here, project, |name| variables.value(name));
    let complaints = variables.complaints();
    if let Ok(settings) = &loaded {
        start_log(settings, trade, printer);
    }
    // A service's stderr is its log. Where the settings are wrong, what is misspelt may be what is missing.
    let is_logged = loaded.is_ok() && trade == Trade::Service;
    for complaint in complaints {
        if is_logged {
            tracing::warn!("{complaint}");
        } else {
            printer.note(&format!("warning: {complaint}"));
        }
    }
    loaded.map_err(|error| settings_trouble(&error))
}

fn settings_trouble(error: &SettingsError) -> Trouble {
    let messages = match error {
        SettingsError::Invalid(complaints) => complaints.0.iter().map(ToString::to_string).collect(),
        SettingsError::NoProject { .. } | SettingsError::Unreadable(_) => vec![exit::chain(error)],
    };
    Trouble { status: ExitStatus::User, messages, hint: None }
}

/// `LONGSHORE_LOG=debug` shows what the rooms log; by default a command logs warnings and a worker what it does.
fn start_log(settings: &Settings, trade: Trade, printer: Printer) {
    let usual = match trade {
        Trade::Command => "warn",
        Trade::Service => "info",
    };
    let filter = process_environment("LONGSHORE_LOG").unwrap_or_else(|| usual.to_owned());
    telemetry::start_log(&Log { format: settings.log_format, filter, has_colour: printer.has_colour });
}
