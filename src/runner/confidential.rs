//! What a job does for its secrets: opens them when it is resolved, seals what its state remembers, and looks for them in
//! what the component leaves.

use serde_json::Value;
use tokio::task::block_in_place;

use super::record::Record;
use super::unit::UnitRun;
use super::{Job, Order, Runner, resolve};
use crate::catalog::{CatalogError, UnitEnd};
use crate::component::{Complaint, Component};
use crate::configuration::{Configuration, SecretCheck, Unit, spec_secret_complaints};
use crate::events::{Level, Redactor};
use crate::failure::{self, Stop};
use crate::job::{ConfigurationId, FailureCode};
use crate::mapping::{self, DataFolder, Leak, LeakPlace, State};
use crate::result::{LeakPart, ResultDocument};
use crate::secret::{self, Binding, KeyError, Keys, LeakPolicy, PlainPolicy, SealError, SecretRules};

/// Shorter secrets are likelier to be met by chance than to be leaked: a name, a region, a number.
const LEAK_LENGTH_MIN: usize = 8;

/// What a component may keep under `#` keys of its state, in values and bytes. Each is sealed on its own, and all are
/// masked in the next run in every encoding: without a limit a state could take a worker's time and memory.
const STATE_SECRETS_MAX: usize = 1000;
const STATE_SECRET_BYTES_MAX: usize = 256 << 10;
/// What all that is to be masked in one run may come to, with its state: what masks takes some five hundred times as much
/// memory, and it is the worker's.
const SECRETS_MAX: usize = 4000;
const SECRET_BYTES_MAX: usize = 512 << 10;
/// Any number of outputs may hold a secret; nobody reads about more than these.
const LEAKS_TOLD_MAX: usize = 50;

impl Order {
    /// Where this order's sealed values may stand.
    pub(super) fn binding(&self) -> Binding<'_> {
        Binding { component: &self.request.component, configuration: self.request.configuration.as_ref() }
    }
}

/// Opens the secrets of all units, those of their states included, and says what is wrong with any.
pub(super) async fn open(
    runner: &Runner,
    order: &Order,
    units: &mut [Unit],
) -> Result<Vec<Complaint>, CatalogError> {
    let keys = match runner.secrets.keyring.keys().await {
        Ok(keys) => keys,
        Err(error) => return Ok(vec![of_key(&error)]),
    };
    let mut too_many = Vec::new();
    for unit in units.iter_mut() {
        unit.open_secrets(order.binding(), &keys);
        if let Some(key) = resolve::state_key(order, unit)
            && let Some(text) = runner.catalog.state(&key).await?
            // What is wrong with it is said when the unit is planned.
            && let Ok(mut state) = State::parse(&text)
        {
            block_in_place(|| secret::open_values(&mut state.component, order.binding(), &keys));
            unit.add_secrets(&state.component);
        }
        too_many.extend(of_too_many(unit, order.configuration.file()));
    }
    let (component, id) = (&order.component, order.request.configuration.as_ref());
    let mut complaints = with_keys(component, &order.configuration, id, runner.secrets.plain, &keys);
    complaints.extend(too_many);
    Ok(complaints)
}

/// Takes the secrets of a unit that has too many of them: it will not run, so nobody can say any.
fn of_too_many(unit: &mut Unit, file: &str) -> Option<Complaint> {
    let (count, bytes) = (unit.secrets.len(), unit.secrets.iter().map(String::len).sum::<usize>());
    if count <= SECRETS_MAX && bytes <= SECRET_BYTES_MAX {
        return None;
    }
    unit.forget_secrets();
    Some(Complaint {
        file: file.to_owned(),
        line: None,
        column: None,
        path: unit.path_prefix.trim_end_matches('.').to_owned(),
        message: format!(
            "{count} values of {bytes} bytes would have to be masked, which stand under `#` keys of configuration, spec and state: at most {SECRETS_MAX} of {SECRET_BYTES_MAX} bytes may"
        ),
        hint: Some("keep what is no secret under other keys, and a long document in a file".to_owned()),
    })
}

