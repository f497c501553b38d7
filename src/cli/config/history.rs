use super::view::ConfigurationView;
use crate::cli::exit::Trouble;
use crate::cli::home::Home;
use crate::cli::print::{Printer, cut, grid};
use crate::job::{ComponentId, ConfigurationId};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Whose configuration
    component: ComponentId,
    /// Its id in `longshore config ls`
    id: ConfigurationId,
}

const NOTE_WIDTH_MAX: usize = 80;

pub(super) async fn act(arguments: Arguments, home: &Home, printer: Printer) -> Result<(), Trouble> {
    let Arguments { component, id } = arguments;
    let stored = home.catalog.configuration_history(&component, &id).await?;
    if stored.is_empty() {
        return Err(super::missing(&component, &id));
    }
    // As `table history` has it: what one looks for is mostly at the top.
    let views: Vec<_> = stored.iter().rev().map(ConfigurationView::of).collect();
    printer.report(&views, || {
        let row = |view: &ConfigurationView| {
            let note = cut(view.note.as_deref().unwrap_or_default(), NOTE_WIDTH_MAX);
            vec![view.version.to_string(), view.created.clone(), note]
        };
        let rows: Vec<_> = views.iter().map(row).collect();
        grid(&["VERSION", "CREATED", "NOTE"], &[true], &rows)
    })
}
