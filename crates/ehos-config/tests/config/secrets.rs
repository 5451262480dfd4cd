//! Secrets come from where they may come from, and never show.

use std::os::unix::fs::PermissionsExt as _;

use ehos_config::{Backend, Config};
use ehos_model::{CloudAccess, Domain, Login};
use proptest::prelude::*;
use secrecy::ExposeSecret as _;

use crate::files::{Files, GOOD, told};

const SECRET: &str = "hunter2-and-more";

fn access(config: &Config) -> &CloudAccess {
    match &config.clouds[0].backend {
        Backend::OpenStack(access) => access,
        Backend::Embedded(_) => panic!("a real cloud"),
    }
}

fn password(config: &Config) -> &str {
    match &access(config).login {
        Login::Password { password, .. } => password.expose_secret(),
        Login::ApplicationCredential { secret, .. } => secret.expose_secret(),
    }
}

/// GOOD with its cloud's login replaced.
fn with_login(lines: &str) -> String {
    let (before, rest) = GOOD.split_once("    auth_url").unwrap();
    let (_, after) = rest.split_once("    region_name: RegionOne\n").unwrap();
    format!("{before}{lines}\n{after}")
}

#[test]
fn a_password_file_holds_the_password() {
    let files = Files::new();
    files.write("bergen.password", format!("{SECRET}\n"));
    let text = GOOD.replace("password: hunter2-and-more", "password_file: bergen.password");
    let path = files.write("ehos.yaml", &text);
    let loaded = files.load(std::slice::from_ref(&path)).unwrap();
    assert_eq!(password(&loaded.config), SECRET);
    assert!(loaded.files.contains(&files.folder.path().join("bergen.password")), "it is watched, too");
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(files.folder.path().join("bergen.password"), open).unwrap();
    assert!(files.told(std::slice::from_ref(&path)).contains("everybody on this machine can read"));
    files.write("bergen.password", "");
    assert!(files.told(std::slice::from_ref(&path)).contains("the password file holds no password"));
    std::fs::remove_file(files.folder.path().join("bergen.password")).unwrap();
    assert!(files.told(std::slice::from_ref(&path)).contains("ehos.yaml:5:20"), "the place that names it");
    let both = files.write("both.yaml", GOOD.replace("username", "password_file: x\n    username"));
    assert!(files.told(&[both]).contains("`password` and `password_file` are both set"));
}

#[test]
fn the_environment_fills_what_is_open_where_it_is_asked_to() {
    let mut files = Files::new();
    for (name, value) in [
        ("OS_AUTH_URL", "https://env.example.org/v3"),
        ("OS_USERNAME", "env"),
        ("OS_PASSWORD", SECRET),
        ("OS_PROJECT_NAME", "p"),
        ("OS_USER_DOMAIN_ID", "default"),
    ] {
        files.environment.variables.insert(name.to_owned(), value.to_owned());
    }
    let path = files.write("ehos.yaml", with_login("    from_env: yes\n    username: alice"));
    let config = files.load(&[path]).unwrap().config;
    assert_eq!(password(&config), SECRET);
    let Login::Password { username, user_domain, .. } = &access(&config).login else { panic!("a password") };
    assert_eq!(
        (username.as_str(), user_domain),
        ("alice", &Domain::Id("default".to_owned())),
        "the file wins"
    );
    let path = files.write("ehos.yaml", with_login("    username: alice"));
    assert!(files.told(&[path]).contains("lacks `auth_url`, `password`, `project_name`"), "not asked for");
    files.environment.variables.insert("OS_AUTH_URL".to_owned(), format!("https://x:{SECRET}@env"));
    let path = files.write("ehos.yaml", with_login("    from_env: yes"));
    let told = files.told(&[path]);
    assert!(told.contains("`OS_AUTH_URL` is not an address") && !told.contains(SECRET), "{told}");
    assert!(!format!("{:?}", files.environment).contains(SECRET));
}

