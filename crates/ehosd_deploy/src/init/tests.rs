//! First configurations, as they are written and read back.

use std::os::unix::fs::PermissionsExt as _;

use ehos_config::{Backend, Config};
use ehos_model::Login as Credentials;
use ehos_sim::{EmbeddedCloudSettings, World, WorldSettings};
use secrecy::ExposeSecret as _;

use super::*;

const SECRET: &str = "pa$$ \"word\" #1";

fn around() -> Around<'static> {
    Around {
        environment: Environment::default(),
        ask: &|question| {
            assert!(question.starts_with("Password of anna for the project"), "{question}");
            Ok(SecretString::from(SECRET))
        },
    }
}

fn rc(folder: &Path, name: &str, text: &str) -> Source {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    Source::Rc(path)
}

fn password(region: &str, project: &str) -> String {
    format!(
        "export OS_AUTH_URL=https://cloud.test:5000/v3\nexport OS_USERNAME=anna\nexport OS_PROJECT_NAME=\"{project}\"\n\
         export OS_REGION_NAME={region}\nread -sr OS_PASSWORD_INPUT\nexport OS_PASSWORD=$OS_PASSWORD_INPUT\n"
    )
}

fn logins(sources: &[Source], around: &Around<'_>) -> Vec<Login> {
    let mut logins: Vec<_> = sources.iter().map(|source| Login::read(source, around).unwrap()).collect();
    login::distinguish(&mut logins);
    logins
}

fn offer(network: &[&str]) -> Offered {
    let choice = |values: &[&str], why: &str| Choice {
        values: values.iter().map(|value| (*value).to_owned()).collect(),
        why: why.to_owned(),
    };
    Offered {
        image: choice(&["debian 13"], "it is the newest"),
        flavors: choice(&["m1.small", "m1.large"], "they fit"),
        network: choice(network, &"many words ".repeat(30)),
        room: 4,
    }
}

fn read(path: &Path) -> Config {
    let environment = before_master(&Environment::default());
    load_with(&[path.to_owned()], &environment)
        .unwrap_or_else(|problems| panic!("{}", problems.render(false)))
        .config
}

#[test]
fn one_cloud_is_written_with_reasons_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut all = logins(&[rc(folder.path(), "rc", &password("Bergen", "my project"))], &around());
    let target = folder.path().join("ehos.yaml");
    let text = render::yaml(&[(all.remove(0), offer(&["lan"]))]);
    write(&target, &text, false, &Environment::default()).unwrap();
    assert_eq!(target.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let config = read(&target);
    let cloud = &config.clouds[0];
    assert_eq!((cloud.name.as_str(), cloud.base_image.as_deref()), ("bergen", Some("debian 13")));
    assert_eq!(cloud.servers.flavors, ["m1.small", "m1.large"]);
    assert_eq!(cloud.servers.networks, ["lan"]);
    let Backend::OpenStack(access) = &cloud.backend else { panic!("{cloud:?}") };
    assert_eq!(access.region.as_deref(), Some("Bergen"));
    let Credentials::Password { password, project_name, .. } = &access.login else { panic!("{access:?}") };
    assert_eq!((password.expose_secret(), project_name.as_str()), (SECRET, "my project"));
    for line in ["  # chosen because they fit\n  flavors: [m1.small, m1.large]\n", "  nodes_max: 4\n"] {
        assert!(text.contains(line), "{text}");
    }
    assert!(text.lines().all(|line| line.len() <= 110), "comments are wrapped: {text}");
}

#[test]
fn a_file_that_is_there_stays_unless_told_and_then_as_a_backup() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("ehos.yaml");
    std::fs::write(&target, "mine").unwrap();
    let mut all = logins(&[rc(folder.path(), "rc", &password("r", "p"))], &around());
    let text = render::yaml(&[(all.remove(0), offer(&["lan"]))]);
    let refused = write(&target, &text, false, &Environment::default()).unwrap_err();
    assert!(refused.to_string().contains("--force"), "{refused}");
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "mine");
    write(&target, &text, true, &Environment::default()).unwrap();
    assert_eq!(std::fs::read_to_string(&target).unwrap(), text);
    assert_eq!(std::fs::read_to_string(folder.path().join("ehos.yaml.backup")).unwrap(), "mine");
    let broken = write(&folder.path().join("x.yaml"), "clouds: 7", false, &Environment::default());
    assert!(matches!(broken, Err(InitError::Invalid(_))), "{broken:?}");
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 3, "rc, the file and its backup");
}

