//! What a commit holds, read from its objects. Blocking; no file is checked out.

use std::io::{self, BufRead, BufReader, Read, Take, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::command::leash;
use crate::image::build::context::{ContextError, Entry, Kind};

/// A repository of our own that holds what was fetched.
#[derive(Debug, Clone)]
pub(in crate::image::build) struct Objects {
    pub(in crate::image::build) folder: PathBuf,
    /// As in [`super::GitOptions`].
    pub(in crate::image::build) environment: Vec<(String, String)>,
}

/// Lists the files of a commit below `folder`, by paths that begin there.
///
/// A folder that is a link, a file or absent has no files; a submodule is refused.
pub(in crate::image::build) fn list(
    objects: &Objects,
    commit: &str,
    folder: Option<&str>,
    entries_max: usize,
) -> Result<Vec<Entry>, ContextError> {
    let tree = format!("{commit}:{}", folder.unwrap_or_default());
    let mut command = git(objects, &["ls-tree", "-r", "-z", "-l", "--full-tree", &tree]);
    let mut child = command.spawn().map_err(failed("list"))?;
    let output = child.stdout.take().ok_or_else(|| broken("git gave no list"))?;
    let listed = read_list(BufReader::new(output), entries_max);
    if listed.is_err() {
        child.kill().ok();
    }
    let status = child.wait().map_err(failed("list"))?;
    let entries = listed?;
    if !status.success() {
        return Err(ContextError::FolderMissing { folder: folder.unwrap_or(".").to_owned() });
    }
    Ok(entries)
}

fn read_list(mut output: impl BufRead, entries_max: usize) -> Result<Vec<Entry>, ContextError> {
    let (mut entries, mut record) = (Vec::new(), Vec::new());
    loop {
        record.clear();
        output.read_until(0, &mut record).map_err(failed("list"))?;
        if record.pop().is_none() {
            return Ok(entries);
        }
        if entries.len() == entries_max {
            return Err(ContextError::TooMany { limit: entries_max });
        }
        entries.push(entry(&record)?);
    }
}

/// `<mode> <type> <id> <size, padded>\t<path>`.
fn entry(record: &[u8]) -> Result<Entry, ContextError> {
    let odd = || broken("git gave a list of another form");
    let tab = record.iter().position(|byte| *byte == b'\t').ok_or_else(odd)?;
    let (head, path) = record.split_at(tab);
    let path = path.get(1..).unwrap_or_default().to_vec();
    let head = str::from_utf8(head).map_err(|_not_utf8| odd())?;
    let words: Vec<&str> = head.split_ascii_whitespace().collect();
    let &[mode, _kind, id, size] = words.as_slice() else {
        return Err(odd());
    };
    let kind = match mode {
        "100644" | "100664" => Kind::File { is_executable: false },
        "100755" => Kind::File { is_executable: true },
        "120000" => Kind::Link,
        "160000" => {
            return Err(ContextError::Submodule { path: String::from_utf8_lossy(&path).into_owned() });
        }
        _ => return Err(odd()),
    };
    // The engine refuses such paths, too; here they have a name.
    let parts = path.split(|byte| *byte == b'/');
    if parts.clone().any(|part| matches!(part, b"" | b"." | b"..") || part.eq_ignore_ascii_case(b".git")) {
        return Err(ContextError::OddPath { path: String::from_utf8_lossy(&path).into_owned() });
    }
    Ok(Entry { path, kind, size: size.parse().map_err(|_not_a_number| odd())?, id: Some(id.to_owned()) })
}

/// Reads objects one after the other from one process.
#[derive(Debug)]
pub(in crate::image::build) struct ObjectReader {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl ObjectReader {
    pub(in crate::image::build) fn start(objects: &Objects) -> Result<Self, ContextError> {
        let mut command = git(objects, &["cat-file", "--batch"]);
        let mut child = command.stdin(Stdio::piped()).spawn().map_err(failed("read"))?;
        let (Some(questions), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(broken("git has no pipes"));
        };
        Ok(Self { child, questions, answers: BufReader::new(answers) })
    }

    /// Lets `take` read the object's bytes. What it leaves is read over.
    pub(in crate::image::build) fn with<T>(
        &mut self,
        id: &str,
        take: impl FnOnce(&mut dyn Read) -> io::Result<T>,
    ) -> io::Result<T> {
        self.questions.write_all(format!("{id}\n").as_bytes())?;
        self.questions.flush()?;
        let mut head = String::new();
        (&mut self.answers).take(256).read_line(&mut head)?;
        let size = head.trim_end().rsplit(' ').next().and_then(|size| size.parse().ok());
        let size: u64 = size.ok_or_else(|| io::Error::other(format!("git has no object {id}")))?;
        let mut object: Take<_> = (&mut self.answers).take(size);
        let taken = take(&mut object)?;
        io::copy(&mut object, &mut io::sink())?;
        let mut line_end = [0];
        self.answers.read_exact(&mut line_end)?;
        Ok(taken)
    }
}

impl Drop for ObjectReader {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn git(objects: &Objects, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.args(["-c", "core.hooksPath=/dev/null"]).args(arguments);
    leash(&mut command, &objects.folder, &objects.environment);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

fn failed(action: &'static str) -> impl Fn(io::Error) -> ContextError {
    move |source| ContextError::Io { action, path: "the commit".into(), source }
}

fn broken(words: &'static str) -> ContextError {
    failed("read")(io::Error::other(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_becomes_entries() {
        let list = b"100755 blob abc       7\tbin/x y\x00120000 blob def       1\tlink\0";
        let expected = [
            Entry {
                path: b"bin/x y".to_vec(),
                kind: Kind::File { is_executable: true },
                size: 7,
                id: Some("abc".into()),
            },
            Entry { path: b"link".to_vec(), kind: Kind::Link, size: 1, id: Some("def".into()) },
        ];
        assert_eq!(read_list(&list[..], 2).unwrap(), expected);
        assert!(matches!(read_list(&list[..], 1), Err(ContextError::TooMany { limit: 1 })));
    }

    #[test]
    fn submodules_and_paths_that_lead_out_are_refused() {
        let refused = |record: &str| entry(record.as_bytes()).unwrap_err().to_string();
        assert!(refused("160000 commit abc       -\tvendor/x").contains("submodule vendor/x"));
        for path in ["../x", "a/../x", "a//x", "./x", ".git/config", "a/.GIT/hooks/x"] {
            assert!(refused(&format!("100644 blob abc       1\t{path}")).contains("odd path"), "{path}");
        }
    }
}