#[test]
fn clouds_yaml_fills_what_is_open() {
    let files = Files::new();
    files.write(
        ".config/openstack/clouds.yaml",
        "clouds:\n  bgo:\n    auth: {auth_url: 'https://bgo.example.org/v3', username: carol, project_name: p, \
         user_domain_name: feide}\n    region_name: bgo\n    interface: internalURL\n    verify: false\n    \
         identity_api_version: 3\n  app:\n    auth_type: v3applicationcredential\n    auth: {auth_url: 'https://b.example.org', \
         application_credential_id: abc, application_credential_secret: hunter2-and-more}\n",
    );
    files.write(".config/openstack/secure.yaml", "clouds: {bgo: {auth: {password: hunter2-and-more}}}\n");
    let path = files.write("ehos.yaml", with_login("    cloud: bgo"));
    let loaded = files.load(&[path]).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(password(&loaded.config), SECRET);
    let access = access(&loaded.config);
    assert_eq!((access.region.as_deref(), access.insecure), (Some("bgo"), true));
    assert_eq!(access.interface, ehos_model::Interface::Internal);
    assert_eq!(loaded.files.len(), 3);
    let path = files.write("ehos.yaml", with_login("    cloud: app"));
    let config = files.load(&[path]).unwrap().config;
    assert!(matches!(&self::access(&config).login, Login::ApplicationCredential { id, .. } if id == "abc"));
    let path = files.write("ehos.yaml", with_login("    cloud: bgoo"));
    let told = files.told(&[path]);
    assert!(
        told.contains("clouds.yaml has no cloud `bgoo`") && told.contains("did you mean `bgo`?"),
        "{told}"
    );
    files.write(".config/openstack/clouds.yaml", "clouds: {bgo: {auth: {password: hunter2-and-more, x: ]\n");
    let path = files.write("ehos.yaml", with_login("    cloud: bgo"));
    let told = files.told(&[path]);
    assert!(told.contains(".config/openstack/clouds.yaml:1:") && !told.contains(SECRET), "{told}");
}

#[test]
fn an_open_file_with_secrets_is_warned_of() {
    let files = Files::new();
    let path = files.write("ehos.yaml", GOOD);
    assert_eq!(files.told(std::slice::from_ref(&path)), "");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let told = files.told(std::slice::from_ref(&path));
    assert!(told.contains("warning: everybody on this machine can read this secret"), "{told}");
    assert!(!told.contains(SECRET), "{told}");
    std::fs::write(&path, GOOD.replace(SECRET, "None")).unwrap();
    assert!(!files.told(&[path]).contains("everybody"), "no secret in it");
}

