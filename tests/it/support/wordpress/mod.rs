//! A real WordPress on loopback, for all tests of this process: Debian's files, PHP's own web server, MariaDB on a
//! socket, and a stand-in for sendmail that keeps the mails.
//!
//! It is started by the first test that asks for it, lives in a directory of its own, and is gone with the process,
//! however that ends. Tests run beside each other and share it, so each uses addresses and roles of its own.
//! Where something has to happen to the site itself, [`Wordpress::front`] reaches the same users in another way.

mod front;
mod person;

pub use front::Front;
pub use person::Person;

use crate::support::supervised::Supervised;
use serde_json::{Value, json};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{LazyLock, Mutex};

/// Where the files of WordPress are, as its package brings them.
const FILES: &str = "LATCHKEY_TEST_WORDPRESS";
/// The login name of the administrator whom Latchkey calls as.
const USERNAME: &str = "owner";
/// How long MariaDB may take to start, in seconds; a process may be stopped for a while in between.
const START_SECONDS_MAX: &str = "120";

static SHARED: LazyLock<Option<Wordpress>> = LazyLock::new(Wordpress::start);

/// A WordPress that runs.
pub struct Wordpress {
    directory: PathBuf,
    front: Front,
    username: String,
    application_password: String,
    roles: Mutex<()>,
    _database: Supervised,
}

impl Wordpress {
    /// The one of this process; `None`, loudly, where there is none to start and it is no CI.
    pub fn shared() -> Option<&'static Self> {
        SHARED.as_ref()
    }

    /// The address of the site.
    pub fn url(&self) -> String {
        self.front.url()
    }

    /// The login name of an administrator.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// An application password of that administrator.
    pub fn application_password(&self) -> &str {
        &self.application_password
    }

    /// The config of a destination that is this site.
    pub fn config(&self) -> Value {
        self.config_by(&self.url())
    }

    /// The same by another address of it.
    pub fn config_by(&self, url: &str) -> Value {
        json!({
            "url": url,
            "username": self.username(),
            "application_password": self.application_password(),
        })
    }

    /// Another way to reach the same site, by a port of its own. `path` is what the site is under there, such as
    /// `/club`, and may be empty; `more` stands in its environment: `WORDPRESS_MAINTENANCE` has it updated just
    /// now, `WORDPRESS_WALL` has something else answer for it, and `WORDPRESS_MOVED` leads to another address.
    pub fn front(&self, path: &str, more: &[(&'static str, &'static str)]) -> Front {
        Front::start(&self.directory, path, more)
    }

    /// Makes roles, each of which may read.
    pub fn add_roles(&self, names: &[&str]) {
        for name in names {
            self.add_role(name, &["read"]);
        }
    }

    /// Makes a role that may do this.
    pub fn add_role(&self, name: &str, capabilities: &[&str]) {
        // WordPress keeps all roles in one place, which it reads and writes as a whole.
        let one_at_a_time = self.roles.lock().expect("nobody panicked with it");
        let body = "add_role($with[0], ucfirst($with[0]), array_fill_keys($with[1], true));";
        self.php(&json!([name, capabilities]), body);
        drop(one_at_a_time);
    }

    /// Makes an account beside Latchkey; answers its number.
    pub fn add_user(&self, login: &str, email: &str, roles: &[&str]) -> u64 {
        self.add_users(&[(login, email, roles)])[0]
    }

    /// Makes accounts beside Latchkey, as (login name, address, roles); answers their numbers.
    pub fn add_users(&self, users: &[(&str, &str, &[&str])]) -> Vec<u64> {
        let body = "$made = [];
            foreach ($with as [$login, $email, $roles]) {
                $id = wp_insert_user(['user_login' => $login, 'user_email' => $email, 'user_pass' => 'x', 'role' => '']);
                if (is_wp_error($id)) throw new Exception($email . ': ' . $id->get_error_message());
                foreach ($roles as $role) get_user_by('id', $id)->add_role($role);
                $made[] = $id;
            }
            return $made;";
        serde_json::from_value(self.php(&json!(users), body)).expect("numbers")
    }

    /// The roles of the account with an address, in the order that the site has them in; `None` where there is none.
    pub fn user(&self, email: &str) -> Option<Vec<String>> {
        let body = "$user = get_user_by('email', $with); return $user ? array_values($user->roles) : null;";
        serde_json::from_value(self.php(&json!(email), body)).expect("roles")
    }

    /// How many accounts have an address that contains this.
    pub fn count(&self, part: &str) -> u64 {
        let body = "return count(get_users(['search' => \"*$with*\", 'search_columns' => ['user_email']]));";
        self.php(&json!(part), body).as_u64().expect("a number")
    }

    /// Has an account another role or none; `add_role` and `remove_role` are what may be done.
    pub fn changes(&self, email: &str, what: &str, role: &str) {
        let body = "get_user_by('email', $with[0])->{$with[1]}($with[2]);";
        self.php(&json!([email, what, role]), body);
    }

    /// Makes an application password for the account with an address.
    pub fn application_password_of(&self, email: &str) -> String {
        let body = "return WP_Application_Passwords::create_new_application_password(
            get_user_by('email', $with)->ID, ['name' => uniqid()])[0];";
        self.php(&json!(email), body).as_str().expect("a password").to_owned()
    }

    /// Takes back all application passwords of the account with an address.
    pub fn revokes_passwords_of(&self, email: &str) {
        let body = "WP_Application_Passwords::delete_all_application_passwords(get_user_by('email', $with)->ID);";
        self.php(&json!(email), body);
    }

    /// The mails to an address, in the order in which they were sent.
    pub fn mails_to(&self, email: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.directory.join("mails")).expect("mails");
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a mail").path()).collect();
        // What is being written has a name that begins with a dot.
        files.retain(|file| {
            !file.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
        });
        files.sort();
        let mails = files.iter().map(|file| std::fs::read_to_string(file).expect("a mail"));
        mails.filter(|mail| mail.lines().any(|line| line == format!("To: {email}"))).collect()
    }

    /// Runs PHP inside the site, with `$with`; answers what it returns.
    pub fn php(&self, with: &Value, body: &str) -> Value {
        let script = format!(
            "require $argv[1] . '/site/wp-load.php'; $with = json_decode($argv[2], true);
             echo json_encode((function () use ($with) {{ {body} }})());"
        );
        let mut command = php(&self.directory, &self.url());
        command.args(["-r", &script, "--"]).arg(&self.directory).arg(with.to_string());
        serde_json::from_str(&ran(command)).expect("JSON")
    }

    fn start() -> Option<Self> {
        let files = files()?;
        let directory =
            tempfile::Builder::new().prefix("latchkey-wp.").tempdir().expect("a directory").keep();
        // From here on MariaDB's shell takes the directory away.
        std::fs::create_dir(directory.join("data")).expect("a directory");
        let database = Supervised::start(
            &mariadb(&directory),
            &directory.join("database.log"),
            Some(&directory),
        );
        lay_out(&files, &directory);
        let front = Front::start(&directory, "", &[]);
        let mut setup = php(&directory, &front.url());
        setup.arg(directory.join("setup.php")).args([USERNAME, START_SECONDS_MAX]);
        let application_password = ran(setup);
        let roles = Mutex::new(());
        let username = USERNAME.to_owned();
        Some(Self { directory, front, username, application_password, roles, _database: database })
    }
}

