//! What is taken of what a component leaves, and how odd it may be.

use crate::component::document::{Fields, Item};
use crate::component::{parse_bytes, read_positive};
use crate::job::OutputLimits;

pub(super) fn read_outputs(item: Option<Item<'_>>, files_max: u64) -> OutputLimits {
    let base = OutputLimits { files_max, ..OutputLimits::default() };
    let Some(mut fields) = item.and_then(|item| item.fields()) else {
        return base;
    };
    let limits = OutputLimits {
        files_max,
        entries_max: read_count(&mut fields, "entries_max", u64::MAX).unwrap_or(base.entries_max),
        name_bytes_max: read_count(&mut fields, "name_bytes_max", OutputLimits::NAME_BYTES_MOST)
            .unwrap_or(base.name_bytes_max),
        manifest_bytes_max: read_bytes(&mut fields, "manifest_bytes_max").unwrap_or(base.manifest_bytes_max),
        sparse_bytes_min: read_bytes(&mut fields, "sparse_bytes_min").unwrap_or(base.sparse_bytes_min),
        depth_max: read_count(&mut fields, "depth_max", OutputLimits::DEPTH_MOST).unwrap_or(base.depth_max),
        table_bytes_max: read_bytes(&mut fields, "table_bytes_max").unwrap_or(base.table_bytes_max),
    };
    fields.finish();
    limits
}

fn read_count(fields: &mut Fields<'_>, key: &'static str, most: u64) -> Option<u64> {
    let item = fields.get(key)?;
    let count = read_positive(&item)?;
    if count > most {
        item.complain(format!("must be at most {most}"));
        return None;
    }
    Some(count)
}

fn read_bytes(fields: &mut Fields<'_>, key: &'static str) -> Option<u64> {
    fields.get(key).and_then(|item| item.amount(parse_bytes))
}
