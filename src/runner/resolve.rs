//! What this run really does, checked against component and catalog before anything is pulled or copied.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::{Order, Runner, confidential};
use crate::catalog::{Catalog, CatalogError, StateKey, TableVersion};
use crate::component::{Complaint, Component};
use crate::configuration::{Configuration, Unit};
use crate::failure::Stop;
use crate::job::{ConfigurationId, TableId};
use crate::mapping::{self, Fetch, FoundFiles, PlanComplaint, State};
use crate::secret::SecretRules;

/// Tables that are about to be imported: taken for what they will be.
pub(crate) type Pretended = HashMap<TableId, TableVersion>;

/// What one unit reads: everything at one snapshot.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) fetches: Vec<Fetch>,
    pub(super) files: Vec<FoundFiles>,
    pub(super) state: State,
}

impl Planned {
    /// How large one staged file may become at most.
    pub(super) fn largest_input_bytes(&self) -> u64 {
        let tables = self.fetches.iter().map(|fetch| fetch.version.bytes);
        let files = self.files.iter().flat_map(|found| found.files.iter().map(|file| file.bytes));
        tables.chain(files).max().unwrap_or(0)
    }
}

/// What an order's own text asks for, before the catalog was looked at.
#[derive(Debug)]
pub(super) struct Asked {
    units: Vec<Unit>,
    complaints: Vec<Complaint>,
    /// About secrets, which count in every attempt: what is not opened cannot be masked.
    about_secrets: Vec<Complaint>,
}

impl Asked {
    /// Everything to be masked in what this job says.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.units.iter().flat_map(|unit| &unit.secrets).map(String::as_str)
    }

    /// For an attempt that was resolved before.
    pub(super) fn into_units(self) -> Result<Vec<Unit>, Stop> {
        if self.about_secrets.is_empty() {
            Ok(self.units)
        } else {
            Err(Stop::complaints(&self.about_secrets))
        }
    }
}

pub(super) async fn ask(runner: &Runner, order: &Order) -> Result<Asked, CatalogError> {
    let id = order.request.configuration.as_ref();
    let (mut units, complaints) = order.configuration.units(&order.component, id, Timestamp::now());
    for unit in &mut units {
        unit.output.sanitize_column_names |= runner.options.sanitize_column_names;
        unit.output.limits = runner.options.outputs;
    }
    let about_secrets = confidential::open(runner, order, &mut units).await?;
    Ok(Asked { units, complaints, about_secrets })
}

/// The units of an order, when nothing speaks against running them.
pub(super) async fn resolve(runner: &Runner, order: &Order, asked: Asked) -> Result<Vec<Unit>, Stop> {
    let Asked { units, mut complaints, about_secrets } = asked;
    add_new(&mut complaints, about_secrets);
    let found = catalog_complaints(&runner.catalog, &order.configuration, &units, &HashMap::new()).await?;
    add_new(&mut complaints, found);
    if complaints.is_empty() { Ok(units) } else { Err(Stop::complaints(&complaints)) }
}

/// All that speaks against running this configuration, from its own text and from the catalog.
pub(crate) async fn complaints(
    catalog: &Catalog,
    component: &Component,
    configuration: &Configuration,
    id: Option<&ConfigurationId>,
    pretended: &Pretended,
    rules: &SecretRules,
) -> Result<Vec<Complaint>, CatalogError> {
    let (units, mut found) = configuration.units(component, id, Timestamp::now());
    add_new(&mut found, confidential::complaints(component, configuration, id, rules).await);
    add_new(&mut found, catalog_complaints(catalog, configuration, &units, pretended).await?);
    found.sort_by_key(|complaint| (complaint.line, complaint.column));
    Ok(found)
}

/// The configuration's own reading and the plan both look at destinations: a place is complained of once.
fn add_new(complaints: &mut Vec<Complaint>, found: Vec<Complaint>) {
    let is_new = |complaint: &Complaint| complaints.iter().all(|known| known.path != complaint.path);
    let new: Vec<Complaint> = found.into_iter().filter(is_new).collect();
    complaints.extend(new);
}

