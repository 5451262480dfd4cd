//! Reads keystone rc files, as Horizon makes them and as people write them.
//!
//! Deliberately runs none of them: what only a shell could say is refused, with its line.

use std::collections::BTreeMap;

use secrecy::SecretString;

/// The variables of an rc file.
#[derive(Default)]
pub struct Rc {
    values: BTreeMap<String, String>,
    /// Variables that the file asks its user for, with `read`.
    asked: Vec<String>,
}

/// What an rc file has to say of a login.
#[derive(Debug)]
pub enum Who {
    /// A user.
    Password {
        /// Its name.
        username: String,
        /// The project's name.
        project_name: String,
        /// The password, where the file holds it.
        password: Option<SecretString>,
    },
    /// An application credential.
    ApplicationCredential {
        /// Its id.
        id: String,
        /// Its secret, where the file holds it.
        secret: Option<SecretString>,
    },
}

/// Why an rc file cannot be used; the file's name is for the caller to add.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RcError {
    /// A value that only a shell could compute.
    #[error("line {line}: the value of {name} is computed by the shell: write it out")]
    Computed {
        /// From 1.
        line: usize,
        /// The variable.
        name: String,
    },
    /// A quote that does not end.
    #[error("line {line}: the quote does not end")]
    OpenQuote {
        /// From 1.
        line: usize,
    },
    /// Keystone's second version.
    #[error(
        "it is for version 2 of the identity API, which is gone since 2017 ({0}): download the one for version 3, in Horizon \
         under API Access"
    )]
    Version2(&'static str),
    /// Another way to log in.
    #[error(
        "OS_AUTH_TYPE is {0}, which EHOS cannot use: make an application credential in Horizon (Identity, Application \
         Credentials) and download its rc file"
    )]
    AuthType(String),
    /// Something is missing.
    #[error("it lacks {0}")]
    Lacks(&'static str),
}