/// Where WordPress can be taken from; `None`, loudly, where it cannot and it is no CI.
#[expect(clippy::disallowed_methods, reason = "tests/run says where the files are")]
fn files() -> Option<PathBuf> {
    if let Ok(files) = std::env::var(FILES) {
        return Some(PathBuf::from(files));
    }
    assert!(std::env::var("CI").is_err(), "{FILES} is not set: CI runs with WordPress");
    eprintln!("SKIPPED with WordPress: {FILES} is not set; tests/run sets it");
    None
}

/// MariaDB with what WordPress needs of it, and nothing kept of what a power cut would lose. It has neither accounts
/// nor a port: whoever gets at the directory gets in.
fn mariadb(directory: &Path) -> Command {
    let mut command = Command::new("mariadbd");
    command.args(["--no-defaults", "--skip-networking", "--skip-grant-tables"]);
    command.arg(format!("--datadir={}", directory.join("data").display()));
    command.arg(format!("--socket={}", directory.join("database.sock").display()));
    if std::fs::metadata(directory).expect("a directory").uid() == 0 {
        command.arg("--user=root");
    }
    command.args(["--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync"]);
    command.args(["--innodb-doublewrite=0", "--innodb-stats-persistent=0"]);
    command.args(["--innodb-buffer-pool-size=32M", "--innodb-log-file-size=8M"]);
    command.args(["--performance-schema=0", "--max-connections=100"]);
    command
}

/// Puts the files in place: WordPress reads its settings from beside itself, so it has to be a copy.
fn lay_out(files: &Path, directory: &Path) {
    let site = directory.join("site");
    let mut copy = Command::new("cp");
    copy.arg("-R").arg(files).arg(&site);
    ran(copy);
    std::fs::create_dir(directory.join("mails")).expect("a directory");
    let put = |name: &str, to: PathBuf| std::fs::copy(file(name), to).expect("copied");
    put("wp-config.php", site.join("wp-config.php"));
    put("maintenance.php", site.join(".maintenance"));
    for name in ["router.php", "setup.php", "sendmail.sh"] {
        put(name, directory.join(name));
    }
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(directory.join("sendmail.sh"), executable).expect("executable");
}

/// PHP for a site that is reached by an address.
fn php(directory: &Path, url: &str) -> Command {
    let mut command = Command::new("php");
    let sendmail = directory.join("sendmail.sh");
    command.args(["-d", &format!("sendmail_path={}", sendmail.display())]);
    command.args(["-d", "display_errors=stderr", "-d", "memory_limit=256M"]);
    command.env("WORDPRESS_URL", url);
    command
}

/// Runs a command that has to succeed; answers what it says.
fn ran(mut command: Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("a command that can be run");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {told}");
    String::from_utf8(output.stdout).expect("text")
}

/// A file that stands beside this one.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/wordpress").join(name)
}
