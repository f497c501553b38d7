//! Removes a folder that a component had in its hands: deep, huge, without permissions. Follows no symlink,
//! uses a constant number of open files and memory however deep and wide the folder is.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, chmodat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

/// Removes `root` with all that is in it. One that is not there is fine.
///
/// Subfolders are not descended into: each is moved up to `root` when its turn comes, so that no path ever gets
/// long and no stack deep.
pub(super) fn remove_tree(root: &Path) -> io::Result<()> {
    let top = match open_folder(CWD, root) {
        Ok(top) => top,
        Err(Errno::NOENT) => return Ok(()),
        Err(errno) => return Err(errno.into()),
    };
    let mut moved = 0_u64;
    loop {
        let mut found = 0_u64;
        for_each_entry(&top, |name, kind| {
            found += 1;
            if kind == FileType::Directory {
                empty_folder(&top, name, &mut moved)?;
                unlinkat(&top, name, AtFlags::REMOVEDIR)?;
            } else {
                unlinkat(&top, name, AtFlags::empty())?;
            }
            Ok(())
        })?;
        if found == 0 {
            break;
        }
    }
    drop(File::from(top));
    std::fs::remove_dir(root)
}

/// Empties one folder of `top`: files are unlinked, folders move up into `top`.
fn empty_folder(top: &OwnedFd, name: &CString, moved: &mut u64) -> Result<(), Errno> {
    let folder = open_folder(top, name.as_c_str())?;
    loop {
        let mut found = 0_u64;
        for_each_entry(&folder, |inner, kind| {
            found += 1;
            if kind != FileType::Directory {
                return unlinkat(&folder, inner, AtFlags::empty());
            }
            match unlinkat(&folder, inner, AtFlags::REMOVEDIR) {
                Err(Errno::NOTEMPTY | Errno::EXIST) => {}
                done => return done,
            }
            match move_up(&folder, inner, top, moved) {
                // Moving a folder rewrites its `..`, which needs write permission on the folder itself.
                Err(Errno::ACCESS) => {
                    chmodat(&folder, inner, Mode::RWXU, AtFlags::empty())?;
                    move_up(&folder, inner, top, moved)
                }
                done => done,
            }
        })?;
        if found == 0 {
            return Ok(());
        }
    }
}

/// Moves a folder into `top` under a name that nothing there has: a removal that was cut off has left such names.
fn move_up(folder: &OwnedFd, inner: &CString, top: &OwnedFd, moved: &mut u64) -> Result<(), Errno> {
    loop {
        *moved += 1;
        match renameat(folder, inner, top, format!(".removed-{moved}").as_str()) {
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {}
            done => return done,
        }
    }
}

/// Opens a folder, giving its owner (us) the permission to do so where a component took it away.
fn open_folder(at: impl AsFd, name: impl rustix::path::Arg + Copy) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // Reading needs `r`, unlinking inside needs `wx`: without all three the folder opens but cannot be emptied.
    let stat = statat(&at, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let all = Mode::RWXU;
    let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
    if is_folder && !Mode::from_raw_mode(stat.st_mode).contains(all) {
        match chmodat(&at, name, all, AtFlags::empty()) {
            // Somebody else's folder: opening it says whether that matters.
            Ok(()) | Err(Errno::PERM) => {}
            Err(errno) => return Err(errno),
        }
    }
    openat(&at, name, flags, Mode::empty())
}

/// Calls `deed` for what one reading of the folder finds, without `.` and `..`.
fn for_each_entry(
    folder: &OwnedFd,
    mut deed: impl FnMut(&CString, FileType) -> Result<(), Errno>,
) -> Result<(), Errno> {
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_owned();
        if matches!(name.as_bytes(), b"." | b"..") {
            continue;
        }
        let mut kind = entry.file_type();
        if kind == FileType::Unknown {
            // Some file systems do not say; ask then.
            kind = FileType::from_raw_mode(statat(folder, &name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode);
        }
        deed(&name, kind)?;
    }
    Ok(())
}