/// What is wrong with the secrets of a configuration and of its component's spec.
pub(super) async fn complaints(
    component: &Component,
    configuration: &Configuration,
    id: Option<&ConfigurationId>,
    rules: &SecretRules,
) -> Vec<Complaint> {
    match rules.keyring.keys().await {
        Ok(keys) => with_keys(component, configuration, id, rules.plain, &keys),
        Err(error) => vec![of_key(&error)],
    }
}

fn with_keys(
    component: &Component,
    configuration: &Configuration,
    id: Option<&ConfigurationId>,
    plain: PlainPolicy,
    keys: &Keys,
) -> Vec<Complaint> {
    let check = SecretCheck { component: &component.id, configuration: id, plain, keys: Some(keys) };
    let mut found = configuration.secret_complaints(&check, Some(component));
    found.extend(spec_secret_complaints(component, &check));
    found
}

/// A key that cannot be read, as a complaint: nothing of the configuration is wrong, but nothing of it can run.
pub(super) fn of_key(error: &KeyError) -> Complaint {
    Complaint {
        file: "secrets".to_owned(),
        line: None,
        column: None,
        path: String::new(),
        message: crate::failure::chain(error),
        hint: None,
    }
}

/// Opens the state that a component is to be given.
pub(super) async fn open_state(runner: &Runner, order: &Order, state: &mut State) -> Result<(), Stop> {
    let keys = runner.secrets.keyring.keys().await.map_err(|error| Stop::complaints(&[of_key(&error)]))?;
    let refused = block_in_place(|| secret::open_values(&mut state.component, order.binding(), &keys));
    let component = &order.request.component;
    let complaint = |(path, error): (String, secret::OpenError)| Complaint {
        file: format!("the state of {component}"),
        line: None,
        column: None,
        path,
        message: error.to_string(),
        hint: Some(error.remedy(component.as_str())),
    };
    let complaints: Vec<Complaint> = refused.into_iter().map(complaint).collect();
    if complaints.is_empty() { Ok(()) } else { Err(Stop::complaints(&complaints)) }
}

/// What an earlier attempt has found in the outputs of units that are not run again. An attempt that is gone on with has it
/// in its document.
pub(super) async fn recall_leaks(
    job: &Job<'_>,
    ended: &[UnitEnd],
    record: &mut Record<'_>,
) -> Result<(), CatalogError> {
    if record.is_resumed {
        return Ok(());
    }
    let kept = job.runner.catalog.job(job.order.job).await?.and_then(|row| row.result);
    // A document of another version of this program may not be readable: then its notices among the events remain.
    let document = kept.and_then(|text| serde_json::from_str::<ResultDocument>(&text).ok());
    for leak in document.map(|document| document.leaks).unwrap_or_default() {
        if ended.iter().any(|end| end.unit == leak.unit) {
            record.document.note(leak.found.clone());
            record.document.leaks.push(leak);
        }
    }
    Ok(())
}