#[test]
fn nothing_shows_a_secret() {
    let files = Files::new();
    let path = files.write("ehos.yaml", GOOD);
    let loaded = files.load(&[path]).unwrap();
    assert!(!format!("{loaded:?}").contains(SECRET));
    for (text, row) in [
        (GOOD.replace("username", "user name"), "another error in the same section"),
        (GOOD.replace("password: ", "password : "), "a space before the colon"),
        (GOOD.replace("password: ", "password:"), "no space"),
        (GOOD.replace("password: ", "Password: "), "capitals"),
        (GOOD.replace("password: ", "passwd: "), "another name"),
        (GOOD.replace("password: ", "pw: "), "a name that is like nothing"),
        (
            GOOD.replace("password: ", "password: &p ")
                .replace("research", "*p")
                .replace("RegionOne", "[*p]"),
            "an alias",
        ),
        (GOOD.replace("nodes_max: 6", "nodes_max: hunter2-and-more"), "the same words elsewhere"),
        (GOOD.replace("nodes_max: 6", "nodes_max: six # password: hunter2-and-more"), "a comment"),
        (GOOD.replace("password: ", "password: |\n      "), "a block"),
        (GOOD.replace("password: ", "password: 'x\n      "), "an open quote"),
        (GOOD.replace("password: ", "password: [ "), "an open bracket"),
        (GOOD.replace("password: ", "password\n      "), "a broken line"),
        (GOOD.replace("password: ", "{password: "), "a flow mapping"),
        (GOOD.replace("    password", "\tpassword"), "a tab"),
        (GOOD.replace("    password", " password"), "wrong indentation"),
        (GOOD.replace("\n    password", " password"), "a line joined to the one before"),
        (GOOD.replace(SECRET, "!!binary hunter2-and-more"), "a tag"),
        (GOOD.replace(SECRET, "hunter2-and-more: x"), "a colon"),
        (GOOD.replace(SECRET, "hunter2-and-more\n      x"), "two lines"),
        (GOOD.replace(SECRET, "'hunter2-and-more\u{7}'"), "a control character"),
        (GOOD.replace("condor:", "<<: {password: hunter2-and-more}\ncondor:"), "a merge"),
        (GOOD.replace("condor:", "? {password: hunter2-and-more}\n: x\ncondor:"), "a mapping for a key"),
        (GOOD.replace("condor:", "password: hunter2-and-more\ncondor:"), "the wrong place"),
        (
            GOOD.replace("condor:", "condor: {password: {a: hunter2-and-more}}\nx:"),
            "a mapping for a password",
        ),
    ] {
        let told = told(&text);
        assert!(!told.contains("hunter2"), "{row}\n{told}");
    }
}

/// One small accident in a file.
#[derive(Clone, Debug)]
enum Accident {
    Remove(usize, usize),
    Insert(usize, String),
    Swap(usize, usize),
    Cut(usize),
}

fn accident() -> impl Strategy<Value = Accident> {
    let at = || 0..2000_usize;
    prop_oneof![
        (at(), 1..6_usize).prop_map(|(at, n)| Accident::Remove(at, n)),
        (at(), "[\\n\\t :#\\-\\[\\]{},&*!|>'\"%@`a-z0-9ø]{1,4}")
            .prop_map(|(at, text)| Accident::Insert(at, text)),
        (at(), at()).prop_map(|(a, b)| Accident::Swap(a, b)),
        at().prop_map(Accident::Cut),
    ]
}

fn happen(text: &str, accident: &Accident) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    let within = |at: usize| at % (chars.len() + 1);
    match accident {
        Accident::Remove(at, n) => {
            let at = within(*at);
            let end = (at + n).min(chars.len());
            chars.drain(at..end);
        }
        Accident::Insert(at, new) => {
            let at = within(*at);
            chars.splice(at..at, new.chars());
        }
        Accident::Swap(a, b) => {
            let mut lines: Vec<&str> = text.lines().collect();
            if !lines.is_empty() {
                let (a, b) = (a % lines.len(), b % lines.len());
                lines.swap(a, b);
            }
            return lines.join("\n");
        }
        Accident::Cut(at) => chars.truncate(within(*at)),
    }
    chars.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_are_only_wrong(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        told(&bytes);
    }

    #[test]
    fn random_yaml_is_only_wrong(text in "[\\n \\t:#\\-\\[\\]{},&*!|>'\"%a<~\u{7}ø\u{feff}]{0,120}") {
        told(text);
    }

    #[test]
    fn accidents_never_show_a_secret(accidents in proptest::collection::vec(accident(), 1..4)) {
        let text = accidents.iter().fold(GOOD.to_owned(), |text, accident| happen(&text, accident));
        let files = Files::new();
        let path = files.write("ehos.yaml", &text);
        let debug = format!("{:?}", files.load(std::slice::from_ref(&path)));
        let told = files.told(&[path]);
        // What is left whole of the secret; accidents may have cut it.
        prop_assert!(!told.contains("hunter2") && !debug.contains("hunter2"), "{}\n---\n{}\n---\n{}", text, told, debug);
    }
}
