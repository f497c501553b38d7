//! The result document: one job's run as JSON, for people, scripts and reply messages.
//!
//! It grows while the job runs (inputs and image are known long before the end) and lies in the catalog with the job;
//! [`recorded()`] is how whoever asks gets it.

mod recorded;

use std::collections::BTreeMap;

pub(crate) use recorded::{RecordedError, recorded};

use serde::{Deserialize, Serialize};

use crate::egress::{Contact, Contacts, Refusal};
use crate::image::ResolvedImage;
use crate::job::{
    AttemptNumber, Failure, FailureCode, JobId, JobStatus, Outcome, PhaseLedger, Receipt, RunMode, Usage,
};

/// Version of the document's shape; grows when a key changes its meaning or goes away.
const SHAPE_VERSION: u32 = 1;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ResultDocument {
    pub(crate) shape_version: u32,
    pub(crate) job: String,
    pub(crate) attempt: u32,
    pub(crate) mode: String,
    /// A job's status: `processing` until its end.
    pub(crate) status: String,
    pub(crate) message: String,
    pub(crate) error: Option<ErrorPart>,
    pub(crate) component: ComponentPart,
    pub(crate) configuration: ConfigurationPart,
    pub(crate) image: Option<ImagePart>,
    pub(crate) input: InputPart,
    pub(crate) output: OutputPart,
    /// The data folder before and after the container; in debug mode only.
    #[serde(default)]
    pub(crate) archives: Vec<FilePart>,
    /// What a run of it might use, by limit; empty until the job is resolved.
    #[serde(default)]
    pub(crate) limits: BTreeMap<String, LimitPart>,
    pub(crate) phases: Vec<PhasePart>,
    /// `null` until a container has run.
    #[serde(default)]
    pub(crate) isolation: Option<IsolationPart>,
    #[serde(default)]
    pub(crate) network: Option<NetworkPart>,
    pub(crate) usage: UsagePart,
    /// What is known of secrets in outputs. An attempt that comes after must know it too.
    #[serde(default)]
    pub(crate) leaks: Vec<LeakPart>,
    /// What was done differently from what a Keboola configuration asks, and similar remarks.
    pub(crate) notices: Vec<String>,
    pub(crate) created: String,
    pub(crate) ended: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ErrorPart {
    pub(crate) code: String,
    pub(crate) blame: String,
    pub(crate) can_retry: bool,
    /// For the operator.
    pub(crate) detail: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ComponentPart {
    pub(crate) id: String,
    /// SHA-256 of the spec file.
    pub(crate) spec_sha256: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ConfigurationPart {
    pub(crate) id: Option<String>,
    /// SHA-256 of the configuration in canonical JSON.
    pub(crate) sha256: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ImagePart {
    pub(crate) reference: String,
    pub(crate) id: String,
    pub(crate) digest: Option<String>,
    pub(crate) policy: String,
    /// `present`, `pulled`, `stale` or `built`.
    pub(crate) action: String,
}

impl ImagePart {
    pub(crate) fn of(image: &ResolvedImage) -> Self {
        Self {
            reference: image.reference.clone(),
            id: image.id.to_string(),
            digest: image.digest.clone(),
            policy: image.policy.as_str().to_owned(),
            action: image.done.as_str().to_owned(),
        }
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct InputPart {
    pub(crate) tables: Vec<InputTablePart>,
    pub(crate) files: Vec<FilePart>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct InputTablePart {
    pub(crate) id: String,
    pub(crate) version: u64,
    pub(crate) destination: String,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct FilePart {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) bytes: u64,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct OutputPart {
    pub(crate) tables: Vec<OutputTablePart>,
    pub(crate) files: Vec<FilePart>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct OutputTablePart {
    pub(crate) id: String,
    pub(crate) version: u64,
    pub(crate) load: String,
    pub(crate) rows_loaded: u64,
    pub(crate) rows_deleted: u64,
    pub(crate) rows_total: u64,
    pub(crate) bytes_loaded: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PhasePart {
    pub(crate) phase: String,
    pub(crate) milliseconds: f64,
    pub(crate) bytes: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LimitPart {
    pub(crate) value: serde_json::Number,
    /// In words: who set it, and where.
    pub(crate) origin: String,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct UsagePart {
    pub(crate) memory_peak_bytes: Option<u64>,
    #[serde(default)]
    pub(crate) memory_needed_bytes: Option<u64>,
    pub(crate) memory_limit_bytes: u64,
    pub(crate) cpu_seconds: Option<f64>,
    pub(crate) input_bytes: u64,
    pub(crate) input_files: u64,
    pub(crate) output_bytes: u64,
    pub(crate) output_files: u64,
}

/// What kept the component in, and what its spec opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IsolationPart {
    /// `uid:gid` inside; `image`: whom the image says.
    pub(crate) user: String,
    /// Who it is on the host: `same`, `remapped` or `rootless`.
    pub(crate) ids: String,
    pub(crate) capabilities: Vec<String>,
    pub(crate) no_new_privileges: bool,
    pub(crate) read_only_root: bool,
    pub(crate) read_only_inputs: bool,
    /// Every way in which the spec asks for less than the tightest profile there is.
    pub(crate) opt_outs: Vec<String>,
}

/// What the component could reach, and what it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NetworkPart {
    /// `none`, `bridge` or `allow`.
    pub(crate) mode: String,
    /// Whether rules outside the container held it; of `none` that is the engine's doing.
    pub(crate) guarded: bool,
    pub(crate) contacted: Vec<Contact>,
    pub(crate) refused: Vec<Refusal>,
    pub(crate) left_out: u64,
}

/// A secret of the configuration in what was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LeakPart {
    /// Place of the row among those that ran, from 0; 0 without rows.
    pub(crate) unit: u32,
    /// A sentence: where it was found.
    pub(crate) found: String,
}

impl NetworkPart {
    /// Adds what one more container of the job did.
    pub(crate) fn add(&mut self, contacts: Contacts) {
        let mut sum = Contacts {
            contacted: std::mem::take(&mut self.contacted),
            refused: std::mem::take(&mut self.refused),
            left_out: self.left_out,
        };
        sum.add(contacts);
        Contacts { contacted: self.contacted, refused: self.refused, left_out: self.left_out } = sum;
    }
}

impl ResultDocument {
    /// A job that has just begun.
    pub(crate) fn begin(
        job: JobId,
        attempt: AttemptNumber,
        mode: RunMode,
        component: ComponentPart,
        configuration: ConfigurationPart,
    ) -> Self {
        Self {
            shape_version: SHAPE_VERSION,
            job: job.to_string(),
            attempt: attempt.0,
            mode: mode.as_str().to_owned(),
            status: JobStatus::Processing.as_str().to_owned(),
            message: String::new(),
            error: None,
            component,
            configuration,
            image: None,
            input: InputPart::default(),
            output: OutputPart::default(),
            archives: Vec::new(),
            limits: BTreeMap::new(),
            phases: Vec::new(),
            isolation: None,
            network: None,
            usage: UsagePart::default(),
            leaks: Vec::new(),
            notices: Vec::new(),
            created: jiff::Timestamp::now().to_string(),
            ended: None,
        }
    }

    /// The end of the job.
    pub(crate) fn conclude(&mut self, outcome: &Outcome) {
        outcome.status().as_str().clone_into(&mut self.status);
        self.message = message_of(outcome);
        self.ended = Some(jiff::Timestamp::now().to_string());
        self.error = match outcome {
            Outcome::Failed(failure) => Some(ErrorPart::of(failure)),
            Outcome::Succeeded(_)
            | Outcome::Warned { .. }
            | Outcome::Terminated { .. }
            | Outcome::Cancelled => None,
        };
    }

    /// Everything that is published so far, under names as they may be shown.
    pub(crate) fn set_output(&mut self, receipt: &Receipt, shown: impl Fn(&str) -> String) {
        self.output = OutputPart::of(receipt);
        for name in self.output.names_mut() {
            *name = shown(name);
        }
        self.usage.output_bytes = receipt.tables.iter().map(|table| table.bytes_loaded).sum::<u64>()
            + receipt.files.iter().map(|file| file.bytes).sum::<u64>();
        self.usage.output_files = (receipt.tables.len() + receipt.files.len()) as u64;
    }

    pub(crate) fn set_ledger(&mut self, ledger: &PhaseLedger) {
        let part = |entry: &crate::job::PhaseEntry| PhasePart {
            phase: entry.phase.as_str().to_owned(),
            milliseconds: (entry.took.as_secs_f64() * 1e5).round() / 100.0,
            bytes: entry.bytes,
        };
        self.phases = ledger.entries.iter().map(part).collect();
    }

    /// Adds a remark. An attempt that another worker goes on with makes some of them again, and so does each row.
    pub(crate) fn note(&mut self, notice: String) {
        if !self.notices.contains(&notice) {
            self.notices.push(notice);
        }
    }

    /// Usage of several containers (rows): the highest peak, the sum of the rest.
    pub(crate) fn add_usage(&mut self, usage: &Usage) {
        let sum = &mut self.usage;
        sum.memory_peak_bytes = sum.memory_peak_bytes.max(usage.memory_peak_bytes);
        sum.memory_needed_bytes = sum.memory_needed_bytes.max(usage.memory_needed_bytes);
        sum.memory_limit_bytes = sum.memory_limit_bytes.max(usage.memory_limit_bytes);
        if let Some(cpu) = usage.cpu {
            sum.cpu_seconds = Some(sum.cpu_seconds.unwrap_or(0.0) + cpu.as_secs_f64());
        }
        sum.input_bytes += usage.input_bytes;
        sum.input_files += usage.input_files;
    }

    /// The exit code of the command line follows from this alone.
    pub(crate) fn failure_code(&self) -> Option<FailureCode> {
        self.error.as_ref().and_then(|error| FailureCode::parse(&error.code))
    }

    pub(crate) fn to_json(&self) -> String {
        // Strings, numbers and lists only: there is nothing in it that JSON could not hold.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl ErrorPart {
    fn of(failure: &Failure) -> Self {
        Self {
            code: failure.code.as_str().to_owned(),
            blame: failure.code.blame().as_str().to_owned(),
            can_retry: failure.code.is_retryable(),
            detail: failure.detail.clone(),
        }
    }
}

impl OutputPart {
    fn names_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let files = self.files.iter_mut().map(|file| &mut file.name);
        self.tables.iter_mut().map(|table| &mut table.id).chain(files)
    }

    pub(crate) fn of(receipt: &Receipt) -> Self {
        let table = |table: &crate::job::TableReceipt| OutputTablePart {
            id: table.table.to_string(),
            version: table.version.0,
            load: table.load.as_str().to_owned(),
            rows_loaded: table.rows_loaded,
            rows_deleted: table.rows_deleted,
            rows_total: table.rows_total,
            bytes_loaded: table.bytes_loaded,
        };
        let file = |file: &crate::job::FileReceipt| FilePart {
            id: file.id.0,
            name: file.name.clone(),
            bytes: file.bytes,
        };
        Self {
            tables: receipt.tables.iter().map(table).collect(),
            files: receipt.files.iter().map(file).collect(),
        }
    }
}

/// The job's end in one text, for the person who configured it.
pub(crate) fn message_of(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Succeeded(receipt) => published_words(receipt.tables.len(), receipt.files.len()),
        Outcome::Warned { message, .. } => message.clone(),
        Outcome::Failed(failure) => failure.message.clone(),
        Outcome::Terminated { during, receipt } if *receipt == Receipt::default() => {
            format!("stopped on request in phase {}; nothing was published", during.as_str())
        }
        Outcome::Terminated { during, receipt } => {
            let kept = published_words(receipt.tables.len(), receipt.files.len());
            format!("stopped on request in phase {}; {kept} before by earlier rows", during.as_str())
        }
        Outcome::Cancelled => "cancelled before it began".to_owned(),
    }
}

/// A success in words.
pub(crate) fn published_words(tables: usize, files: usize) -> String {
    let some = |count: usize, one: &str| {
        if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
    };
    match (tables, files) {
        (0, 0) => "nothing was published".to_owned(),
        (_, 0) => format!("{} published", some(tables, "table")),
        (0, _) => format!("{} published", some(files, "file")),
        (_, _) => format!("{} and {} published", some(tables, "table"), some(files, "file")),
    }
}
