use super::view::ConfigurationView;
use crate::cli::exit::Trouble;
use crate::cli::home::Home;
use crate::cli::print::{Format, Printer};
use crate::job::{ComponentId, ConfigurationId};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Whose configuration
    component: ComponentId,
    /// Its id in `longshore config ls`
    id: ConfigurationId,
    /// An older version
    #[arg(long, value_name = "N")]
    version: Option<u64>,
}

pub(super) async fn act(arguments: Arguments, home: &Home, printer: Printer) -> Result<(), Trouble> {
    let Arguments { component, id, version } = arguments;
    let Some(stored) = home.catalog.configuration(&component, &id, version).await? else {
        return Err(match version {
            Some(version) => Trouble::user(format!("{component} {id} has no version {version}"))
                .hint(format!("longshore config history {component} {id} lists them")),
            None => super::missing(&component, &id),
        });
    };
    match printer.format {
        Format::Text => printer.data(stored.document.as_bytes()),
        Format::Json => {
            let view = serde_json::to_value(ConfigurationView::of(&stored));
            let mut view = view.map_err(|error| Trouble::platform(&error))?;
            view["document"] = stored.document.into();
            printer.report(&view, String::new)
        }
    }
}
