//! Components: specs (YAML or JSON) become [`Component`]s. Also the reading of documents with all their mistakes.
mod complaint;
pub(crate) mod document;
pub(crate) use complaint::{Complaint, Complaints};
