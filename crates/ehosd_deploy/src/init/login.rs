//! Makes logins of rc files and of entries of clouds.yaml, and gives the clouds their names.
//!
//! Deliberately takes a secret from the environment or from a terminal without echo, never from a command line.

use std::path::Path;
use std::time::Duration;

use ehos_config::{Backend, Problem, load_with};
use ehos_model::{CloudAccess, Domain, Interface, Login as Credentials};
use secrecy::{ExposeSecret as _, SecretString};

use super::rc::{Rc, RcError, Who};
use super::{Around, InitError, Source, before_master};
use crate::init::render::quoted;

/// The longest one call may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A login, as it is used and as it is written.
pub(super) struct Login {
    /// The cloud's name in the configuration.
    pub(super) name: String,
    /// Its name where another one has the same.
    other_name: String,
    /// Where it stands.
    pub(super) origin: String,
    pub(super) access: CloudAccess,
    /// Keys and values of the configuration; secrets among them.
    pub(super) lines: Vec<(&'static str, SecretString)>,
}

impl Login {
    pub(super) fn read(source: &Source, around: &Around<'_>) -> Result<Self, InitError> {
        match source {
            Source::Rc(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| InitError::Read { path: path.clone(), error })?;
                let failed = |error| InitError::Rc { path: path.clone(), error };
                let rc = Rc::parse(&text).map_err(failed)?;
                let who = rc.who().map_err(failed)?;
                let url = rc.get("OS_AUTH_URL").ok_or_else(|| failed(RcError::Lacks("OS_AUTH_URL")))?;
                Self::of_rc(path, &rc, url, who, around)
            }
            Source::CloudsYaml(name) => Self::of_clouds_yaml(name, around),
        }
    }

    fn of_rc(path: &Path, rc: &Rc, url: &str, who: Who, around: &Around<'_>) -> Result<Self, InitError> {
        let origin = path.display().to_string();
        let mut lines = vec![("auth_url", SecretString::from(url))];
        let login = credentials(rc, who, &origin, around, &mut lines)?;
        let project = match &login {
            Credentials::Password { project_name, .. } => project_name.clone(),
            Credentials::ApplicationCredential { .. } => "project".to_owned(),
        };
        let region = rc.get("OS_REGION_NAME").map(str::to_owned);
        lines.extend(region.as_deref().map(|region| ("region_name", region.into())));
        let word = rc.get("OS_INTERFACE").or_else(|| rc.get("OS_ENDPOINT_TYPE")).unwrap_or("public");
        let word = word.trim_end_matches("URL");
        let interface = match word {
            "internal" => Interface::Internal,
            "admin" => Interface::Admin,
            _ => Interface::Public,
        };
        if interface != Interface::Public {
            lines.push(("interface", word.into()));
        }
        // A path means something else in another folder.
        let cacert = rc.get("OS_CACERT").and_then(|path| std::path::absolute(path).ok());
        lines.extend(cacert.as_ref().map(|path| ("cacert", path.display().to_string().into())));
        Ok(Self {
            name: safe(region.as_deref().unwrap_or(&project)),
            other_name: safe(&format!("{}-{project}", region.as_deref().unwrap_or("cloud"))),
            origin,
            access: CloudAccess {
                auth_url: url.to_owned(),
                login,
                region,
                interface,
                cacert,
                insecure: false,
                timeout: TIMEOUT,
            },
            lines,
        })
    }

    /// Lets the loader of the configuration read the entry, so that it means the same now and later.
    fn of_clouds_yaml(entry: &str, around: &Around<'_>) -> Result<Self, InitError> {
        let failed = |why: String| InitError::CloudsYaml { name: entry.to_owned(), why };
        let name = safe(entry);
        let text =
            format!("clouds:\n  {name}:\n    cloud: {}\nehos:\n  flavors: not-yet-chosen\n", quoted(entry));
        let file = tempfile::NamedTempFile::new().map_err(|error| failed(error.to_string()))?;
        std::fs::write(file.path(), text).map_err(|error| failed(error.to_string()))?;
        let loaded = load_with(&[file.path().to_owned()], &before_master(&around.environment));
        let loaded = loaded.map_err(|problems| {
            // Where the entry is not found, all that it would say is reported as missing, too.
            let of_entry = |problem: &&Problem| problem.title.contains("clouds.yaml");
            let about_entry = problems.iter().any(|problem| of_entry(&problem));
            let words = problems.iter().filter(|problem| !about_entry || of_entry(problem)).map(|problem| {
                let parts = std::iter::once(&problem.title).chain(&problem.help).map(String::as_str);
                parts.collect::<Vec<_>>().join(": ")
            });
            failed(words.collect::<Vec<_>>().join("; "))
        })?;
        let backend = loaded.config.clouds.into_iter().next().map(|cloud| cloud.backend);
        let Some(Backend::OpenStack(access)) = backend else {
            return Err(failed("it is no OpenStack".into()));
        };
        let lines = vec![("cloud", SecretString::from(entry.to_owned()))];
        let origin = format!("clouds.yaml:{entry}");
        Ok(Self { other_name: format!("{name}-2"), name, origin, access, lines })
    }
}