async fn catalog_complaints(
    catalog: &Catalog,
    configuration: &Configuration,
    units: &[Unit],
    pretended: &Pretended,
) -> Result<Vec<Complaint>, CatalogError> {
    let mut complaints = Vec::new();
    // A later row may read what an earlier row makes.
    let mut coming: HashSet<TableId> = HashSet::new();
    for unit in units {
        let (inputs, outputs) = heads(catalog, unit, pretended).await?;
        let (_, found) = mapping::plan_inputs(&unit.input, &inputs, &mapping::InputsSeen::default());
        let missing_but_coming = |complaint: &PlanComplaint| {
            unit.input.tables.iter().any(|table| {
                let entry = format!("storage.input.tables[{}]", table.entry);
                coming.contains(&table.source) && complaint.path.starts_with(&entry)
            })
        };
        complaints.extend(
            found
                .into_iter()
                .filter(|complaint| !missing_but_coming(complaint))
                .map(|complaint| placed(configuration, unit, complaint)),
        );
        let found = mapping::plan_outputs(&unit.output, &outputs);
        complaints.extend(found.into_iter().map(|complaint| placed(configuration, unit, complaint)));
        let (_, found) = mapping::find_files(&unit.input, &mapping::InputsSeen::default(), catalog).await?;
        complaints.extend(found.into_iter().map(|complaint| placed(configuration, unit, complaint)));
        coming.extend(unit.output.tables.iter().filter_map(|table| table.destination.clone()));
    }
    Ok(complaints)
}

/// Plans a unit when its turn has come: inputs at one snapshot, its state as it is now.
pub(super) async fn plan(runner: &Runner, order: &Order, unit: &Unit) -> Result<Planned, Stop> {
    let mut state = match state_key(order, unit) {
        Some(key) => runner.catalog.state(&key).await?.map(|text| State::parse(&text)).transpose()?,
        None => None,
    }
    .unwrap_or_default();
    confidential::open_state(runner, order, &mut state).await?;
    let (inputs, _) = heads(&runner.catalog, unit, &HashMap::new()).await?;
    let (fetches, mut found) = mapping::plan_inputs(&unit.input, &inputs, &state.seen);
    let (files, more) = mapping::find_files(&unit.input, &state.seen, &runner.catalog).await?;
    found.extend(more);
    if found.is_empty() {
        return Ok(Planned { fetches, files, state });
    }
    let complaints: Vec<_> =
        found.into_iter().map(|complaint| placed(&order.configuration, unit, complaint)).collect();
    Err(Stop::complaints(&complaints))
}

/// Whose state this unit has; none without a configuration id.
pub(super) fn state_key(order: &Order, unit: &Unit) -> Option<StateKey> {
    let configuration = order.request.configuration.clone()?;
    Some(StateKey { component: order.request.component.clone(), configuration, row: unit.row.clone() })
}

/// The heads beside the input tables and beside the output tables, all of one snapshot.
async fn heads(
    catalog: &Catalog,
    unit: &Unit,
    pretended: &Pretended,
) -> Result<(Vec<Option<TableVersion>>, Vec<Option<TableVersion>>), CatalogError> {
    let inputs = unit.input.tables.iter().map(|table| Some(table.source.clone()));
    let outputs = unit.output.tables.iter().map(|table| table.destination.clone());
    let asked: Vec<Option<TableId>> = inputs.chain(outputs).collect();
    let named: Vec<TableId> = asked.iter().flatten().cloned().collect();
    let mut found = catalog.snapshot(&named).await?.into_iter();
    let mut heads: Vec<Option<TableVersion>> = Vec::with_capacity(asked.len());
    for table in &asked {
        heads.push(table.as_ref().and_then(|table| {
            let stored = found.next().flatten();
            // An import replaces what is there: the pretended head wins.
            pretended.get(table).cloned().or(stored)
        }));
    }
    let outputs = heads.split_off(unit.input.tables.len());
    Ok((heads, outputs))
}

/// Gives a complaint of the mapping its line and column.
fn placed(configuration: &Configuration, unit: &Unit, complaint: PlanComplaint) -> Complaint {
    let path = format!("{}{}", unit.path_prefix, complaint.path);
    let place = configuration.locate(&path);
    Complaint {
        file: configuration.file().to_owned(),
        line: place.map(|(line, _)| line),
        column: place.map(|(_, column)| column),
        path,
        message: complaint.message,
        hint: None,
    }
}
