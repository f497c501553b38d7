//! One call of git that can do nothing but what it was asked.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use super::error::sort;
use super::{GitCredential, GitError, GitOptions};
use crate::component::{GitAddress, GitScheme};
use crate::events::Redactor;

/// More than this of what git says is not read: refs asked for by name are few.
const SAID_BYTES_MAX: u64 = 256 << 10;

/// Where programs lie, when the environment does not say.
const PATH_DEFAULT: &str = "/usr/local/bin:/usr/bin:/bin";

/// Gives the credential that two variables of git's own environment hold, and only for the address it is set for: the
/// token is in no argument, no file, and never goes to where a server sends us.
const CREDENTIAL_HELPER: &str = "!f() { test \"$1\" = get && printf 'username=%s\\npassword=%s\\n' \
                                 \"$LONGSHORE_GIT_USERNAME\" \"$LONGSHORE_GIT_TOKEN\"; }; f";

/// Files of git's own stay below a limit that the kernel holds; packs are files. It cannot be raised: a lower one stays.
const WITH_FILE_LIMIT: &str = "ulimit -f \"$1\" 2>/dev/null; shift; exec git \"$@\"";

/// Git for one repository, in one folder.
#[derive(Debug)]
pub(in crate::image::build) struct Git<'a> {
    pub(super) options: &'a GitOptions,
    pub(super) address: &'a GitAddress,
    /// Private to this build.
    pub(super) folder: &'a Path,
}

/// The whole process group is killed when nobody waits any more: helpers of git's would go on without it.
#[derive(Debug)]
struct Leashed(Child);

impl Drop for Leashed {
    fn drop(&mut self) {
        // `None` once it was waited for: then the id may be another's.
        let id = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(id) = id {
            kill_process_group(id, Signal::KILL).ok();
        }
    }
}

impl<'a> Git<'a> {
    pub(in crate::image::build) fn new(
        options: &'a GitOptions,
        address: &'a GitAddress,
        folder: &'a Path,
    ) -> Result<Self, GitError> {
        if address.scheme() == GitScheme::File && !options.allow_file {
            return Err(GitError::FilesForbidden { repository: address.to_string() });
        }
        Ok(Self { options, address, folder })
    }

    /// Runs git to its end; gives what it said on stdout.
    pub(super) async fn run(&self, arguments: &[&str], limit: Duration) -> Result<String, GitError> {
        let repository = || self.address.to_string();
        let spawned = self.command(arguments).spawn().map_err(|source| self.not_started(source))?;
        let mut leashed = Leashed(spawned);
        let Ok(ended) = tokio::time::timeout(limit, listen(&mut leashed.0)).await else {
            return Err(GitError::Silent { repository: repository(), after: limit });
        };
        let failed = |source| GitError::Io { action: "listen to git for", path: repository().into(), source };
        let (status, stdout, stderr) = ended.map_err(failed)?;
        if status.success() {
            return Ok(stdout);
        }
        // A server knows the token and may say it.
        let token = self.credential().and_then(|credential| credential.token.as_ref());
        let said = Redactor::new(token.map(crate::job::Hidden::reveal)).mask(&stderr);
        Err(sort(&repository(), &said, self.options.size_max_bytes))
    }

    fn credential(&self) -> Option<&GitCredential> {
        self.options.credential(self.address)
    }

