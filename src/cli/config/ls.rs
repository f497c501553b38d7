use super::view::ConfigurationView;
use crate::cli::exit::Trouble;
use crate::cli::home::Home;
use crate::cli::print::{Printer, cut, grid};

const NOTE_WIDTH_MAX: usize = 60;

pub(super) async fn act(home: &Home, printer: Printer) -> Result<(), Trouble> {
    let stored = home.catalog.configurations().await?;
    let views: Vec<_> = stored.iter().map(ConfigurationView::of).collect();
    printer.report(&views, || {
        let row = |view: &ConfigurationView| {
            let note = cut(view.note.as_deref().unwrap_or_default(), NOTE_WIDTH_MAX);
            let version = view.version.to_string();
            vec![view.component.clone(), view.id.clone(), version, view.created.clone(), note]
        };
        let rows: Vec<_> = views.iter().map(row).collect();
        let head = ["COMPONENT", "CONFIGURATION", "VERSION", "CHANGED", "NOTE"];
        grid(&head, &[false, false, true], &rows)
    })
}