/// Completes who logs in, and writes it down.
fn credentials(
    rc: &Rc,
    who: Who,
    origin: &str,
    around: &Around<'_>,
    lines: &mut Vec<(&'static str, SecretString)>,
) -> Result<Credentials, InitError> {
    let mut line = |key: &'static str, value: &str| lines.push((key, value.into()));
    match who {
        Who::ApplicationCredential { id, secret: given } => {
            let question = format!("Secret of the application credential {id} ({origin}): ");
            let secret = secret("OS_APPLICATION_CREDENTIAL_SECRET", given, &question, around)?;
            line("application_credential_id", &id);
            line("application_credential_secret", secret.expose_secret());
            Ok(Credentials::ApplicationCredential { id, secret })
        }
        Who::Password { username, project_name, password } => {
            let question = format!("Password of {username} for the project {project_name} ({origin}): ");
            let password = secret("OS_PASSWORD", password, &question, around)?;
            line("username", &username);
            line("password", password.expose_secret());
            line("project_name", &project_name);
            let mut domain = |id: (&str, &'static str), name: (&str, &'static str)| {
                if let Some(value) = rc.get(id.0) {
                    line(id.1, value);
                    return Domain::Id(value.to_owned());
                }
                let value = rc.get(name.0).unwrap_or("Default");
                line(name.1, value);
                Domain::Name(value.to_owned())
            };
            let project_domain = domain(
                ("OS_PROJECT_DOMAIN_ID", "project_domain_id"),
                ("OS_PROJECT_DOMAIN_NAME", "project_domain_name"),
            );
            let user_domain =
                domain(("OS_USER_DOMAIN_ID", "user_domain_id"), ("OS_USER_DOMAIN_NAME", "user_domain_name"));
            Ok(Credentials::Password { username, password, project_name, project_domain, user_domain })
        }
    }
}

/// Takes a secret from the file, else from the environment, else asks.
fn secret(
    variable: &'static str,
    given: Option<SecretString>,
    question: &str,
    around: &Around<'_>,
) -> Result<SecretString, InitError> {
    if let Some(secret) = given {
        return Ok(secret);
    }
    if let Some(text) = around.environment.variables.get(variable).filter(|text| !text.is_empty()) {
        return Ok(text.as_str().into());
    }
    (around.ask)(question).map_err(|error| InitError::NotAsked { what: variable, error })
}

/// Asks for a secret on the terminal, without echo.
///
/// # Errors
/// Where there is no terminal, or nothing is said.
pub fn ask_on_terminal(question: &str) -> std::io::Result<SecretString> {
    let terminal = console::Term::stderr();
    if !terminal.is_term() {
        return Err(std::io::Error::other("there is no terminal"));
    }
    terminal.write_str(question)?;
    let secret = terminal.read_secure_line()?;
    if secret.is_empty() {
        return Err(std::io::Error::other("nothing was said"));
    }
    Ok(secret.into())
}

/// Makes every name the only one of its kind.
pub(super) fn distinguish(logins: &mut [Login]) {
    let names: Vec<_> = logins.iter().map(|login| login.name.clone()).collect();
    for login in &mut *logins {
        if names.iter().filter(|name| **name == login.name).count() > 1 {
            login.name.clone_from(&login.other_name);
        }
    }
    for at in 1..logins.len() {
        let (before, rest) = logins.split_at_mut(at);
        let Some(login) = rest.first_mut() else { break };
        let base = login.name.clone();
        let mut number = 2;
        while before.iter().any(|other| other.name == login.name) {
            login.name = format!("{base}-{number}");
            number += 1;
        }
    }
}

/// Makes a name of letters, digits and hyphens.
fn safe(text: &str) -> String {
    let letters = text.to_lowercase();
    let parts: Vec<_> =
        letters.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()).collect();
    let name = parts.join("-");
    if name.starts_with(|c: char| c.is_ascii_lowercase()) { name } else { format!("cloud-{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for (text, expected) in
            [("RegionOne", "regionone"), ("GRA 9/a", "gra-9-a"), ("9th", "cloud-9th"), ("--", "cloud-")]
        {
            assert_eq!(safe(text), expected, "{text}");
        }
    }
}