    fn not_started(&self, source: io::Error) -> GitError {
        if source.kind() == io::ErrorKind::NotFound {
            return GitError::NotInstalled { repository: self.address.to_string() };
        }
        GitError::Io { action: "start git in", path: self.folder.to_owned(), source }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        // Blocks of 512 bytes, as POSIX has it.
        let blocks = self.options.size_max_bytes.div_ceil(512);
        let mut command = Command::new("/bin/sh");
        command.args(["-c", WITH_FILE_LIMIT, "git", &blocks.to_string()]).args(arguments);
        leash(command.as_std_mut(), self.folder, &self.options.environment);
        command.env("GIT_ALLOW_PROTOCOL", self.address.scheme().as_str());
        for (index, (key, value)) in self.configuration().into_iter().enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{index}"), key);
            command.env(format!("GIT_CONFIG_VALUE_{index}"), value);
            command.env("GIT_CONFIG_COUNT", (index + 1).to_string());
        }
        if let Some(GitCredential { username, token: Some(token), .. }) = self.credential() {
            command.env("LONGSHORE_GIT_USERNAME", username).env("LONGSHORE_GIT_TOKEN", token.reveal());
        }
        command.env("GIT_SSH_COMMAND", ssh_command(self.credential()));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own: to be killed as one, and deaf to the terminal's Ctrl-C, which we answer.
        command.process_group(0).kill_on_drop(true);
        command
    }

    /// All the configuration git has.
    fn configuration(&self) -> Vec<(String, String)> {
        let mut all: Vec<(String, String)> = [
            ("core.hooksPath", "/dev/null"),
            ("core.fsmonitor", "false"),
            ("credential.helper", ""),
            ("submodule.recurse", "false"),
            ("fetch.recurseSubmodules", "false"),
            ("gc.auto", "0"),
            ("maintenance.auto", "false"),
            ("http.lowSpeedLimit", "1000"),
            ("http.lowSpeedTime", "30"),
            // A bare repository belongs to whom it belongs; the settings allowed it.
            ("safe.directory", "*"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
        if let Some(credential) = self.credential() {
            let site = format!("{}://{}", self.address.scheme().as_str(), credential.host);
            if credential.token.is_some() {
                all.push((format!("credential.{site}.helper"), CREDENTIAL_HELPER.to_owned()));
            }
            if let Some(file) = &credential.ca_file {
                all.push((format!("http.{site}/.sslCAInfo"), file.display().to_string()));
            }
        }
        all
    }
}

/// Takes everything from a call of git that could make it do something else.
pub(super) fn leash(command: &mut std::process::Command, folder: &Path, environment: &[(String, String)]) {
    command.current_dir(folder).env_clear().env("PATH", PATH_DEFAULT);
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command.envs(FIXED_ENVIRONMENT).env("HOME", folder).env("XDG_CONFIG_HOME", folder);
}

/// No configuration of person or system, no questions, no other language, no replaced objects, no fetching of what lacks.
const FIXED_ENVIRONMENT: [(&str, &str); 9] = [
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_CONFIG_SYSTEM", "/dev/null"),
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_NO_REPLACE_OBJECTS", "1"),
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_ADVICE", "0"),
    ("LC_ALL", "C"),
];

/// No agent, no key but the one that is set, no host that is not known.
fn ssh_command(credential: Option<&GitCredential>) -> String {
    let mut words = vec![
        "ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes -o IdentityAgent=none \
         -o ClearAllForwardings=yes -o PermitLocalCommand=no -o ConnectTimeout=20"
            .to_owned(),
    ];
    let key = credential.and_then(|credential| credential.ssh_key_file.as_deref());
    words.push(format!("-o {}", quoted("IdentityFile", key.unwrap_or(Path::new("/dev/null")))));
    let known = credential.and_then(|credential| credential.known_hosts_file.as_deref());
    words.push(format!("-o {}", quoted("UserKnownHostsFile", known.unwrap_or(Path::new("/dev/null")))));
    words.join(" ")
}

/// `'Option="path"'`: in quotes for the shell and in others for ssh, which also has a meaning for `%`.
fn quoted(option: &str, path: &Path) -> String {
    let path = path.display().to_string().replace('%', "%%").replace('\'', "'\\''");
    format!("'{option}=\"{path}\"'")
}

async fn listen(child: &mut Child) -> io::Result<(ExitStatus, String, String)> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (stdout, stderr) = tokio::try_join!(read(stdout), read(stderr))?;
    Ok((child.wait().await?, stdout, stderr))
}

/// What was said, as far as it is kept; the rest is read all the same, so that nobody waits for us.
async fn read(pipe: Option<impl AsyncRead + Unpin>) -> io::Result<String> {
    let Some(mut pipe) = pipe else {
        return Ok(String::new());
    };
    let mut said = Vec::new();
    (&mut pipe).take(SAID_BYTES_MAX).read_to_end(&mut said).await?;
    tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await?;
    Ok(String::from_utf8_lossy(&said).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssh_knows_one_key_and_no_stranger() {
        let credential = GitCredential {
            host: "example.com".into(),
            username: "git".into(),
            token: None,
            ssh_key_file: Some("/keys/it's 100%".into()),
            known_hosts_file: Some("/keys/known".into()),
            ca_file: None,
        };
        let command = ssh_command(Some(&credential));
        assert!(command.contains("-o StrictHostKeyChecking=yes -o IdentitiesOnly=yes"), "{command}");
        assert!(command.contains("-o 'IdentityFile=\"/keys/it'\\''s 100%%\"'"), "{command}");
        assert!(command.contains("-o 'UserKnownHostsFile=\"/keys/known\"'"), "{command}");
        assert!(ssh_command(None).contains("-o 'IdentityFile=\"/dev/null\"'"));
    }
}
