//! Runs that went over a limit: which one, how far, and who set it.

use std::time::Duration;

use crate::component::{Allotment, LimitKind, bytes_words};
use crate::job::{Scarce, SizeKind};

pub(super) fn out_of_memory(limit_bytes: u64, peak_bytes: Option<u64>, allotment: &Allotment) -> String {
    let peak = peak_bytes.map(|peak| format!(", its peak was {}", bytes_words(peak))).unwrap_or_default();
    let (limit, told) = (bytes_words(limit_bytes), allotment.told(LimitKind::Memory));
    format!("out of memory: the component may use {limit}{peak} ({told})")
}

pub(super) fn too_long(limit: Duration, allotment: &Allotment) -> String {
    let told = allotment.told(LimitKind::Timeout);
    format!("the component ran longer than its limit of {} s ({told})", limit.as_secs_f64())
}

pub(super) fn disk_low(what: Scarce, written: u64, free: u64, reserve: u64) -> String {
    let (free, kept, written) = match what {
        Scarce::Bytes => (
            format!("{} are free", bytes_words(free)),
            format!("{} are to stay free (`disk_reserve` in the settings)", bytes_words(reserve)),
            bytes_words(written),
        ),
        Scarce::Inodes => (
            format!("there is room for {free} more files"),
            format!("room for {reserve} is to stay"),
            format!("{written} files and folders"),
        ),
    };
    format!(
        "the disk is nearly full: {free} and {kept}; the component that filled it, with {written}, was stopped"
    )
}

pub(super) fn too_large(what: SizeKind, limit: u64, found: u64, allotment: &Allotment) -> String {
    let disk = allotment.told(LimitKind::Disk);
    let bytes = (bytes_words(limit), bytes_words(found));
    match what {
        SizeKind::DataFolder => {
            format!("the data folder grew over its limit: {} were added ({disk})", bytes.1)
        }
        SizeKind::DataFile => {
            format!("a file in the data folder grew to its limit of {} ({disk})", bytes.0)
        }
        SizeKind::File => {
            format!("the component tried to make a file of more than {} ({disk})", bytes.0)
        }
        SizeKind::FileBySignal => format!(
            "the component ended with exit code 153: unless that is a code of its own, a process of it tried to make a file of \
             more than {} and got SIGXFSZ ({disk})",
            bytes.0
        ),
        SizeKind::ImageFiles => {
            format!("the component's own file system grew over its limit: {} were written ({disk})", bytes.1)
        }
        SizeKind::DataFileCount => format!(
            "the data folder got more than {limit} files and folders: write fewer, or raise `output_files_max` in the \
             settings"
        ),
        SizeKind::ImageFileCount => format!(
            "the component's own file system got more than {limit} files and folders: write fewer, or raise \
             `output_files_max` in the settings"
        ),
        SizeKind::FolderDepth => format!(
            "folders in the data folder are more than {limit} levels deep: make them flatter, or raise \
             `outputs.depth_max` in the settings"
        ),
        SizeKind::Log => format!(
            "the log grew over its limit of {}: say less, or raise `log_bytes_max` in the settings (found {})",
            bytes.0, bytes.1
        ),
    }
}