#[test]
fn several_clouds_share_what_they_have_in_common() {
    let folder = tempfile::tempdir().unwrap();
    let application = "OS_AUTH_TYPE=v3applicationcredential\nOS_AUTH_URL=https://c.test/v3\nOS_REGION_NAME=west\n\
        OS_APPLICATION_CREDENTIAL_ID=id\nOS_APPLICATION_CREDENTIAL_SECRET='s'\n";
    let sources = [
        rc(folder.path(), "1", &password("west", "one")),
        rc(folder.path(), "2", &password("west", "two")),
        rc(folder.path(), "3", &password("west", "two")),
        rc(folder.path(), "4", application),
    ];
    let all = logins(&sources, &around());
    let names: Vec<_> = all.iter().map(|login| login.name.clone()).collect();
    assert_eq!(names, ["west-one", "west-two", "west-two-2", "west-project"]);
    let networks = [vec!["lan"], vec!["dmz"], vec![], vec!["lan"]];
    let clouds: Vec<_> = all.into_iter().zip(networks.iter().map(|network| offer(network))).collect();
    let target = folder.path().join("ehos.yaml");
    write(&target, &render::yaml(&clouds), false, &Environment::default()).unwrap();
    let config = read(&target);
    for (cloud, network) in config.clouds.iter().zip(networks) {
        assert_eq!(cloud.servers.networks, network, "{}", cloud.name);
        assert_eq!(cloud.servers.flavors, ["m1.small", "m1.large"], "{}", cloud.name);
    }
    assert_eq!(std::fs::read_to_string(&target).unwrap().matches("flavors:").count(), 1, "common");
}

#[test]
fn an_entry_of_clouds_yaml_is_named_and_its_secret_stays_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("clouds.yaml");
    std::fs::write(
        &file,
        "clouds:\n  My Cloud:\n    region_name: west\n    auth: {auth_url: 'https://c.test/v3', username: u, \
         password: hidden-word, project_name: p}\n",
    )
    .unwrap();
    let mut around = around();
    around.environment.variables.insert("OS_CLIENT_CONFIG_FILE".into(), file.display().to_string());
    let mut all = logins(&[Source::CloudsYaml("My Cloud".into())], &around);
    assert_eq!((all[0].name.as_str(), all[0].access.region.as_deref()), ("my-cloud", Some("west")));
    let text = render::yaml(&[(all.remove(0), offer(&["lan"]))]);
    assert!(text.contains("    cloud: \"My Cloud\"\n") && !text.contains("hidden-word"), "{text}");
    write(&folder.path().join("ehos.yaml"), &text, false, &around.environment).unwrap();
    let unknown = Login::read(&Source::CloudsYaml("my cloud".into()), &around).err().unwrap().to_string();
    assert!(unknown.starts_with("clouds.yaml:my cloud: clouds.yaml has no cloud `my cloud`"), "{unknown}");
}

#[test]
fn a_password_comes_from_the_environment_before_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let source = rc(folder.path(), "rc", &password("r", "p"));
    let refuse = |_: &str| Err(std::io::Error::other("there is no terminal"));
    let mut around = Around { environment: Environment::default(), ask: &refuse };
    let error = Login::read(&source, &around).err().unwrap().to_string();
    assert_eq!(error, "OS_PASSWORD is not set, and cannot be asked for: there is no terminal");
    around.environment.variables.insert("OS_PASSWORD".into(), SECRET.into());
    let login = Login::read(&source, &around).unwrap();
    let Credentials::Password { password, .. } = &login.access.login else { panic!() };
    assert_eq!(password.expose_secret(), SECRET);
}

#[test]
fn an_rc_file_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let old =
        rc(folder.path(), "old-rc", "OS_AUTH_URL=http://c.test/v2.0\nOS_USERNAME=u\nOS_PROJECT_NAME=p\n");
    let error = Login::read(&old, &around()).err().unwrap().to_string();
    assert!(error.contains("old-rc: it is for version 2 of the identity API"), "{error}");
    let none = Login::read(&Source::Rc(folder.path().join("none")), &around()).err().unwrap();
    assert!(none.to_string().contains("none cannot be read"), "{none}");
    assert!("clouds.yaml:".parse::<Source>().is_err());
    assert_eq!("clouds.yaml:a".parse(), Ok(Source::CloudsYaml("a".into())));
    assert_eq!("demo-openrc.sh".parse(), Ok(Source::Rc("demo-openrc.sh".into())));
}

#[tokio::test]
async fn an_embedded_cloud_is_chosen_from() {
    let world = World::new(WorldSettings::new(1));
    let mut settings = EmbeddedCloudSettings::new("west", PoolId::from("ours"));
    settings.quota.cores.max = Some(5);
    let cloud = world.add_cloud(settings);
    let offered = offered(&cloud).await.unwrap();
    assert_eq!(offered.image.values, ["embedded"]);
    assert_eq!(offered.flavors.values, ["m1.small", "m1.medium", "m1.large"]);
    assert_eq!((offered.network.values, offered.room), (vec!["private".to_owned()], 5));
}