impl UnitRun<'_> {
    /// Seals what the component remembers under `#` keys: nothing of it reaches the catalog in plain text.
    pub(super) async fn seal_state(&self, component: &mut Value) -> Result<(), Stop> {
        let (count, bytes) = secret::weigh_values(component);
        if count > STATE_SECRETS_MAX || bytes > STATE_SECRET_BYTES_MAX {
            return Err(Stop::users(
                FailureCode::OutputInvalid,
                format!(
                    "out/state.json keeps {count} values of {bytes} bytes under `#` keys: at most {STATE_SECRETS_MAX} of \
                     {STATE_SECRET_BYTES_MAX} bytes together may be secret there; keep the rest under other keys or in a file"
                ),
            ));
        }
        // It was given plain values. One that nobody here can open would stop every later run.
        if let Some(path) = secret::sealed_values(component).first() {
            let message = format!(
                "out/state.json: {path} is encrypted: write the value itself, it is encrypted when it is stored"
            );
            return Err(Stop::users(FailureCode::OutputInvalid, message));
        }
        if secret::plain_values(component).is_empty() {
            return Ok(());
        }
        let sealed = match self.job.runner.secrets.keyring.keys_to_seal().await {
            // A thousand of them take a moment of the processor.
            Ok(keys) if keys.can_open() => {
                block_in_place(|| secret::seal_values(component, self.job.order.binding(), &keys))
            }
            Ok(_) => Err(SealError::NoKey),
            Err(error) => Err(error.into()),
        };
        sealed.map(drop).map_err(|error| {
            Stop::users(
                FailureCode::ConfigurationInvalid,
                format!(
                    "the component keeps secrets in its state, which cannot be encrypted: {}; set `secrets.identity_file` to the file that `longshore secret keygen` wrote",
                    crate::failure::chain(&error)
                ),
            )
        })
    }

    /// Looks for the job's secrets in what is about to be published, and says or forbids what it finds.
    pub(super) async fn look_for_leaks(
        &self,
        folder: &DataFolder,
        state: &Value,
        record: &mut Record<'_>,
    ) -> Result<(), Stop> {
        let policy = self.job.runner.secrets.in_outputs;
        if policy == LeakPolicy::Ignore {
            return Ok(());
        }
        let leaks = mapping::find_leaks((folder, self.unit.output.limits), state, &self.seeker()).await?;
        // A worker that died after it had looked, and before it published, has noted the same.
        let unit = self.place();
        record.document.leaks.retain(|leak| leak.unit != unit);
        if leaks.is_empty() {
            return Ok(());
        }
        let mut sentences: Vec<String> = leaks.iter().take(LEAKS_TOLD_MAX).map(words).collect();
        let more = leaks.len().saturating_sub(LEAKS_TOLD_MAX);
        if more > 0 {
            sentences.push(format!("{more} more outputs hold a secret of the configuration"));
        }
        if let Some(examiner) = &self.job.runner.examiner {
            examiner.note_leaks(&sentences);
        }
        if policy == LeakPolicy::Block {
            return Err(blocked(&sentences));
        }
        record.hide_names(self.seeker());
        for sentence in sentences {
            self.job.scribe.say(Level::Warning, &sentence, self.job.news).await;
            record.document.note(sentence.clone());
            record.document.leaks.push(LeakPart { unit, found: sentence });
        }
        // Before the outputs are there to be read: whoever goes on with this job must know what lies in them.
        if record.keep().await? { Ok(()) } else { Err(failure::fence_lost()) }
    }

    /// Whether what a unit left may be kept for somebody to look at: where outputs with secrets are blocked, none of
    /// them is kept either.
    pub(super) async fn may_be_kept(&self, folder: &DataFolder) -> bool {
        if self.job.runner.secrets.in_outputs != LeakPolicy::Block {
            return true;
        }
        let found =
            mapping::find_leaks((folder, self.unit.output.limits), &Value::Null, &self.seeker()).await;
        found.is_ok_and(|leaks| leaks.is_empty())
    }

    fn seeker(&self) -> Redactor {
        let secrets = self.unit.secrets.iter().filter(|secret| secret.len() >= LEAK_LENGTH_MIN);
        Redactor::new(secrets.map(String::as_str))
    }
}

fn words(leak: &Leak) -> String {
    let path = &leak.path;
    match leak.place {
        LeakPlace::Line(line) => format!("{path} holds a secret of the configuration, first on line {line}"),
        LeakPlace::Name => format!("{path} has a secret of the configuration in its name"),
        LeakPlace::State => format!("{path} holds a secret of the configuration outside of `#` keys"),
    }
}

fn blocked(sentences: &[String]) -> Stop {
    let why = "nothing was published or kept, as `secrets.in_outputs: block` has it";
    Stop::users(FailureCode::SecretInOutput, format!("{}\n{why}", sentences.join("\n")))
}
