//! A tutorial: a strategy, a check and a notifier, each whole, and how they come into pm. Everything here is compiled and run
//! with the tests of this crate.
//!
//! # Ten minutes
//!
//! ```console
//! $ pm plugins new my-strategy          # or --kind check, --kind notifier
//! $ cd my-strategy && cargo test
//! $ cargo build --release
//! $ pm plugins verify target/release/libpm_plugin_my_strategy.so
//! $ pm plugins call target/release/libpm_plugin_my_strategy.so strategy:my-strategy restart web
//! $ sudo install -o root -m 0644 target/release/libpm_plugin_my_strategy.so /usr/lib/pm/plugins/
//! ```
//!
//! A plugin is a library (`crate-type = ["cdylib"]`) that depends on this crate and exports its parts with one
//! [`export!`](crate::export!). A part is a type with one of three traits: [`Strategy`](crate::Strategy),
//! [`HealthCheck`](crate::HealthCheck), [`Notifier`](crate::Notifier). Its name in `export!` is what the operator writes:
//! `restart_strategy = NAME`, `health_check = NAME`.
//!
//! # A strategy
//!
//! Services under runit. `restart` waits for the result of the action; whether the service is healthy afterwards is for a
//! check to say. `identity` lets pm see, after it was killed itself, whether the restart had already happened; `evidence`
//! says what was there before. Both can be left out.
//!
//! ```
//! use pm_plugin_api::command::{Limits, run};
//! use pm_plugin_api::{Error, Evidence, Outcome, Result, Strategy, Target};
//! use std::fs;
//! use std::path::{Path, PathBuf};
//! use std::process::Command;
//! use std::time::Duration;
//!
//! pm_plugin_api::settings! {
//!     /// Settings of the strategy "runit". These texts are what an operator reads in `pm plugins info runit`.
//!     pub struct RunitSettings {
//!         /// The program that controls the services.
//!         pub runit_sv: PathBuf = "/usr/bin/sv",
//!         /// Where the directories of the services are.
//!         pub runit_dir: PathBuf = "/etc/service",
//!         /// How long `sv` itself waits for a service.
//!         #[allowed = "1s..10m"]
//!         pub runit_wait: Duration = "7s",
//!     }
//! }
//!
//! struct Runit(RunitSettings);
//!
//! impl Strategy for Runit {
//!     type Settings = RunitSettings;
//!
//!     // Cheap, no I/O: called once for each set of settings.
//!     fn new(settings: RunitSettings) -> Result<Self> {
//!         Ok(Self(settings))
//!     }
//!
//!     // Several threads may be in here at once.
//!     fn restart(&self, target: &Target) -> Result<Outcome> {
//!         let service = self.service(target)?;
//!         let ran = self.pid(&service).is_some();
//!         let wait = self.0.runit_wait.min(target.timeout()).as_secs().to_string();
//!         let mut sv = Command::new(&self.0.runit_sv);
//!         // Words, never a shell; and it ends a little before pm would give up.
//!         let done = run(sv.args(["-w", &wait, "restart"]).arg(&service), &Limits::within(target.timeout()))?;
//!         tracing::info!(service = %service.display(), "sv restart {}", done.describe());
//!         match done.success() {
//!             true if ran => Ok(Outcome::restarted("sv restart")),
//!             true => Ok(Outcome::started("sv restart")),
//!             false => Err(Error::failed(done.explain())),
//!         }
//!     }
//!
//!     // Begins with a word and a colon, and changes with every start.
//!     fn identity(&self, target: &Target) -> Result<Option<String>> {
//!         let service = self.service(target)?;
//!         let Some(pid) = self.pid(&service) else { return Ok(None) };
//!         let since = fs::metadata(format!("/proc/{pid}"))?.modified()?;
//!         Ok(Some(format!("runit:{pid}:{since:?}")))
//!     }
//!
//!     // Looks, and changes nothing.
//!     fn evidence(&self, target: &Target) -> Result<Evidence> {
//!         let service = self.service(target)?;
//!         let state = fs::read_to_string(service.join("supervise/stat")).unwrap_or_else(|why| format!("not available: {why}"));
//!         let evidence = Evidence::default().fact("state", state.trim());
//!         Ok(self.pid(&service).into_iter().fold(evidence, Evidence::pid))
//!     }
//! }
//!
//! impl Runit {
//!     // "Not found" is a kind of its own: in a chain the next strategy is asked.
//!     fn service(&self, target: &Target) -> Result<PathBuf> {
//!         let name = &target.system_name;
//!         if name.contains('/') || name.starts_with('.') {
//!             return Err(Error::config(format!("{name:?} cannot be the name of a service of runit")));
//!         }
//!         let folder = self.0.runit_dir.join(name);
//!         if folder.is_dir() { Ok(folder) } else { Err(Error::not_found(format!("there is no {}", folder.display()))) }
//!     }
//!     fn pid(&self, service: &Path) -> Option<u32> {
//!         fs::read_to_string(service.join("supervise/pid")).ok()?.trim().parse().ok()
//!     }
//! }
//!
//! pm_plugin_api::export! { strategy "runit" => Runit }
//! #
//! # fn main() {
//! // In your crate this is a test.
//! use pm_plugin_api::testing::{flaws, logged, strategy, target};
//! use pm_plugin_api::ErrorKind;
//!
//! let dir = std::env::temp_dir().join(format!("runit-{}", std::process::id()));
//! fs::create_dir_all(dir.join("web/supervise")).unwrap();
//! let section = [("runit_sv", "/bin/echo"), ("runit_dir", dir.to_str().unwrap())];
//! let runit = strategy::<Runit>(&section).unwrap();
//! let web = target("web").timeout_ms(5000);
//! let (outcome, log) = logged(|| runit.restart(&web));
//! assert_eq!(outcome, Ok(Outcome::started("sv restart")));
//! assert!(log[0].starts_with("INFO sv restart exited with status 0"));
//! fs::write(dir.join("web/supervise/pid"), std::process::id().to_string()).unwrap();
//! assert_eq!(runit.restart(&web), Ok(Outcome::restarted("sv restart")));
//! assert!(runit.identity(&web).unwrap().unwrap().starts_with("runit:"));
//! assert_eq!(runit.evidence(&web).unwrap().pids, [std::process::id()]);
//! assert_eq!(runit.restart(&target("db")).unwrap_err().kind, ErrorKind::NotFound);
//! assert_eq!(runit.restart(&target("../x")).unwrap_err().kind, ErrorKind::Config);
//! let error = strategy::<Runit>(&[("runit_wait", "1h")]).err().unwrap();
//! assert_eq!(error.kind, ErrorKind::Config);
//! assert!(flaws::<RunitSettings>().is_empty());
//! # fs::remove_dir_all(dir).unwrap();
//! # }
//! ```
//!
//! # A check
//!
//! A backlog that must not grow too long. It looks once and says what it saw; pm repeats it until it is healthy or
//! `health_check_timeout` is over. What could not be found out is `unknown` or an error: neither is healthy.
//!
//! ```
//! use pm_plugin_api::{Error, Health, HealthCheck, Result, Target};
//! use std::fs;
//! use std::path::PathBuf;
//!
//! pm_plugin_api::settings! {
//!     /// Settings of the check "spool".
//!     pub struct SpoolSettings {
//!         /// The directory whose files are counted. `NAME` in it stands for the process, as the system knows it.
//!         pub spool_dir: PathBuf = "/var/spool/NAME",
//!         /// How many files there may be.
//!         #[unit = "files"]
//!         #[allowed = "1.."]
//!         pub spool_most: u32 = "100",
//!     }
//! }
//!
//! struct Spool(SpoolSettings);
//!
//! impl HealthCheck for Spool {
//!     type Settings = SpoolSettings;
//!
//!     fn new(settings: SpoolSettings) -> Result<Self> {
//!         // What only the whole can decide. The key stands first.
//!         if settings.spool_dir.to_str().is_none() {
//!             return Err(Error::config("spool_dir: is not UTF-8"));
//!         }
//!         Ok(Self(settings))
//!     }
//!
//!     fn check(&self, target: &Target) -> Result<Health> {
//!         // A name is data: it must not lead elsewhere.
//!         if target.system_name.contains('/') || target.system_name.contains("..") {
//!             return Err(Error::config(format!("{:?} cannot be a part of a path", target.system_name)));
//!         }
//!         let dir = self.0.spool_dir.to_string_lossy().replace("NAME", &target.system_name);
//!         // `?` works on every error; the context says what was attempted.
//!         let files = fs::read_dir(&dir).map_err(|why| Error::from(why).context(format_args!("looking into {dir}")))?;
//!         let (count, most) = (files.count(), self.0.spool_most);
//!         Ok(if count <= most as usize {
//!             Health::healthy(format!("{count} files wait"))
//!         } else {
//!             Health::unhealthy(format!("{count} files wait, {most} may"))
//!         })
//!     }
//! }
//!
//! pm_plugin_api::export! { check "spool" => Spool }
//! #
//! # fn main() {
//! // In your crate this is a test.
//! use pm_plugin_api::testing::{check, target};
//!
//! let dir = std::env::temp_dir().join(format!("spool-{}", std::process::id()));
//! fs::create_dir_all(dir.join("web")).unwrap();
//! let section = [("spool_dir", &*dir.join("NAME").display().to_string()), ("spool_most", "1")];
//! let spool = check::<Spool>(&section).unwrap();
//! fs::write(dir.join("web/1"), "").unwrap();
//! assert_eq!(spool.check(&target("web")), Ok(Health::healthy("1 files wait")));
//! fs::write(dir.join("web/2"), "").unwrap();
//! assert_eq!(spool.check(&target("web")), Ok(Health::unhealthy("2 files wait, 1 may")));
//! let error = spool.check(&target("db")).unwrap_err();
//! assert!(error.message.starts_with("looking into "), "{error}");
//! assert!(check::<Spool>(&[("spool_most", "0")]).is_err());
//! # fs::remove_dir_all(dir).unwrap();
//! # }
//! ```
//!
//! # A notifier
//!
//! One line to a program that listens on a socket. pm has the queue, the pauses between tries and the limits: the notifier
//! tries once, within [`Notice::timeout`](crate::Notice::timeout), and answers when the receiver has taken it. An error of
//! the kind "config" or "permission" says that another try is useless; every other kind is tried again.
//!
//! ```
//! use pm_plugin_api::{Error, Notice, Notifier, Result};
//! use std::io::{Read, Write};
//! use std::os::unix::net::UnixStream;
//! use std::path::PathBuf;
//!
//! pm_plugin_api::settings! {
//!     /// Settings of the notifier "pager".
//!     pub struct PagerSettings {
//!         /// The socket of the pager.
//!         pub pager_socket: PathBuf = "/run/pager.sock",
//!     }
//! }
//!
//! struct Pager(PagerSettings);
//!
//! impl Notifier for Pager {
//!     type Settings = PagerSettings;
//!
//!     fn new(settings: PagerSettings) -> Result<Self> {
//!         Ok(Self(settings))
//!     }
//!
//!     fn notify(&self, notice: &Notice) -> Result<()> {
//!         let place = self.0.pager_socket.display();
//!         // Nobody there is nobody's fault for long: pm tries again.
//!         let mut pager = UnixStream::connect(&self.0.pager_socket)
//!             .map_err(|why| Error::unavailable(format!("the pager at {place} does not answer: {why}")))?;
//!         pager.set_read_timeout(Some(notice.timeout() / 2))?;
//!         pager.set_write_timeout(Some(notice.timeout() / 2))?;
//!         // The id lets a receiver drop what it has already got.
//!         writeln!(pager, "{} {} {}: {}", notice.id, notice.severity.word(), notice.host, notice.summary)?;
//!         let mut answer = [0; 2];
//!         pager.read_exact(&mut answer)?;
//!         if &answer == b"ok" { Ok(()) } else { Err(Error::failed(format!("the pager at {place} did not take it"))) }
//!     }
//! }
//!
//! pm_plugin_api::export! { notifier "pager" => Pager }
//! #
//! # fn main() {
//! // In your crate this is a test.
//! use pm_plugin_api::testing::{notice, notifier};
//! use pm_plugin_api::{ErrorKind, Severity};
//! use std::io::{BufRead, BufReader};
//!
//! let socket = std::env::temp_dir().join(format!("pager-{}", std::process::id()));
//! let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
//! let receiver = std::thread::spawn(move || {
//!     let mut line = String::new();
//!     let (stream, _) = listener.accept().unwrap();
//!     BufReader::new(&stream).read_line(&mut line).unwrap();
//!     (&stream).write_all(b"ok").unwrap();
//!     line
//! });
//! let pager = notifier::<Pager>(&[("pager_socket", socket.to_str().unwrap())]).unwrap();
//! let given_up = notice("breaker_opened", "web was given up").severity(Severity::Critical);
//! assert_eq!(pager.notify(&given_up), Ok(()));
//! assert_eq!(receiver.join().unwrap(), "test-1 critical host-1: web was given up\n");
//! std::fs::remove_file(&socket).unwrap();
//! assert_eq!(pager.notify(&given_up).unwrap_err().kind, ErrorKind::Unavailable);
//! # }
//! ```
//!
//! # What to remember
//!
//! * `new` is cheap; connect on first use. `&self`, from several threads at once.
//! * Give up before the time is over, and say why. pm has its own clock and cuts off what does not come back.
//! * Choose the [kind of an error](crate::ErrorKind) with care: it decides what pm does next.
//! * Names may come from a database. They are data: never a part of a shell line, a path, a pattern.
//! * No secret in a log line, an error, an argument.
//! * A panic becomes an error; an abort or a crash ends the worker that the library runs in, and pm starts another one.
//! * Several parts go into one library: `export! { strategy "x" => X, check "x" => XCheck }`.
//!
//! In C? `include/pm_plugin.h` of this crate is the same interface as one table of functions, and
//! `examples/c/initd.c` a whole plugin.
