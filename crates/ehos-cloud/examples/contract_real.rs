//! Runs the contract suite against a real cloud, named by the usual `OS_*` variables, and prints how long calls take.
//!
//! Takes from the environment, too: `EHOS_FLAVOR`, `EHOS_IMAGE`, and, where wanted, `EHOS_NETWORK`, `EHOS_KEY`,
//! `EHOS_SECURITY_GROUP`. It makes two servers and, with `EHOS_MEASURE=N`, N more one after another; with
//! `EHOS_PREPARE=yes` also a security group, a keypair, a floating IP and a volume. All of it is deleted.
#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use std::env::var;
use std::time::{Duration, Instant};

use ehos_cloud::contract::{Terms, check, images, prepare};
use ehos_cloud::{Cloud, OpenStackCloud, ServerOrder};
use ehos_model::{
    CloudAccess, Domain, Failure, FloatingIp, Interface, Login, NodeId, PoolId, Role, ServerSettings,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cloud = open("ehos-contract")?;
    let stranger = open("ehos-contract-2")?;
    for row in cloud.verify().await {
        println!("{:15} {:30} {:?}", row.what, row.configured, row.found);
    }
    let flavor = var("EHOS_FLAVOR")?.as_str().into();
    let prefix = format!("contract-{}", std::process::id());
    let terms = Terms {
        flavor,
        prefix,
        deadline: Duration::from_mins(1),
        user_data: b"#cloud-config\n{}\n".to_vec().into(),
    };
    for held in check(&cloud, &stranger, &terms).await? {
        println!("held after {:5} ms: {}", held.took.as_millis(), held.rule);
    }
    if let Ok(base) = var("EHOS_IMAGE") {
        for rule in images::check(&cloud, &stranger, &terms, &base).await? {
            println!("held: {rule}");
        }
    }
    if var("EHOS_PREPARE").is_ok() {
        // It removes all that the pool has, so the pool is nobody else's.
        let (cloud, stranger) = (open(&terms.prefix)?, open(&format!("{}-2", terms.prefix))?);
        for rule in prepare::check(&cloud, &stranger, &terms, &keys()).await? {
            println!("held: {rule}");
        }
    }
    if let Some(count) = var("EHOS_MEASURE").ok().and_then(|n| n.parse().ok()) {
        measure(&terms, count).await?;
    }
    Ok(())
}

/// Prints how long the calls of a tick take on a fresh login, and `count` creates in a row.
async fn measure(terms: &Terms, count: u32) -> Result<(), Box<dyn std::error::Error>> {
    let cloud = open("ehos-contract")?;
    for round in ["first", "second"] {
        let begun = Instant::now();
        cloud.offer().await?;
        println!("{round} offer {} ms", begun.elapsed().as_millis());
        let begun = Instant::now();
        let servers = cloud.servers().await?;
        println!("{round} list of {} servers {} ms", servers.len(), begun.elapsed().as_millis());
    }
    for n in 0..count {
        let node = NodeId::from(format!("{}-m{n}", terms.prefix));
        let order = ServerOrder::new(node, Role::Execute, terms.flavor.clone());
        let begun = Instant::now();
        let made = cloud.create(&order).await;
        println!("create {} ms", begun.elapsed().as_millis());
        let begun = Instant::now();
        cloud.delete(&made?).await?;
        println!("delete {} ms", begun.elapsed().as_millis());
    }
    Ok(())
}

/// Two keys that nobody has the private halves of.
fn keys() -> prepare::Keys {
    let key =
        |letter: &str| format!("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{} contract@here", letter.repeat(43));
    prepare::Keys { one: key("A"), other: key("B") }
}

fn open(pool: &str) -> Result<OpenStackCloud, Box<dyn std::error::Error>> {
    let domain = |name: &str, id: &str| match var(id) {
        Ok(id) => Domain::Id(id),
        Err(_) => Domain::Name(var(name).unwrap_or_else(|_| "Default".into())),
    };
    let login = match var("OS_APPLICATION_CREDENTIAL_ID") {
        Ok(id) => {
            Login::ApplicationCredential { id, secret: var("OS_APPLICATION_CREDENTIAL_SECRET")?.into() }
        }
        Err(_) => Login::Password {
            username: var("OS_USERNAME")?,
            password: var("OS_PASSWORD")?.into(),
            project_name: var("OS_PROJECT_NAME")?,
            project_domain: domain("OS_PROJECT_DOMAIN_NAME", "OS_PROJECT_DOMAIN_ID"),
            user_domain: domain("OS_USER_DOMAIN_NAME", "OS_USER_DOMAIN_ID"),
        },
    };
    let access = CloudAccess {
        auth_url: var("OS_AUTH_URL")?,
        login,
        region: var("OS_REGION_NAME").ok(),
        interface: Interface::Public,
        cacert: var("OS_CACERT").ok().map(Into::into),
        insecure: false,
        timeout: Duration::from_secs(30),
    };
    let settings = ServerSettings {
        image: var("EHOS_IMAGE").ok(),
        flavors: vec![var("EHOS_FLAVOR")?],
        networks: var("EHOS_NETWORK").into_iter().collect(),
        key: var("EHOS_KEY").ok(),
        security_groups: var("EHOS_SECURITY_GROUP").into_iter().collect(),
        floating_ip: FloatingIp::None,
        scratch_size: None,
    };
    let cloud: Result<_, Failure> = OpenStackCloud::new("real".into(), PoolId::from(pool), access, settings);
    Ok(cloud?)
}