impl Rc {
    /// Reads a file's text.
    ///
    /// # Errors
    /// Where a variable of ours has a value that cannot be understood.
    pub fn parse(text: &str) -> Result<Self, RcError> {
        let mut rc = Self::default();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if let Some(rest) = line.strip_prefix("read ") {
                rc.asked.extend(rest.split_whitespace().last().map(str::to_owned));
                continue;
            }
            let assignment = line.strip_prefix("export ").unwrap_or(line).trim_start();
            let Some((name, value)) = assignment.split_once('=') else { continue };
            if !name.starts_with("OS_") || !name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_') {
                continue;
            }
            if let Some(value) = rc.value(name, value, at + 1)? {
                rc.values.insert(name.to_owned(), value);
            }
        }
        Ok(rc)
    }

    /// Understands a value; `None` where the file asks its user for it.
    fn value(&self, name: &str, raw: &str, line: usize) -> Result<Option<String>, RcError> {
        let computed = || RcError::Computed { line, name: name.to_owned() };
        let mut value = String::new();
        let mut chars = raw.chars().peekable();
        let mut quote = None;
        while let Some(c) = chars.next() {
            match (c, quote) {
                ('\'' | '"', None) => quote = Some(c),
                (c, Some(open)) if c == open => quote = None,
                (c, Some('\'')) => value.push(c),
                ('\\', _) => match chars.next() {
                    Some(next) if quote.is_none() || "\"\\$`".contains(next) => value.push(next),
                    Some(next) => value.extend(['\\', next]),
                    None => return Err(computed()),
                },
                ('`', _) => return Err(computed()),
                ('$', _) => {
                    let mut other = String::new();
                    let braced = chars.next_if_eq(&'{').is_some();
                    while let Some(c) = chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
                        other.push(c);
                    }
                    if braced && chars.next() != Some('}') || other.is_empty() {
                        return Err(computed());
                    }
                    if self.asked.contains(&other) {
                        return Ok(None);
                    }
                    value.push_str(self.values.get(&other).ok_or_else(computed)?);
                }
                (' ' | '\t' | ';' | '#', None) => break,
                (c, _) => value.push(c),
            }
        }
        if quote.is_some() {
            return Err(RcError::OpenQuote { line });
        }
        Ok(Some(value))
    }

    /// Gives a variable that is set and not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Tells who logs in.
    ///
    /// # Errors
    /// Where it is no login of the identity API's version 3, or a part of it is missing.
    pub fn who(&self) -> Result<Who, RcError> {
        let url = self.get("OS_AUTH_URL").ok_or(RcError::Lacks("OS_AUTH_URL"))?;
        if self.get("OS_IDENTITY_API_VERSION").is_some_and(|version| version.starts_with('2')) {
            return Err(RcError::Version2("OS_IDENTITY_API_VERSION is 2"));
        }
        if url.trim_end_matches('/').ends_with("/v2.0") {
            return Err(RcError::Version2("OS_AUTH_URL ends in /v2.0"));
        }
        if self.get("OS_PROJECT_NAME").is_none() && self.get("OS_TENANT_NAME").is_some() {
            return Err(RcError::Version2("it has OS_TENANT_NAME and no OS_PROJECT_NAME"));
        }
        let secret = |name: &str| self.get(name).map(|text| SecretString::from(text.to_owned()));
        let by_application = self.get("OS_APPLICATION_CREDENTIAL_ID");
        match (self.get("OS_AUTH_TYPE"), by_application) {
            (None | Some("v3applicationcredential"), Some(id)) => Ok(Who::ApplicationCredential {
                id: id.to_owned(),
                secret: secret("OS_APPLICATION_CREDENTIAL_SECRET"),
            }),
            (Some("v3applicationcredential"), None) => Err(RcError::Lacks("OS_APPLICATION_CREDENTIAL_ID")),
            (None | Some("password" | "v3password"), _) => Ok(Who::Password {
                username: self.get("OS_USERNAME").ok_or(RcError::Lacks("OS_USERNAME"))?.to_owned(),
                project_name: self
                    .get("OS_PROJECT_NAME")
                    .ok_or(RcError::Lacks("OS_PROJECT_NAME"))?
                    .to_owned(),
                password: secret("OS_PASSWORD"),
            }),
            (Some(other), _) => Err(RcError::AuthType(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    const HORIZON: &str = r#"#!/usr/bin/env bash
# To use an OpenStack cloud you need to authenticate.
export OS_AUTH_URL=https://cloud.test:5000/v3
export OS_PROJECT_ID=0123
export OS_PROJECT_NAME="my project"
export OS_USER_DOMAIN_NAME="Default"
if [ -z "$OS_USER_DOMAIN_NAME" ]; then unset OS_USER_DOMAIN_NAME; fi
export OS_PROJECT_DOMAIN_ID="default"
unset OS_TENANT_NAME
export OS_USERNAME="anna"
echo "Please enter your OpenStack Password for project $OS_PROJECT_NAME as user $OS_USERNAME: "
read -sr OS_PASSWORD_INPUT
export OS_PASSWORD=$OS_PASSWORD_INPUT
export OS_REGION_NAME="bergen"
if [ -z "$OS_REGION_NAME" ]; then unset OS_REGION_NAME; fi
export OS_INTERFACE=public
export OS_IDENTITY_API_VERSION=3
"#;

    #[test]
    fn horizons_file_asks_for_the_password() {
        let rc = Rc::parse(HORIZON).unwrap();
        assert_eq!(rc.get("OS_REGION_NAME"), Some("bergen"));
        let Who::Password { username, project_name, password } = rc.who().unwrap() else { panic!() };
        assert_eq!((username.as_str(), project_name.as_str()), ("anna", "my project"));
        assert!(password.is_none());
    }

    #[test]
    fn values_in_every_spelling() {
        for (raw, expected, row) in [
            ("plain", "plain", "bare"),
            ("\"two words\" # why", "two words", "a comment behind it"),
            (r#""a\"b\\c\$d""#, "a\"b\\c$d", "escapes in double quotes"),
            (r"'a\b$c'", r"a\b$c", "single quotes hold everything"),
            (r"a\ b", "a b", "an escape outside"),
            ("x;", "x", "a semicolon ends it"),
            ("'it'\"'\"'s'", "it's", "pieces"),
            ("$OS_X-${OS_X}", "one-one", "another variable"),
            ("p#1", "p", "a comment without a blank is cut: quote it"),
        ] {
            let rc = Rc::parse(&format!("OS_X=one\nexport OS_V={raw}\n")).unwrap();
            assert_eq!(rc.get("OS_V"), Some(expected), "{row}");
        }
        for (raw, row) in [
            ("$(pass show cloud)", "a command"),
            ("`pass`", "of old"),
            ("${X:-y}", "a default"),
            ("$OTHER", "unknown"),
        ] {
            let computed = RcError::Computed { line: 1, name: "OS_V".into() };
            assert_eq!(Rc::parse(&format!("OS_V={raw}")).err(), Some(computed), "{row}");
        }
        assert_eq!(Rc::parse("\nOS_V=\"a").err(), Some(RcError::OpenQuote { line: 2 }));
        assert!(Rc::parse("X=$(date)\nPATH=`x`").is_ok(), "what is not ours is not read");
    }

    #[test]
    fn who_logs_in() {
        let base = "OS_AUTH_URL=https://c.test/v3\n";
        let user = "OS_USERNAME=u\nOS_PROJECT_NAME=p\n";
        let application = "OS_AUTH_TYPE=v3applicationcredential\nOS_APPLICATION_CREDENTIAL_ID=i\n";
        for (text, expected, row) in [
            (format!("{base}{user}OS_PASSWORD=s"), Ok(Some("s")), "a password in the file"),
            (format!("{base}{user}"), Ok(None), "none"),
            (
                format!("{base}{application}OS_APPLICATION_CREDENTIAL_SECRET=s"),
                Ok(Some("s")),
                "an application",
            ),
            (format!("{base}OS_APPLICATION_CREDENTIAL_ID=i"), Ok(None), "an application, untold"),
            (user.to_owned(), Err(RcError::Lacks("OS_AUTH_URL")), "no address"),
            (format!("{base}OS_USERNAME=u"), Err(RcError::Lacks("OS_PROJECT_NAME")), "no project"),
            (
                format!("{base}{user}OS_IDENTITY_API_VERSION=2"),
                Err(RcError::Version2("OS_IDENTITY_API_VERSION is 2")),
                "version 2 by its number",
            ),
            (
                format!("OS_AUTH_URL=https://c.test/v2.0/\n{user}"),
                Err(RcError::Version2("OS_AUTH_URL ends in /v2.0")),
                "version 2 by its address",
            ),
            (
                format!("{base}OS_USERNAME=u\nOS_TENANT_NAME=t"),
                Err(RcError::Version2("it has OS_TENANT_NAME and no OS_PROJECT_NAME")),
                "version 2 by its words",
            ),
            (
                format!("{base}{user}OS_AUTH_TYPE=v3oidcpassword"),
                Err(RcError::AuthType("v3oidcpassword".into())),
                "single sign-on",
            ),
        ] {
            let who = Rc::parse(&text).unwrap().who().map(|who| match who {
                Who::Password { password: secret, .. } | Who::ApplicationCredential { secret, .. } => secret,
            });
            let who = who.map(|secret| secret.map(|secret| secret.expose_secret().to_owned()));
            assert_eq!(who, expected.map(|secret| secret.map(str::to_owned)), "{row}");
        }
    }
}
